"""What a reader of code cannot follow: code made from text, names computed at run time, other people's objects changed.

Whatever is found anywhere in a notebook is shown to a person; it costs no points by itself.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator

__all__ = ["unreadable_parts"]

Resolve = Callable[[ast.AST], set[str]]

_CALLS = frozenset({"__import__", "compile", "delattr", "eval", "exec", "get_ipython", "globals"})
_VALUES = frozenset({"__builtins__", "getattr", "setattr", "vars", *_CALLS})
"""Built-in names that can be called by another name once they are passed on."""

_ATTRIBUTES = frozenset(
    """__bases__ __builtins__ __closure__ __code__ __defaults__ __dict__ __getattribute__ __globals__ __kwdefaults__
    __loader__ __mro__ __self__ __spec__ __subclasses__ __wrapped__ ast_transformers cr_frame f_back f_builtins
    f_globals f_locals gi_frame input_transformers_cleanup input_transformers_post run_cell set_trace tb_frame
    user_ns""".split()
)
_MODULES = frozenset(
    """_ctypes atexit bdb builtins cPickle cProfile cffi cloudpickle code codeop copyreg ctypes dill gc imp importlib
    inspect joblib linecache marshal multiprocessing pdb pickle pkgutil profile runpy shelve subprocess trace
    tracemalloc zipimport""".split()
)
_NAMES = (
    "IPython",
    "dis",
    "operator.attrgetter",
    "operator.methodcaller",
    "os.exec*",
    "os.fork*",
    "sys._*",
    "sys.meta_path",
    "sys.modules",
    "sys.path_hooks",
    "sys.setprofile",
    "sys.settrace",
    "torch.hub",
    "torch.library",
    "torch.load",
    "torch.overrides",
    "torch.package",
    "torch.utils._python_dispatch",
    "torch.utils.cpp_extension",
    "types.CodeType",
    "types.FunctionType",
    "unittest.mock",
)
_READABLE = frozenset({"IPython.display", "IPython.core.display"})
_KNOWN_MODULES = frozenset(
    """IPython PIL anywidget einops ipywidgets jax matplotlib mpl_toolkits numpy pandas pooch safetensors
    scipy seaborn sklearn sympy torch torchvision tqdm""".split()
)
_SETTINGS = ("torch.backends.", "matplotlib.", "numpy.random.", "warnings.")
"""Attributes of these are there to be assigned."""


_TABLES = ("torch", "sys", "builtins")
"""Dictionaries of these, and of the course's libraries, are not the notebook's own."""


def unreadable_parts(
    nodes: list[ast.AST], resolve: Resolve, defined: frozenset[str], libraries: frozenset[str]
) -> Iterator[str]:
    """What cannot be followed, in words.

    Args:
        nodes: all nodes of a notebook's code.
        resolve: the dotted names that an expression can stand for.
        defined: names that the notebook itself defines.
        libraries: packages of the course.
    """
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        if isinstance(node, ast.Name):
            yield from _name(node, called, defined)
        elif isinstance(node, ast.Attribute):
            yield from _attribute(node, resolve)
        elif isinstance(node, ast.Call):
            yield from _call(node, resolve)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from _import(node, libraries)
        elif isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete, ast.For)):
            yield from _assignment(node, resolve, libraries)


def _name(node: ast.Name, called: set[int], defined: frozenset[str]) -> Iterator[str]:
    if node.id in defined or not isinstance(node.ctx, ast.Load):
        return
    if node.id in _VALUES and (node.id in _CALLS or id(node) not in called):
        yield node.id


def _attribute(node: ast.Attribute, resolve: Resolve) -> Iterator[str]:
    if node.attr in _ATTRIBUTES:
        yield f".{node.attr}"
    for dotted in resolve(node):
        if _is_unreadable(dotted):
            yield dotted


def _is_unreadable(dotted: str) -> bool:
    if dotted.split(".")[0] in _MODULES:
        return True
    if any(dotted == name or dotted.startswith(f"{name}.") for name in _READABLE):
        return False
    for name in _NAMES:
        if dotted == name or dotted.startswith(f"{name}.") or (name.endswith("*") and dotted.startswith(name[:-1])):
            return True
    return False


def _call(node: ast.Call, resolve: Resolve) -> Iterator[str]:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name == "getattr" and not (len(node.args) > 1 and isinstance(node.args[1], ast.Constant)):
        yield "getattr with a computed name"
    # As for an assignment: what the notebook made, or was handed, is there to be changed (a model's new head, say).
    if name == "setattr" and (len(node.args) < 3 or resolve(node.args[0])):
        yield "setattr"
    if name == "vars" and node.args and resolve(node.args[0]):
        yield "vars of a module"
    if isinstance(node.func, ast.Name):
        yield from (dotted for dotted in resolve(node.func) if _is_unreadable(dotted))


def _import(node: ast.Import | ast.ImportFrom, libraries: frozenset[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        modules = [item.name for item in node.names]
    else:
        modules = [node.module or "."]
        for item in node.names:
            if _is_unreadable(f"{node.module}.{item.name}"):
                yield f"import of {node.module}.{item.name}"
    for module in modules:
        top = module.split(".")[0]
        known = top in _KNOWN_MODULES or top in libraries or top in sys.stdlib_module_names
        if top in _MODULES or not known:
            yield f"import of {module}"


def _assignment(
    node: ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete | ast.For,
    resolve: Resolve,
    libraries: frozenset[str],
) -> Iterator[str]:
    """Attributes of what the notebook did not make: a patched function does something else everywhere."""
    targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target]
    for target in targets:
        for part in ast.walk(target):
            if isinstance(part, ast.Attribute) and not isinstance(part.ctx, ast.Load):
                for dotted in resolve(part):
                    if not dotted.startswith(_SETTINGS):
                        yield f"assignment to {dotted}"
            elif isinstance(part, ast.Subscript) and not isinstance(part.ctx, ast.Load):
                for dotted in resolve(part.value):
                    owner, _, rest = dotted.partition(".")
                    if rest and (owner in _TABLES or owner in libraries):
                        yield f"assignment into {dotted}"
