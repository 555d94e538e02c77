"""Which names of a piece of code are global ones?  A function's own ``y`` has nothing to do with a cell's ``y``."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

__all__ = ["bound_names", "scoped_nodes", "walk"]

# Tuples: `isinstance` with a union of types takes five times as long, and these run for every node of every notebook.
_Function = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_Comprehension = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_Scope = (*_Function, ast.ClassDef)
_PLAIN = frozenset("ctx op ops id attr arg asname module level kind type_comment conversion is_async simple".split())
"""Fields that hold no node, or one that only stands for a sign (`+`, `Load`)."""
_FIELDS = {
    kind: tuple(name for name in kind._fields if name not in _PLAIN)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}


def walk(root: ast.AST) -> Iterator[ast.AST]:
    """All nodes below and with `root`, breadth first, without those that only stand for a sign."""
    found = [root]
    for node in found:
        found += _children(node)
    return iter(found)


def _children(node: ast.AST) -> list[ast.AST]:
    found: list[ast.AST] = []
    for name in _FIELDS[type(node)]:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            found.append(value)
        elif isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
    return found


def scoped_nodes(root: ast.AST) -> list[tuple[ast.AST, frozenset[str]]]:
    """All nodes below a top-level statement, each with the names that are local where it stands.

    Without recursion: code can be nested deeper than Python's stack.
    """
    found: list[tuple[ast.AST, frozenset[str]]] = []
    todo: list[tuple[ast.AST, frozenset[str]]] = [(root, frozenset())]
    while todo:
        node, local = todo.pop()
        found.append((node, local))
        if isinstance(node, _Function):
            inner = _locals_of(node, local)
            inside = node.body if isinstance(node.body, list) else [node.body]
            outside = [child for child in _children(node) if child not in inside]
            todo += [(child, local) for child in outside] + [(child, inner) for child in inside]
        else:
            if isinstance(node, _Comprehension):
                targets = (part for generator in node.generators for part in walk(generator.target))
                local = local | {part.id for part in targets if isinstance(part, ast.Name)}
            todo += [(child, local) for child in _children(node)]
    return found


def _locals_of(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, outer: frozenset[str]) -> frozenset[str]:
    """Names that are not global inside a function: its own and those of the functions around it."""
    arguments = function.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
    own = {argument.arg for argument in every if argument is not None}
    declared: set[str] = set()
    if not isinstance(function, ast.Lambda):
        for node in _same_scope(function.body):
            own.update(bound_names(node))
            if isinstance(node, ast.Global):
                declared.update(node.names)
    return (outer | own) - declared


def _same_scope(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """The nodes of a function's body that belong to its own scope."""
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, _Comprehension):  # its targets are its own, but := in it binds outside
            todo += [part for part in walk(node) if isinstance(part, ast.NamedExpr)]
        elif not isinstance(node, _Scope):
            todo += _children(node)


def bound_names(node: ast.AST) -> list[str]:
    """Names that one node, not those below it, binds in the scope in which it stands."""
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.NamedExpr):
        return [node.target.id]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [(item.asname or item.name).split(".")[0] for item in node.names]
    if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
        return [node.name]
    return []
