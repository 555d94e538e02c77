"""What an expression stands for, as a dotted name: ``F.relu`` after ``from torch.nn import functional as F``."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence

__all__ = ["NOTHING", "Aliases", "DottedNames", "Layered", "assigned", "constant", "imported"]

_MAX_ATTRIBUTES = 32
_MAX_DEPTH = 8

Aliases = Mapping[str, set[str]]
NOTHING: frozenset[str] = frozenset()


class DottedNames:
    """Resolves expressions of one notebook.

    Args:
        defined: names that the notebook defines; they do not come from a star import.
        stars: modules from which everything was imported.
    """

    def __init__(self, defined: Collection[str], stars: Sequence[str]) -> None:
        self._defined = defined
        self._stars = stars

    def resolve(self, node: ast.AST, aliases: Aliases, depth: int = 0) -> set[str]:
        """The dotted names that an expression can stand for."""
        attributes: list[str] = []
        while isinstance(node, ast.Attribute) and len(attributes) < _MAX_ATTRIBUTES:
            attributes.append(node.attr)
            node = node.value
        found = self._base(node, aliases, depth) if depth < _MAX_DEPTH else set()
        if not attributes or not found:
            return found
        tail = ".".join(reversed(attributes))
        return {f"{base}.{tail}" for base in found}

    def _base(self, node: ast.AST, aliases: Aliases, depth: int) -> set[str]:
        if isinstance(node, ast.Name):
            found = set(aliases.get(node.id, NOTHING))
            if node.id not in self._defined:
                found |= {f"{module}.{node.id}" for module in self._stars}
            return found
        if isinstance(node, ast.Call):
            return self._call(node, aliases, depth)
        if isinstance(node, ast.Subscript):
            return self._item(node, aliases, depth)
        alternatives: Sequence[ast.AST] = ()
        if isinstance(node, ast.IfExp):
            alternatives = (node.body, node.orelse)
        elif isinstance(node, ast.BoolOp):
            alternatives = node.values[:10]
        elif isinstance(node, ast.NamedExpr):
            alternatives = (node.value,)
        return {name for part in alternatives for name in self.resolve(part, aliases, depth + 1)}

    def _item(self, node: ast.Subscript, aliases: Aliases, depth: int) -> set[str]:
        if isinstance(node.value, ast.List | ast.Tuple):
            return {name for part in node.value.elts[:10] for name in self.resolve(part, aliases, depth + 1)}
        if isinstance(node.value, ast.Dict):
            return {name for part in node.value.values[:10] for name in self.resolve(part, aliases, depth + 1)}
        key = constant(node.slice)
        if key is None:
            return set()
        bases = self.resolve(node.value, aliases, depth + 1)
        if "sys.modules" in bases:
            return {key}
        return {f"{base.removesuffix('.__dict__')}.{key}" for base in bases if base.endswith(".__dict__")}

    def _call(self, node: ast.Call, aliases: Aliases, depth: int) -> set[str]:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        texts = [constant(argument) for argument in node.args[:2]]
        if name == "getattr" and len(texts) == 2 and texts[1] is not None:
            return {f"{base}.{texts[1]}" for base in self.resolve(node.args[0], aliases, depth + 1)}
        if name == "vars" and node.args:
            return {f"{base}.__dict__" for base in self.resolve(node.args[0], aliases, depth + 1)}
        if not texts or texts[0] is None:
            return set()
        is_import = name == "__import__" or "importlib.import_module" in self.resolve(node.func, aliases, depth + 1)
        return {texts[0]} if is_import else set()


class Layered(Mapping[str, set[str]]):
    """Local aliases together with the global ones that are not hidden by a local name, without a copy of either."""

    def __init__(self, own: Aliases, outer: Aliases, hidden: frozenset[str] = NOTHING) -> None:
        self._own, self._outer, self._hidden = own, outer, hidden

    def __getitem__(self, name: str) -> set[str]:
        outer = self._outer.get(name, NOTHING) if name not in self._hidden else NOTHING
        found = self._own.get(name, NOTHING) | outer
        if not found:
            raise KeyError(name)
        return set(found)

    def __iter__(self) -> Iterator[str]:
        return iter({**self._own, **self._outer})

    def __len__(self) -> int:
        return len({**self._own, **self._outer})


def imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Names that an import binds and what they stand for."""
    if not isinstance(node, (ast.Import, ast.ImportFrom)):  # nearly always
        return
    if isinstance(node, ast.Import):
        for item in node.names:
            name = item.asname or item.name.split(".")[0]
            yield name, item.name if item.asname else name
    elif node.module:
        for item in node.names:
            if item.name != "*":
                yield item.asname or item.name, f"{node.module}.{item.name}"


def assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Names and what is assigned to them."""
    if not isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) or node.value is None:
        return
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        if isinstance(target, ast.Name):
            yield target.id, node.value
        elif isinstance(target, ast.Tuple | ast.List) and isinstance(node.value, ast.Tuple | ast.List):
            for one, value in zip(target.elts, node.value.elts, strict=False):
                if isinstance(one, ast.Name):
                    yield one.id, value


def constant(node: ast.AST, depth: int = 0) -> str | None:
    """The text of a constant string, also when it is put together from constants."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if depth > _MAX_DEPTH:
        return None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _joined("", [constant(node.left, depth + 1), constant(node.right, depth + 1)])
    if isinstance(node, ast.JoinedStr):
        return _joined("", [constant(value, depth + 1) for value in node.values[:20]])
    if isinstance(node, ast.FormattedValue):
        return constant(node.value, depth + 1)
    call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "join"
    if call and len(node.args) == 1 and isinstance(node.args[0], ast.List | ast.Tuple):  # type: ignore[attr-defined]
        separator = constant(node.func.value, depth + 1)  # type: ignore[attr-defined]
        items = [constant(item, depth + 1) for item in node.args[0].elts[:50]]  # type: ignore[attr-defined]
        return _joined(separator, items) if separator is not None else None
    return None


def _joined(separator: str, parts: Sequence[str | None]) -> str | None:
    known = [part for part in parts if part is not None]
    return separator.join(known)[:200] if len(known) == len(parts) else None
