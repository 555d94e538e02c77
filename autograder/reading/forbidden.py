"""Which forbidden operations does a solution use?  Found by reading its code, never by running it.

The reader follows names from the graded function through the helpers, classes, aliases and imports of the notebook.
What cannot be followed is reported as dynamic (`autograder.reading.dynamic_code`), for a person to look at.
"""

from __future__ import annotations

import ast
import fnmatch
import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from autograder.reading.code_cells import read_code
from autograder.reading.dotted_names import NOTHING, Aliases, DottedNames, Layered, assigned, constant, imported
from autograder.reading.dynamic_code import unreadable_parts
from autograder.reading.name_scopes import scoped_nodes, walk
from autograder.reading.own_objects import CHANGES, changed_names, is_plain_class, made_by, made_here

__all__ = ["Findings", "SourceReader"]

# The same operations by back doors; forbidden wherever anything of torch is.
_BACK_DOORS = (
    "torch.ops",
    "torch._C",
    "torch._VF",
    "torch._refs",
    "torch._decomp",
    "torch._dynamo",
    "torch._inductor",
    "torch._prims",
    "torch.jit",
    "torch.fx",
)
_MAX_NODES = 50_000
"""Parts (of a syntax tree) that are read of one notebook, about ten times those of a long one.

Cells beyond are refused, as is a cell that is too long: reading must not take longer than running.
"""

_MAX_STARS = 20
_TOO_MUCH = "the notebook has too much code"

_MAX_FINDINGS = 20
_MAX_BASES = 10
"""How far classes are followed to what they inherit from."""
_SHORTEST_TAIL = 7
_OPEN_FOLDERS = frozenset({"lab", "check"})
"""Of a course's library a solution may use the bench (data, models, training), and check itself.

All else calls, judges or demonstrates what is asked for.
"""


@dataclass
class Findings:
    """What was found for one exercise.

    Attributes:
        banned: forbidden operations in use, as dotted names.
        dynamic: constructs that a reader cannot follow.
    """

    banned: list[str] = field(default_factory=list)
    dynamic: list[str] = field(default_factory=list)

    def ban(self, name: str) -> None:
        """Note a forbidden operation."""
        _add(self.banned, name)

    def suspect(self, name: str) -> None:
        """Note what cannot be followed."""
        _add(self.dynamic, name)


def _add(items: list[str], item: str) -> None:
    if item not in items and len(items) < _MAX_FINDINGS:
        items.append(item[:100])


class _Rules:
    """An exercise's list of forbidden operations, ready to be asked often.

    Args:
        forbidden: dotted names (a prefix forbids what is below it; ``*`` is a wildcard) or ``.method``.
    """

    def __init__(self, forbidden: Sequence[str]) -> None:
        dotted = [rule for rule in forbidden if not rule.startswith(".")]
        if any(rule.startswith("torch") for rule in dotted):
            dotted += _BACK_DOORS
        self._exact = frozenset(rule for rule in dotted if "*" not in rule)
        self._wild = tuple(rule for rule in dotted if "*" in rule)
        self.methods = frozenset(rule[1:] for rule in forbidden if rule.startswith("."))
        last = {rule.rpartition(".")[2] for rule in self._exact}
        self.tails = frozenset(name for name in last if len(name) >= _SHORTEST_TAIL)

    def forbid(self, dotted: str) -> bool:
        """Whether a dotted name is forbidden, or a way around: the same name elsewhere in torch."""
        parts = dotted.split(".")
        if any(".".join(parts[:n]) in self._exact for n in range(1, len(parts) + 1)):
            return True
        if parts[0] == "torch" and len(parts) > 2 and parts[-1] in self.tails:
            return True
        return any(fnmatch.fnmatchcase(dotted, p) or fnmatch.fnmatchcase(dotted, f"{p}.*") for p in self._wild)


class SourceReader:
    """All code cells of one notebook, parsed once.

    Args:
        sources: the cells.
        libraries: names of the packages that the course's students import.

    Attributes:
        refused: position of a cell that is too much to be read -> why.  It must not be run.
    """

    def __init__(self, sources: Sequence[str], libraries: Sequence[str] = ("course_lib",)) -> None:
        self._libraries = frozenset(libraries)
        self.refused: dict[int, str] = {}
        self._definitions: dict[str, list[ast.AST]] = {}
        self._imports: dict[str, set[str]] = {}
        self._stars: list[str] = []
        self._names = DottedNames(self._definitions, self._stars)
        self._changes: dict[str, list[ast.AST]] = {}
        self._own_classes: dict[tuple[str, str], bool] = {}
        self._walked: dict[int, list[tuple[ast.AST, frozenset[str]]]] = {}
        self._globals: dict[int, set[str]] = {}
        self._nodes: list[ast.AST] = []
        self._left = _MAX_NODES
        self._magics: list[str] = []
        self._seen: dict[tuple[int, tuple[str, ...]], Findings] = {}
        for position, source in enumerate(sources):
            refused = self._read(source) if self._left > 0 else _TOO_MUCH
            if refused:
                self.refused[position] = refused

    def _read(self, source: str) -> str:
        """Add a cell; why it is refused, if it is."""
        code = read_code(source)
        if code.refused:
            return code.refused
        nodes = list(itertools.islice(_all_nodes(code.body), self._left))
        self._left -= len(nodes)
        if self._left <= 0:
            return _TOO_MUCH
        self._magics += code.magics
        self._collect(code.body)
        self._collect_names(nodes)
        for statement in code.body:  # a function can bind global names
            for name in {name for n in walk(statement) if isinstance(n, ast.Global) for name in n.names}:
                self._definitions.setdefault(name, []).append(statement)
        self._nodes += nodes
        if len(self._stars) > _MAX_STARS:
            del self._stars[_MAX_STARS:]
            self._magics.append("imports of everything")
        return ""

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
            forbidden: see `_Rules`.
        """
        rules = _Rules(forbidden)
        findings = Findings(dynamic=list(self._dynamic))
        for name in names:  # an import can be the definition
            self._look_at_dotted(self._imports.get(name, NOTHING), rules, findings)
        for node in self._reachable(names):
            key = id(node), tuple(forbidden)
            if key not in self._seen:
                self._seen[key] = self._look_into(node, rules)
            for name in self._seen[key].banned:
                findings.ban(name)
            for name in self._seen[key].dynamic:
                findings.suspect(name)
        return findings

    def _look_into(self, node: ast.AST, rules: _Rules) -> Findings:
        findings = Findings()
        own = self._local_aliases(node)
        own_objects: dict[str, frozenset[int]] = {}
        views: dict[frozenset[str], Aliases] = {}
        for part, local in self._parts(node):
            if local not in views:
                views[local] = Layered(own, self._global_aliases, local)
            self._look_at(part, views[local], rules, findings)
            if isinstance(part, ast.Attribute) and part.attr in rules.methods:
                if part.attr not in own_objects:
                    own_objects[part.attr] = self._own_objects(node, part.attr)
                if id(part.value) not in own_objects[part.attr]:
                    findings.ban(f".{part.attr}")
        return findings

    def _own_objects(self, definition: ast.AST, method: str) -> frozenset[int]:
        """Expressions whose method is the notebook's own, as in ``layer = Layer(); layer.backward(dy)``."""

        def is_base(base: ast.expr, depth: int) -> bool:
            if isinstance(base, ast.Name) and (base.id == "object" or is_own(base.id, depth)):
                return True
            return self._names.resolve(base, self._global_aliases) == {"torch.nn.Module"}

        def is_own(name: str, depth: int = 0) -> bool:
            if (name, method) not in self._own_classes:
                self._own_classes[name, method] = False  # while it is asked for: a class is no base of its own
                known = depth < _MAX_BASES and name not in self._changes and name not in self._imports
                self._own_classes[name, method] = known and is_plain_class(
                    self._definitions.get(name, ()), method, lambda base: is_base(base, depth + 1)
                )
            return self._own_classes[name, method]

        def is_made(name: str) -> bool:
            definitions = self._definitions.get(name, ())
            return name not in self._imports and bool(definitions) and all(made_by(d, is_own) for d in definitions)

        return made_here(self._parts(definition), is_own, is_made)

    @functools.cached_property
    def _dynamic(self) -> tuple[str, ...]:
        """What cannot be followed anywhere in the notebook: it can change what any name stands for."""
        findings = Findings()
        for what in self._magics:
            findings.suspect(what)
        aliases = self._global_aliases
        own = frozenset(self._definitions)
        for what in unreadable_parts(
            self._nodes, lambda node: self._names.resolve(node, aliases), own, self._libraries
        ):
            findings.suspect(what)
        return tuple(findings.dynamic)

    @functools.cached_property
    def _own_attributes(self) -> frozenset[str]:
        """Names of methods and attributes that the notebook makes itself."""
        functions = {n.name for n in self._nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
        set_here = {n.attr for n in self._nodes if isinstance(n, ast.Attribute) and not isinstance(n.ctx, ast.Load)}
        return frozenset(functions | set_here)

    def _parts(self, node: ast.AST) -> list[tuple[ast.AST, frozenset[str]]]:
        """All nodes below a definition and what is local there; asked for once per exercise that reaches it."""
        if id(node) not in self._walked:
            self._walked[id(node)] = scoped_nodes(node)
        return self._walked[id(node)]

    def _globals_in(self, node: ast.AST) -> set[str]:
        if id(node) not in self._globals:
            self._globals[id(node)] = self._find_globals(node)
        return self._globals[id(node)]

    def _find_globals(self, node: ast.AST) -> set[str]:
        return {part.id for part, local in self._parts(node) if isinstance(part, ast.Name) and part.id not in local}

    @functools.cached_property
    def _global_aliases(self) -> dict[str, set[str]]:
        """Imported names, and global names assigned to dotted names (``f = torch.nn.functional``)."""
        statements = [statement for definitions in self._definitions.values() for statement in definitions]
        pairs = [(*pair, NOTHING) for statement in dict.fromkeys(statements) for pair in assigned(statement)]
        return self._with_assignments(self._imports, {}, pairs)

    def _local_aliases(self, node: ast.AST) -> Aliases:
        """Names that are assigned dotted names anywhere in a definition, or imported there."""
        if isinstance(node, ast.Assign | ast.AnnAssign):  # one of the global aliases
            return {}
        imports: dict[str, set[str]] = {}
        for part, _ in self._parts(node):
            for name, dotted in imported(part):
                imports.setdefault(name, set()).add(dotted)
        pairs = [(*pair, local) for part, local in self._parts(node) for pair in assigned(part)]
        return self._with_assignments(imports, self._global_aliases, pairs) if pairs else imports

    def _with_assignments(
        self, known: Aliases, outer: Aliases, pairs: Sequence[tuple[str, ast.expr, frozenset[str]]]
    ) -> dict[str, set[str]]:
        """Follow assignments of dotted names to names, three steps deep.

        Args:
            pairs: a name, what is assigned to it, and the local names there, which hide those of `outer`: a parameter
                called like an imported module is not that module.
        """
        aliases = {name: set(found) for name, found in known.items()}
        for _ in range(3):
            changed = False
            for name, value, hidden in pairs:
                found = self._names.resolve(value, Layered(aliases, outer, hidden))
                if found and not found <= aliases.get(name, NOTHING):
                    aliases[name] = aliases.get(name, set()) | found
                    changed = True
            if not changed:
                break
        return aliases

    def _collect(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            for name in _bound_names(statement):
                self._definitions.setdefault(name, []).append(statement)
            if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
                self._note_changes(statement, self._parts(statement))
            else:
                for inner in _inner_bodies(statement):
                    self._collect(inner)
                self._note_changes(statement, [(statement, NOTHING)])

    def _note_changes(self, statement: ast.AST, parts: Sequence[tuple[ast.AST, frozenset[str]]]) -> None:
        changing = [(node, local) for node, local in parts if isinstance(node, CHANGES)]
        for name in {name for node, local in changing for name in changed_names(node) if name not in local}:
            self._changes.setdefault(name, []).append(statement)

    def _collect_names(self, nodes: Sequence[ast.AST]) -> None:
        """Imports, wherever they stand."""
        for node in nodes:
            for name, dotted in imported(node):
                self._imports.setdefault(name, set()).add(dotted)
            if isinstance(node, ast.ImportFrom) and node.module and any(item.name == "*" for item in node.names):
                self._stars.append(node.module)

    def _reachable(self, names: Sequence[str]) -> Iterator[ast.AST]:
        """Definitions reached from the names, and statements that change what they stand for."""
        todo, seen = list(names), set(names)
        if any(name not in self._definitions for name in names):
            todo += self._definitions  # defined in some way that a reader cannot see: look at everything
            seen |= set(self._definitions)
        given: set[int] = set()
        while todo:
            name = todo.pop()
            # What is done to an imported module is another matter (`autograder.reading.dynamic_code`).
            changes = self._changes.get(name, ()) if name not in self._imports else ()
            for node in (*self._definitions.get(name, ()), *changes):
                if id(node) in given:
                    continue
                given.add(id(node))
                yield node
                fresh = self._globals_in(node) - seen
                seen |= fresh
                todo += fresh

    def _look_at(self, node: ast.AST, aliases: Aliases, rules: _Rules, findings: Findings) -> None:
        found = self._names.resolve(node, aliases)
        self._look_at_dotted(found, rules, findings)
        if isinstance(node, ast.Attribute):
            if node.attr in rules.tails and not any(map(rules.forbid, found)) and node.attr not in self._own_attributes:
                findings.suspect(f".{node.attr} of something")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            self._look_at_call(node, node.func.id, aliases, rules, findings)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            modules = [item.name for item in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            self._look_at_dotted(modules, rules, findings)

    def _look_at_call(self, node: ast.Call, name: str, aliases: Aliases, rules: _Rules, findings: Findings) -> None:
        position = {"getattr": 1, "exec": 0, "eval": 0}.get(name)
        text = constant(node.args[position]) if position is not None and len(node.args) > position else None
        if text is None:
            return
        if name != "getattr":
            for part in (part for statement in read_code(text).body for part in walk(statement)):
                if not isinstance(part, ast.Call):
                    self._look_at(part, aliases, rules, findings)
                if isinstance(part, ast.Attribute) and part.attr in rules.methods:
                    findings.ban(f".{part.attr}")
        elif text in rules.methods:
            findings.ban(f".{text}")
        elif text in rules.tails and not any(map(rules.forbid, self._names.resolve(node, aliases))):
            findings.suspect(f".{text} of something")

    def _look_at_dotted(
        self, names: Sequence[str] | set[str] | frozenset[str], rules: _Rules, findings: Findings
    ) -> None:
        for dotted in names:
            if rules.forbid(dotted):
                findings.ban(dotted)
            elif self._is_internal(dotted) or (
                dotted.rpartition(".")[2] in rules.tails and not dotted.startswith("torch.")
            ):
                findings.suspect(dotted)

    def _is_internal(self, dotted: str) -> bool:
        library, _, rest = dotted.partition(".")
        return library in self._libraries and bool(rest) and rest.split(".")[0] not in _OPEN_FOLDERS


def _all_nodes(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    return (node for statement in body for node in walk(statement))


def _inner_bodies(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        inner = getattr(statement, name, None)
        if isinstance(inner, list):
            yield inner
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def _bound_names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    targets: list[ast.AST] = []
    if isinstance(statement, ast.Assign):
        targets = list(statement.targets)
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign | ast.For | ast.AsyncFor):
        targets = [statement.target]
    elif isinstance(statement, ast.With | ast.AsyncWith):
        targets = [item.optional_vars for item in statement.items if item.optional_vars is not None]
    elif isinstance(statement, ast.Match):
        targets = [case.pattern for case in statement.cases]
    names = [name for target in targets for node in walk(target) for name in _names_in(node)]
    return names + [node.target.id for part in _heads(statement) for node in walk(part) if _is_walrus(node)]  # type: ignore[attr-defined]


def _names_in(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return [node.id]
    return [node.name] if isinstance(node, ast.MatchAs | ast.MatchStar) and node.name else []


def _heads(statement: ast.stmt) -> list[ast.expr]:
    """The expressions that belong to a statement itself, not to the statements in it."""
    return [part for part in ast.iter_child_nodes(statement) if isinstance(part, ast.expr)]


def _is_walrus(node: ast.AST) -> bool:
    return isinstance(node, ast.NamedExpr) and isinstance(node.target, ast.Name)
