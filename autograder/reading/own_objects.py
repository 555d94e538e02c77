"""What a notebook does to objects of its own: whose parts a statement changes, and which objects its classes made."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from autograder.reading.name_scopes import bound_names, walk

__all__ = ["CHANGES", "changed_names", "is_plain_class", "made_by", "made_here"]

Parts = Sequence[tuple[ast.AST, frozenset[str]]]
CHANGES = (
    *(ast.AnnAssign, ast.Assign, ast.AugAssign, ast.Delete, ast.Expr),
    *(ast.AsyncFor, ast.AsyncWith, ast.For, ast.With),
)
"""Statements that can change parts of objects."""

_SWAPPING = frozenset({"__getattr__", "__getattribute__", "__new__"})
"""Methods by which a class can hand out something else than an object, or a method, of its own."""
_PLAIN = (ast.Assign, ast.AnnAssign, ast.Expr, ast.Pass)
"""What a class body may hold besides methods."""


def changed_names(node: ast.AST) -> Iterator[str]:
    """Names of objects whose parts one of `CHANGES` changes: ``f`` in ``f.g = 1``, ``f[0] += 1`` and ``f.append(1)``.

    What stands on the right only is not changed: comparing a function with another one changes neither.
    """
    targets: Sequence[ast.expr | None] = ()
    if isinstance(node, (ast.Assign, ast.Delete)):
        targets = node.targets
    elif isinstance(node, (ast.AnnAssign, ast.For, ast.AsyncFor)):
        targets = (node.target,)
    elif isinstance(node, (ast.With, ast.AsyncWith)):
        targets = [item.optional_vars for item in node.items]
    elif isinstance(node, ast.AugAssign):
        yield from _owner(node.target)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        while isinstance(function, (ast.Attribute, ast.Subscript, ast.Call)):
            function = function.func if isinstance(function, ast.Call) else function.value
            if isinstance(function, ast.Call) and isinstance(function.func, ast.Name):
                return  # a method of a new object
        if isinstance(function, ast.Name) and function is not node.value.func:
            yield function.id
        elif isinstance(function, ast.Name) and function.id == "setattr" and node.value.args:
            yield from _owner(node.value.args[0])
    for target in targets:
        parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
        for part in parts:
            if part is not None and not isinstance(part, ast.Name):
                yield from _owner(part)


def _owner(node: ast.expr) -> Iterator[str]:
    """The name at the front of an expression; all names in it where it has none, as in ``vars(f)["g"]``."""
    whole = node
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id
    else:
        yield from (part.id for part in ast.walk(whole) if isinstance(part, ast.Name))


def is_plain_class(definitions: Sequence[ast.AST], method: str, is_base: Callable[[ast.expr], bool]) -> bool:
    """Whether a name stands for a class of the notebook whose objects can have this method from the class only.

    Args:
        definitions: all definitions of the name; one that lacks the method does no harm.
        method: name of the method.
        is_base: whether an expression stands for a class from which that may be inherited.
    """
    return bool(definitions) and all(
        isinstance(node, ast.ClassDef)
        and not node.decorator_list
        and not node.keywords
        and all(map(is_base, node.bases))
        and all(isinstance(part, (ast.FunctionDef, *_PLAIN)) for part in node.body)
        and not _SWAPPING & {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
        and not _values(node) & {method, *_SWAPPING}
        for node in definitions
    )


def _values(node: ast.ClassDef) -> set[str]:
    """Names that are bound to values in a class body."""
    values = [part for part in node.body if isinstance(part, _PLAIN)]
    return {name for value in values for part in walk(value) for name in bound_names(part)}


def made_here(parts: Parts, is_own: Callable[[str], bool], globals_made: Callable[[str], bool]) -> frozenset[int]:
    """Which expressions in a definition stand for an object of an own class, or for such a class; their `id`.

    A local name does if nothing else is ever bound to it.

    Args:
        parts: all nodes of the definition, each with the names that are local there.
        is_own: whether a global name stands for such a class.
        globals_made: whether a global name stands for such an object.
    """
    bound: Counter[str] = Counter()
    made: Counter[str] = Counter()
    for part, local in parts:
        if isinstance(part, ast.arg):
            bound[part.arg] += 1
        elif isinstance(part, (ast.Global, ast.Nonlocal)):
            bound.update(part.names)
        elif made_by(part, is_own, local):
            made[made_by(part, is_own, local)] += 1
        bound.update(bound_names(part))
    own = {name for name in made if made[name] == bound[name]}
    return frozenset(
        id(part)
        for part, local in parts
        if _is_made(part, is_own, local)
        or (isinstance(part, ast.Name) and part.id in own & local)
        or (isinstance(part, ast.Name) and part.id not in local and (is_own(part.id) or globals_made(part.id)))
    )


def made_by(node: ast.AST, is_own: Callable[[str], bool], local: frozenset[str] = frozenset()) -> str:
    """The name to which a statement assigns an object of an own class, as in ``layer = Layer()``; else nothing."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    elif isinstance(node, ast.AnnAssign):
        target = node.target
    else:
        return ""
    return target.id if isinstance(target, ast.Name) and _is_made(node.value, is_own, local) else ""


def _is_made(node: ast.AST | None, is_own: Callable[[str], bool], local: frozenset[str]) -> bool:
    name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    return bool(name) and name not in local and is_own(name)
