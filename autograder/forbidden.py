"""Which forbidden operations does a solution use?  Found by reading its code, never by running it.

The reader follows names from the graded function through the helpers, classes, aliases and imports of the notebook.
What cannot be followed (code built as text, attributes looked up by a computed name) is reported as dynamic, for a
person to look at; it costs no points by itself.
"""

from __future__ import annotations

import ast
import fnmatch
import functools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from IPython.core.inputtransformer2 import TransformerManager

__all__ = ["Findings", "SourceReader"]

# The same operations by back doors; forbidden wherever anything of torch is.
_BACK_DOORS = ("torch.ops", "torch._C", "torch._VF", "torch._refs", "torch._decomp", "torch.jit", "torch.fx")
_DYNAMIC_CALLS = frozenset({"exec", "eval", "compile", "globals", "vars", "setattr", "delattr", "get_ipython"})
_DYNAMIC_MODULES = frozenset({"ctypes", "gc", "inspect", "importlib", "builtins", "sys", "code", "codeop", "marshal"})
_MAX_SOURCE = 200_000


@dataclass
class Findings:
    """What was found for one exercise.

    Attributes:
        banned: forbidden operations in use, as dotted names.
        dynamic: constructs that a reader cannot follow.
    """

    banned: list[str] = field(default_factory=list)
    dynamic: list[str] = field(default_factory=list)


class SourceReader:
    """All code cells of one notebook, parsed once."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._definitions: dict[str, list[ast.AST]] = {}
        self._aliases: dict[str, set[str]] = {}
        self._stars: list[str] = []
        self._loose: list[ast.AST] = []
        self._walked: dict[int, list[ast.AST]] = {}
        for source in sources:
            tree = _parse(source)
            if tree is not None:
                self._collect(tree.body)
                self._collect_imports(tree)

    def defines(self, name: str) -> bool:
        """Whether some cell defines the name at its top level."""
        return name in self._definitions

    @property
    def defined(self) -> tuple[str, ...]:
        """All names defined at the top level."""
        return tuple(self._definitions)

    def look(self, names: Sequence[str], forbidden: Sequence[str]) -> Findings:
        """Search everything that the given names can reach.

        Args:
            names: what the exercise defines.
            forbidden: dotted names (a prefix forbids what is below it; ``*`` is a wildcard) or ``.method``.
        """
        patterns = [*forbidden, *(_BACK_DOORS if any(rule.startswith("torch") for rule in forbidden) else ())]
        findings = Findings()
        for node in self._reachable(names):
            parts = self._parts(node)
            aliases = self._local_aliases(parts)
            for part in parts:
                self._look_at(part, aliases, patterns, findings)
        return findings

    def _parts(self, node: ast.AST) -> list[ast.AST]:
        """All nodes below a definition; asked for once per exercise that reaches it."""
        if id(node) not in self._walked:
            self._walked[id(node)] = list(ast.walk(node))
        return self._walked[id(node)]

    @functools.cached_property
    def _global_aliases(self) -> dict[str, set[str]]:
        """Imported names, and global names assigned to dotted names (``f = torch.nn.functional``)."""
        pairs = [
            (statement.targets[0].id, statement.value)
            for definitions in self._definitions.values()
            for statement in definitions
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
        ]
        return self._with_assignments(self._aliases, pairs)

    def _local_aliases(self, parts: Sequence[ast.AST]) -> dict[str, set[str]]:
        """The global aliases and those assigned anywhere in a definition."""
        pairs = [
            (target.id, part.value)
            for part in parts
            if isinstance(part, ast.Assign | ast.AnnAssign | ast.NamedExpr) and part.value is not None
            for target in (part.targets if isinstance(part, ast.Assign) else [part.target])
            if isinstance(target, ast.Name)
        ]
        return self._with_assignments(self._global_aliases, pairs) if pairs else self._global_aliases

    def _with_assignments(
        self, known: Mapping[str, set[str]], pairs: Sequence[tuple[str, ast.expr]]
    ) -> dict[str, set[str]]:
        """Follow assignments of dotted names to names, three steps deep."""
        aliases = dict(known)
        for _ in range(3):
            changed = False
            for name, value in pairs:
                found = self._resolve(value, aliases)
                if not found <= aliases.get(name, set()):
                    aliases[name] = aliases.get(name, set()) | found
                    changed = True
            if not changed:
                break
        return aliases

    def _collect(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            for name in _bound_names(statement):
                self._definitions.setdefault(name, []).append(statement)
            for field_name in ("body", "orelse", "finalbody"):
                inner = getattr(statement, field_name, None)
                if isinstance(inner, list) and not isinstance(
                    statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef
                ):
                    self._collect(inner)
            for handler in getattr(statement, "handlers", ()):
                self._collect(handler.body)
            if isinstance(statement, ast.Expr | ast.AugAssign | ast.Delete) or _assigns_attribute(statement):
                self._loose.append(statement)

    def _collect_imports(self, tree: ast.AST) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for item in node.names:
                    name = item.asname or item.name.split(".")[0]
                    self._aliases.setdefault(name, set()).add(item.name if item.asname else name)
            elif isinstance(node, ast.ImportFrom) and node.module:
                for item in node.names:
                    if item.name == "*":
                        self._stars.append(node.module)
                    else:
                        dotted = f"{node.module}.{item.name}"
                        self._aliases.setdefault(item.asname or item.name, set()).add(dotted)

    def _reachable(self, names: Sequence[str]) -> Iterator[ast.AST]:
        """Definitions reached from the names, and top-level statements that touch them or act by side effect."""
        todo, seen = list(names), set(names)
        if any(name not in self._definitions for name in names):
            todo += self._definitions  # defined in some way that a reader cannot see: look at everything
            seen |= set(self._definitions)
        for statement in self._loose:
            mentioned = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
            if mentioned & set(names):
                yield statement
                todo += [name for name in mentioned if name not in seen]
                seen |= mentioned
        while todo:
            for node in self._definitions.get(todo.pop(), ()):
                yield node
                for part in self._parts(node):
                    if isinstance(part, ast.Name) and part.id not in seen:
                        seen.add(part.id)
                        todo.append(part.id)

    def _look_at(
        self, node: ast.AST, aliases: Mapping[str, set[str]], patterns: Sequence[str], findings: Findings
    ) -> None:
        for dotted in self._resolve(node, aliases):
            for pattern in patterns:
                if _falls_under(dotted, pattern) and dotted not in findings.banned:
                    findings.banned.append(dotted)
        if isinstance(node, ast.Attribute):
            for pattern in patterns:
                if pattern.startswith(".") and fnmatch.fnmatchcase(node.attr, pattern[1:]):
                    _add(findings.banned, f".{node.attr}")
            if node.attr in ("__dict__", "__globals__", "__code__", "__getattribute__", "__subclasses__"):
                _add(findings.dynamic, node.attr)
        elif isinstance(node, ast.Call):
            self._look_at_call(node, aliases, patterns, findings)
        elif isinstance(node, ast.Name) and node.id in ("__builtins__", "__import__"):
            _add(findings.dynamic, node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            modules = [item.name for item in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            for module in modules:
                if module.split(".")[0] in _DYNAMIC_MODULES:
                    _add(findings.dynamic, f"import {module}")
                for pattern in patterns:
                    if _falls_under(module, pattern):
                        _add(findings.banned, module)

    def _look_at_call(
        self, node: ast.Call, aliases: Mapping[str, set[str]], patterns: Sequence[str], findings: Findings
    ) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        constant = _constant(node.args[0]) if node.args else None
        if name in ("exec", "eval") and constant is not None:
            tree = _parse(constant)
            for part in ast.walk(tree) if tree is not None else ():
                self._look_at(part, aliases, patterns, findings)
        elif name in _DYNAMIC_CALLS:
            _add(findings.dynamic, f"{name}(...)")
        elif name == "getattr" and (len(node.args) < 2 or _constant(node.args[1]) is None):
            _add(findings.dynamic, "getattr(...) with a computed name")
        elif name == "getattr":
            for pattern in patterns:
                if pattern.startswith(".") and _constant(node.args[1]) == pattern[1:]:
                    _add(findings.banned, pattern)

    def _resolve(self, node: ast.AST, aliases: Mapping[str, set[str]]) -> set[str]:
        """The dotted names that an expression can stand for."""
        if isinstance(node, ast.Name):
            found = set(aliases.get(node.id, ()))
            if node.id not in self._definitions:
                found |= {f"{module}.{node.id}" for module in self._stars}
            return found
        if isinstance(node, ast.Attribute):
            return {f"{base}.{node.attr}" for base in self._resolve(node.value, aliases)}
        if isinstance(node, ast.Call):
            return self._resolve_call(node, aliases)
        if isinstance(node, ast.Subscript):
            key = _constant(node.slice)
            if key is None:
                return set()
            bases = self._resolve(node.value, aliases)
            if "sys.modules" in bases:
                return {key}
            return {f"{base.removesuffix('.__dict__')}.{key}" for base in bases if base.endswith(".__dict__")}
        return set()

    def _resolve_call(self, node: ast.Call, aliases: Mapping[str, set[str]]) -> set[str]:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        texts = [_constant(argument) for argument in node.args]
        if name == "getattr" and len(texts) >= 2 and texts[1] is not None:
            return {f"{base}.{texts[1]}" for base in self._resolve(node.args[0], aliases)}
        if name == "vars" and node.args:
            return {f"{base}.__dict__" for base in self._resolve(node.args[0], aliases)}
        is_import = name == "__import__" or "importlib.import_module" in self._resolve(node.func, aliases)
        if is_import and texts and texts[0] is not None:
            return {texts[0]}
        return set()


def _parse(source: str) -> ast.Module | None:
    """A cell's syntax tree; None if it has none (it will not run either)."""
    if len(source) > _MAX_SOURCE:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return ast.parse(source)
            except SyntaxError:
                return ast.parse(TransformerManager().transform_cell(source))
    # Deeply nested source overflows the parser's stack in more ways than one.
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _bound_names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign | ast.For):
        targets = [statement.target]
    elif isinstance(statement, ast.With):
        targets = [item.optional_vars for item in statement.items if item.optional_vars is not None]
    names = [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    return names + [node.target.id for node in ast.walk(statement) if isinstance(node, ast.NamedExpr)]


def _assigns_attribute(statement: ast.stmt) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else ()
    return any(not isinstance(target, ast.Name) for target in targets)


def _constant(node: ast.AST) -> str | None:
    """The text of a constant string, also when it is put together from constants."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _constant(node.left), _constant(node.right)
        return left + right if left is not None and right is not None else None
    if isinstance(node, ast.JoinedStr):
        parts = [_constant(value) for value in node.values]
        return "".join(part for part in parts if part is not None) if None not in parts else None
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "join"
        and len(node.args) == 1
        and isinstance(node.args[0], ast.List | ast.Tuple)
    ):
        separator = _constant(node.func.value)
        items = [_constant(item) for item in node.args[0].elts]
        return separator.join(str(i) for i in items) if separator is not None and None not in items else None
    return None


def _falls_under(dotted: str, pattern: str) -> bool:
    if pattern.startswith("."):
        return False
    return fnmatch.fnmatchcase(dotted, pattern) or fnmatch.fnmatchcase(dotted, pattern + ".*")


def _add(items: list[str], item: str) -> None:
    if item not in items:
        items.append(item)
