"""Turn an implementation in the registry into code as a student would hand it in.

The exercises' wrong and unusual answers are ordinary Python functions of the course.  A submission must stand on
its own, so the source of the function is taken together with everything it refers to: imports, constants, helper
functions, values of an enclosing function.  Docstrings, comments and annotations go (they would give it away);
helpers get a name of their own, so that two cells never overwrite each other's.
"""

from __future__ import annotations

import ast
import builtins
import copy
import functools
import importlib
import inspect
import types
from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["UnportableCodeError", "student_code"]

_PLAIN = (bool, int, float, str, bytes, type(None))
# Where a function that names no importable home (a built-in of torch, say) is looked for.
_HOMES = ("torch", "math", "torch.nn.functional", "numpy", "operator")


class UnportableCodeError(ValueError):
    """The implementation refers to something that cannot be written down as source."""


def student_code(definitions: Mapping[str, Any], prefix: str) -> str:
    """Source that defines the given names.

    Args:
        definitions: name the student must define -> function, class or plain value.
        prefix: put before the names of helpers, such as ``layer_norm``.

    Raises:
        UnportableCodeError: naming what stands in the way.
    """
    writer = _Writer(prefix, frozenset(definitions))
    for name, value in definitions.items():
        writer.define(name, value)
    return writer.text()


class _Writer:
    """Collects imports and definitions in the order in which they must run."""

    def __init__(self, prefix: str, reserved: frozenset[str]) -> None:
        self._prefix = prefix
        self._taken = set(reserved)
        self._imports: dict[str, None] = {}
        self._definitions: list[str] = []
        self._names: dict[tuple[str, int], str] = {}
        self._keep: list[Any] = []  # objects whose id is a key stay alive

    def text(self) -> str:
        """The collected source."""
        imports = "\n".join(sorted(self._imports))
        return "\n\n\n".join(filter(None, [imports, *self._definitions])) + "\n"

    def define(self, name: str, value: Any) -> None:
        """Write a definition of `name`, after everything it needs."""
        if isinstance(value, functools.partial):
            inner = self._refer(getattr(value.func, "__name__", "inner"), value.func)
            self._imports["import functools"] = None
            arguments = [_literal(argument) for argument in value.args]
            arguments += [f"{key}={_literal(argument)}" for key, argument in value.keywords.items()]
            self._definitions.append(f"{name} = functools.partial({', '.join([inner, *arguments])})")
        elif callable(value) and not _is_ours(value):
            self._definitions.append(f"{name} = {self._import_object(getattr(value, '__name__', name), value)}")
        elif isinstance(value, types.FunctionType | type):
            self._define_code(name, value)
        else:
            self._definitions.append(f"{name} = {self._expression(value)}")

    def _define_code(self, name: str, value: types.FunctionType | type) -> None:
        node = _strip(_syntax_tree(value))
        scope = _scope(value)
        own = value.__name__ if isinstance(value, type) else value.__code__.co_name
        renamed = {own: name} if own != "<lambda>" else {}
        for used in _names_used(node):
            if used in scope and used not in renamed:
                renamed[used] = self._refer(used, scope[used])
        if isinstance(value, types.FunctionType) and not isinstance(node, ast.ClassDef):
            self._set_defaults(node, value)
            self._set_wrapped(node, value)
        node = _Renamer(renamed).visit(node)
        if isinstance(node, ast.Lambda):
            self._definitions.append(f"{name} = {ast.unparse(node)}")
        else:
            node.name = name
            self._definitions.append(ast.unparse(node))

    def _set_defaults(self, node: ast.FunctionDef | ast.Lambda, value: types.FunctionType) -> None:
        """Defaults as the values that they have: the names in them may mean something else by now."""
        node.args.defaults = [self._parsed(found) for found in value.__defaults__ or ()]
        named = value.__kwdefaults__ or {}
        keywords = [argument.arg for argument in node.args.kwonlyargs]
        node.args.kw_defaults = [self._parsed(named[name]) if name in named else None for name in keywords]

    def _set_wrapped(self, node: ast.FunctionDef | ast.Lambda, value: types.FunctionType) -> None:
        """``@functools.wraps`` of the very function: the name it had where it was written is not at hand."""
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            wraps = ast.parse(f"functools.wraps({self._item(value.__wrapped__)})", mode="eval").body  # type: ignore[attr-defined]
            node.decorator_list = [wraps]
            self._imports["import functools"] = None

    def _parsed(self, value: Any) -> ast.expr:
        return ast.parse(self._item(value), mode="eval").body

    def _refer(self, name: str, value: Any) -> str:
        """The name under which `value` can be used, defined or imported if it was not yet."""
        if isinstance(value, types.ModuleType):
            return self._import_module(name, value)
        key = (name, id(value))
        if key in self._names:
            return self._names[key]
        if callable(value) and not _is_ours(value) and not isinstance(value, functools.partial):
            return self._import_object(name, value)
        fresh = self._fresh(name)
        self._names[key] = fresh
        self._keep.append(value)
        self.define(fresh, value)
        return fresh

    def _fresh(self, name: str) -> str:
        base = f"{self._prefix}_{name.strip('_') or 'value'}"
        fresh, number = base, 2
        while fresh in self._taken:
            fresh, number = f"{base}{number}", number + 1
        self._taken.add(fresh)
        return fresh

    def _import_module(self, name: str, module: types.ModuleType) -> str:
        if module.__name__.split(".")[0] in ("autograder", "course_lib", "exercises"):
            raise UnportableCodeError(f"{name} is the module {module.__name__}")
        self._imports[f"import {module.__name__}" + (f" as {name}" if name != module.__name__ else "")] = None
        return name

    def _import_object(self, name: str, value: Any) -> str:
        real = getattr(value, "__name__", name)
        for home in dict.fromkeys([str(getattr(value, "__module__", "")), *_HOMES]):
            try:
                found = getattr(importlib.import_module(home), real, None) if home else None
            except ImportError:
                continue
            if found is value:
                self._imports[f"from {home} import {real}" + (f" as {name}" if name != real else "")] = None
                return name
        raise UnportableCodeError(f"{name} ({type(value).__name__}) has no importable home")

    def _expression(self, value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{self._item(k)}: {self._item(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list | tuple):
            inner = ", ".join(self._item(item) for item in value)
            if isinstance(value, list):
                return f"[{inner}]"
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        if isinstance(value, torch.dtype):
            self._imports["import torch"] = None
        return _literal(value)

    def _item(self, value: Any) -> str:
        if callable(value):
            return self._refer(getattr(value, "__name__", "inner").strip("<>"), value)
        return self._expression(value)


def _literal(value: Any) -> str:
    if isinstance(value, torch.dtype):
        return str(value)
    if isinstance(value, float) and repr(value) in ("inf", "-inf", "nan"):
        return f"float({repr(value)!r})"
    if isinstance(value, _PLAIN):
        return repr(value)
    raise UnportableCodeError(f"a {type(value).__name__} cannot be written as source")


def _is_ours(value: Any) -> bool:
    return (getattr(value, "__module__", None) or "").split(".")[0] not in (
        "torch", "numpy", "math", "builtins", "itertools", "functools", "operator", "sympy", "collections", "copy",
        "typing", "fractions", "random", "statistics", "einops", "",
    )  # fmt: skip


def _syntax_tree(value: types.FunctionType | type) -> ast.FunctionDef | ast.ClassDef | ast.Lambda:
    name = getattr(value, "__name__", "?")
    try:
        if isinstance(value, type):
            return _class_tree(value)
        if value.__code__.co_name == "<lambda>":
            return _lambda_tree(value)
        node = _function_tree(value)
    except (OSError, TypeError, SyntaxError) as error:
        raise UnportableCodeError(f"{name} has no readable source ({error})") from error
    node.decorator_list = [decorator for decorator in node.decorator_list if _is_wraps(decorator)]
    return node


def _function_tree(function: types.FunctionType) -> ast.FunctionDef:
    """A function's own node, by its code: what `functools.wraps` names, or a decorator made of it, is another one."""
    code = function.__code__
    for node in _definitions(code.co_filename):
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        if isinstance(node, ast.FunctionDef) and (node.name, first) == (code.co_name, code.co_firstlineno):
            return copy.deepcopy(node)
    raise OSError(f"nothing of this name in line {code.co_firstlineno} of its file")


def _class_tree(value: type) -> ast.ClassDef:
    """A class's own node, in the file of its methods: its module may have stepped aside for another course's."""
    methods = _methods(value) or [method for base in value.__mro__ if _is_ours(base) for method in _methods(base)]
    if not methods:
        raise UnportableCodeError(f"{value.__name__} has no method, so its source is not found")
    found = _definitions(methods[0].__code__.co_filename)
    around = [node for node in found if isinstance(node, ast.ClassDef) and node.name == value.__name__]
    own = [method for method in _methods(value) if method.__qualname__.startswith(f"{value.__qualname__}.")]
    if own:  # a method that another class lends stands elsewhere
        line = own[0].__code__.co_firstlineno
        around = [node for node in around if node.lineno < line <= (node.end_lineno or 0)]
    if not around:
        raise UnportableCodeError(f"{value.__name__} was not found in its file")
    return copy.deepcopy(around[-1])


def _lambda_tree(function: types.FunctionType) -> ast.Lambda:
    """The lambda's own node: the innermost one around everything that the compiled code points at."""
    spots = [(line, column) for line, _, column, end in function.__code__.co_positions() if line and column and end]
    found = [
        node
        for node in _lambdas(function.__code__.co_filename)
        if (node.lineno, node.col_offset) <= min(spots, default=(0, 0))
        and max(spots, default=(0, 0)) <= (node.end_lineno or 0, node.end_col_offset or 0)
    ]
    if not found:
        raise UnportableCodeError(f"the lambda in line {function.__code__.co_firstlineno} was not found in its file")
    return copy.deepcopy(max(found, key=lambda node: (node.lineno, node.col_offset)))


# A file with twenty mistakes in it is parsed once.  Whoever takes a node from it takes a copy, for nodes are rewritten.


@functools.cache
def _tree(path: str) -> ast.Module:
    with open(path, encoding="utf-8") as file:
        return ast.parse(file.read())


@functools.cache
def _definitions(path: str) -> list[ast.FunctionDef | ast.ClassDef]:
    return [node for node in ast.walk(_tree(path)) if isinstance(node, ast.FunctionDef | ast.ClassDef)]


@functools.cache
def _lambdas(path: str) -> list[ast.Lambda]:
    return [node for node in ast.walk(_tree(path)) if isinstance(node, ast.Lambda)]


def _strip(node: Any) -> Any:
    return ast.fix_missing_locations(_Stripper().visit(node))


class _Stripper(ast.NodeTransformer):
    """Takes away docstrings, annotations and decorators of ours."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        for argument in every:
            if argument is not None:
                argument.annotation = None
        return self._without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.decorator_list = [decorator for decorator in node.decorator_list if not _is_an_exercises(decorator)]
        return self._without_docstring(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return None if node.value is None else ast.Assign(targets=[node.target], value=node.value, type_comment=None)

    def _without_docstring(self, node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            node.body = node.body[1:]
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node


def _is_an_exercises(decorator: ast.expr) -> bool:
    """Whether it is ``@exercise.wrong(...)`` or the like."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "exercise"


def _is_wraps(decorator: ast.expr) -> bool:
    """Whether it is ``@functools.wraps(...)``, which gives back the same function."""
    return isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "functools.wraps"


class _Renamer(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._names.get(node.id, node.id)
        return node


def _names_used(node: ast.AST) -> list[str]:
    """Names read in `node`, in order, each once."""
    return list(dict.fromkeys(n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)))


def _scope(value: types.FunctionType | type) -> dict[str, Any]:
    """What the free names of a function or class mean: its module's globals and the values it encloses.

    Names that it binds itself (parameters, local variables) are not among them.
    """
    functions = [value] if isinstance(value, types.FunctionType) else _methods(value)
    scope: dict[str, Any] = dict(vars(inspect.getmodule(value) or builtins)) if isinstance(value, type) else {}
    if isinstance(value, type):
        scope |= {base.__name__: base for base in value.__bases__}
    bound: set[str] = set()
    for function in functions:
        scope |= {k: v for k, v in function.__globals__.items() if k not in vars(builtins) and not k.startswith("__")}
        bound |= _bound(function.__code__)
    for function in functions:
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        enclosed = {name: cell.cell_contents for name, cell in cells if name != "__class__"}
        scope |= enclosed
    return {name: item for name, item in scope.items() if name not in bound and name not in vars(builtins)}


def _bound(code: types.CodeType) -> set[str]:
    """Names local to a function or to one inside it; a name that is both local and global is taken as local."""
    names = set(code.co_varnames) | set(code.co_cellvars)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _bound(constant)
    return names


def _methods(value: type) -> list[types.FunctionType]:
    return [member for member in vars(value).values() if isinstance(member, types.FunctionType)]
