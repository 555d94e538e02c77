"""What code does to the machine that watches and asks it.  Found by reading, never by running; it costs no points.

Forbidden operations are found where they run (`course_lib.checking.watch`).  This reader names, for a person to look
at, what could blind that watch or change what answers: hooks and frames, private parts of PyTorch, code made from text,
attributes of things that the notebook did not make, processes and threads.  It does not follow values: a name stands
for a module if it was imported, or plainly assigned from one.  So the time it takes grows as the code does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from autograder.reading.code_cells import SHORT, STRANGE_LINES, bound_at_top_level, children, read_code, walk

__all__ = ["SourceReader"]

MAX_CHARACTERS = 200_000
"""Of all cells together, about ten times those of a long notebook."""
_TOO_MUCH = "the notebook has too much code"
_MAX_FINDINGS = 20
_MAX_PARTS = 12
_MAX_NESTING = 3

_PARTS = frozenset(
    """__bases__ __builtins__ __closure__ __code__ __globals__ __subclasses__ _current_frames _getframe
    _python_dispatch ag_frame ast_transformers cr_frame currentframe f_back f_builtins f_globals f_locals get_field
    get_objects get_referents get_referrers getouterframes getprofile gettrace gi_frame input_transformers_cleanup
    input_transformers_post run_cell run_code setprofile settrace tb_frame unwatched user_global_ns user_ns""".split()
)
"""Names that are found wherever they stand: as an attribute, imported, or in a pattern."""
_IN_TEXTS = frozenset({"__import__", *(name for name in _PARTS if name.startswith("__") or name.startswith("f_"))})
"""Names that are found in texts too: some functions of libraries make code, or look up names, from a text."""
_MACHINERY_IN_TEXTS = re.compile(r"\binside\.[a-z]|\bcourse_lib\.checking\.[a-z]")
_MODULES = frozenset(
    """IPython.core.interactiveshell IPython.core.magic _ctypes _lsprof _thread atexit bdb builtins cProfile cffi
    cloudpickle code codeop concurrent.futures course_lib.checking.values
    course_lib.checking.verdict course_lib.checking.watch ctypes dill faulthandler imp importlib._bootstrap
    importlib.machinery inside logging.config marshal multiprocessing pdb pkgutil profile pydoc runpy signal socket
    subprocess threading torch._C torch._dynamo torch._functorch torch.jit torch.library torch.overrides torch.package
    unittest.mock zipimport""".split()
)
_NAMES = frozenset(
    """importlib.util.module_from_spec importlib.util.spec_from_file_location inspect.stack inspect.trace os._exit
    os.abort os.dup os.dup2 os.fdopen os.fork os.forkpty os.kill os.killpg os.posix_spawn os.write
    pickle.Unpickler pickle.loads string.Formatter
    sys.meta_path sys.modules sys.path_hooks torch._C torch._functorch torch.overrides types.CodeType
    types.FunctionType typing.ForwardRef typing.get_type_hints""".split()
)
"""Found through other modules too: ``warnings.sys.modules``."""
_BY_TEXT = frozenset({"importlib.import_module", "operator.attrgetter", "operator.methodcaller"})
_CODE = frozenset({"__import__", "compile", "eval", "exec"})
_CHANGES = frozenset({"__delattr__", "__setattr__", "delattr", "setattr"})
_AS_NAMES = _PARTS | _CODE | _CHANGES
_BINDS = frozenset({ast.Import, ast.ImportFrom, ast.For, ast.NamedExpr, ast.AnnAssign, ast.Assign})
"""Statements and expressions that can bind a name to a module."""
_MAGICS_BY_NAME = frozenset({"magic", "run_cell_magic", "run_line_magic"})
_SETTINGS = tuple(
    "PIL. matplotlib. numpy.random. pandas. plotly. seaborn. ssl. sys.path torch.backends. warnings.".split()
)
"""Attributes of these are there to be assigned."""

_Found = Iterator[tuple[int, str]]
_Own = frozenset[str]
_Known = frozenset[tuple[str, str]]


class SourceReader:
    """All code cells of one notebook, each parsed once.

    Args:
        sources: the cells.
        names: what to call them in `findings`; numbers from 1 by default.

    Attributes:
        refused: position of a cell that is too much to be read -> why.  It must not be run.
        defined: all names that are defined at the top level.
        findings: what a person should look at, each with its place: ``"cell 7, line 3: sys.setprofile"``.
    """

    def __init__(self, sources: Sequence[str], names: Sequence[str] = ()) -> None:
        self.refused: dict[int, str] = {}
        cells: list[tuple[str, str, tuple[ast.stmt, ...]]] = []
        found: list[str] = []
        left = MAX_CHARACTERS
        for position, source in enumerate(sources):
            left -= len(source)
            code = read_code(source) if left >= 0 else None
            if code is None or code.refused:
                self.refused[position] = code.refused if code else _TOO_MUCH
                continue
            cell = f"cell {names[position] if names else position + 1}"
            cells.append((cell, source, code.body))
            found += [f"{cell}, line {line}: {magic}" for line, magic in code.magics]
        self.defined = tuple(dict.fromkeys(name for _, _, body in cells for name in bound_at_top_level(body)))
        known: _Known = frozenset()
        for _, source, _ in cells:
            known = _known_after(source, known)
        for cell, source, _ in cells:
            found += [f"{cell}, line {line}: {what}" for line, what in _found_in(source, known)]
        self.findings = tuple(dict.fromkeys(found))[:_MAX_FINDINGS]

    def defines(self, name: str) -> bool:
        """Whether some cell defines the name at its top level."""
        return name in self.defined


# Most of a notebook's cells, and what is known when one comes to them, are the same in all of a class.


def _known_after(source: str, known: _Known) -> _Known:
    """Names that stand for modules, and for what is in these, behind a cell."""
    remembered = len(source) <= SHORT
    return _known_after_short(source, known) if remembered else _known_after_short.__wrapped__(source, known)


@lru_cache(maxsize=1024)
def _known_after_short(source: str, known: _Known) -> _Known:
    return frozenset(_Tampering(read_code(source).body, dict(known)).foreign.items())


def _found_in(source: str, known: _Known) -> tuple[tuple[int, str], ...]:
    """Line and name of everything that is found in a cell."""
    remembered = len(source) <= SHORT
    return _found_in_short(source, known) if remembered else _found_in_short.__wrapped__(source, known)


@lru_cache(maxsize=1024)
def _found_in_short(source: str, known: _Known) -> tuple[tuple[int, str], ...]:
    return tuple(_Tampering((), dict(known)).in_code(read_code(source).body))


class _Tampering:
    """Finds what reaches into the machine.

    Args:
        body: statements; what they import is known in all of them.
        known: names that stand for modules, and for what is in these, besides.
    """

    def __init__(self, body: Iterable[ast.stmt], known: Mapping[str, str] | None = None, nesting: int = 0) -> None:
        self.foreign = dict(known or {})
        self._nesting = nesting
        for node in walk(*body):
            if type(node) in _BINDS:
                for name, dotted in self._bound(node):
                    self.foreign.setdefault(name, dotted)

    def in_code(self, body: Iterable[ast.stmt]) -> _Found:
        """Line and name of everything that is found."""
        only_asked, called = set[int](), set[int]()
        for node, own in _scoped(body):
            if isinstance(node, ast.Name):
                if node.id in _AS_NAMES and (node.id in _PARTS or id(node) not in called):
                    yield node.lineno, node.id
            elif isinstance(node, ast.Attribute):
                if id(node) not in only_asked:
                    yield from ((node.lineno, what) for what in self._attribute(node, own))
            elif isinstance(node, ast.Call):
                called.add(id(node.func))
                yield from self._call(node, own)
            elif isinstance(node, ast.Constant):
                if isinstance(node.value, str):
                    yield from ((node.lineno, f"a text with {name}") for name in _named_in(node.value))
            elif isinstance(node, ast.Compare):  # ``"google.colab" in sys.modules``
                only_asked.update(map(id, node.comparators))
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                yield from ((node.lineno, name) for name in _imported_names(node) if _is_machinery(name, whole=False))
            elif isinstance(node, ast.MatchClass):
                yield from ((node.lineno, name) for name in node.kwd_attrs if name in _PARTS)

    def _attribute(self, node: ast.Attribute, own: _Own) -> Iterator[str]:
        dotted = self._dotted(node, own)
        if node.attr in _PARTS:
            yield dotted or f".{node.attr}"
        elif dotted and (node.attr == "__dict__" or _is_machinery(dotted)):
            yield dotted
        elif not isinstance(node.ctx, ast.Load):
            owner = self._owner(node, own)
            if owner and not owner.startswith(_SETTINGS):
                yield f"assignment to {owner}"

    def _call(self, node: ast.Call, own: _Own) -> _Found:
        function = node.func
        name = function.id if isinstance(function, ast.Name) else ""
        texts = [part.value if isinstance(part, ast.Constant) else None for part in node.args[:2]]
        first = self._owner(node.args[0], own) if node.args else ""
        if name in _CODE:
            yield from self._text(node, name, texts[0] if texts else None)
        elif name == "getattr" and len(texts) == 2 and first:
            if not isinstance(texts[1], str):
                yield node.lineno, f"getattr of {first} with a computed name"
            elif texts[1] in _PARTS or _is_machinery(f"{first}.{texts[1]}"):
                yield node.lineno, f"{first}.{texts[1]}"
        elif name == "getattr" and len(texts) == 2 and texts[1] in _PARTS:
            yield node.lineno, f".{texts[1]}"
        elif name == "vars" and first:
            yield node.lineno, f"vars of {first}"
        elif getattr(function, "attr", "") in _MAGICS_BY_NAME:
            magic = texts[0] if texts and isinstance(texts[0], str) else ""
            if not magic or magic in STRANGE_LINES:
                yield node.lineno, f"%{magic or '…'} called as a function"
        elif (name or getattr(function, "attr", "")) in _CHANGES:
            if first or any(isinstance(part, ast.Starred) for part in node.args):
                yield node.lineno, f"{ast.unparse(function)} on {first or 'anything'}"
        elif (dotted := self._dotted(function, own)) in _BY_TEXT:
            text = texts[0] if texts and isinstance(texts[0], str) else ""
            if not text or _is_machinery(text, whole=False):
                yield node.lineno, f"{dotted} of {text or 'a computed name'}"

    def _text(self, node: ast.Call, name: str, text: object) -> _Found:
        """Code, or a module's name, that is given as text."""
        code = read_code(f"import {text}" if name == "__import__" else text) if isinstance(text, str) else None
        if code is None or code.refused or self._nesting >= _MAX_NESTING:
            yield node.lineno, f"{name} of a computed text"
        else:
            inner = _Tampering(code.body, self.foreign, self._nesting + 1)
            yield from ((node.lineno, what) for _, what in inner.in_code(code.body))

    def _bound(self, node: ast.AST) -> Iterator[tuple[str, str]]:
        """Names that a statement binds to modules, or to what is in modules."""
        if isinstance(node, ast.Import):
            for item in node.names:
                root = item.name.split(".")[0]
                yield item.asname or root, item.name if item.asname else root
        elif isinstance(node, ast.ImportFrom):
            yield from ((item.asname or item.name, f"{node.module}.{item.name}") for item in node.names)
        for target, value in _assigned(node):
            dotted = self._module_called(value) or self._dotted(value, frozenset()) or _class_of(value)
            if isinstance(target, ast.Name) and dotted:
                yield target.id, dotted

    def _module_called(self, node: ast.AST | None) -> str:
        """The module that ``__import__("name")`` or ``importlib.import_module("name")`` gives."""
        if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
            return ""
        by_name = isinstance(node.func, ast.Name) and node.func.id == "__import__"
        by_name = by_name or self._dotted(node.func, frozenset()) == "importlib.import_module"
        return str(node.args[0].value) if by_name else ""

    def _dotted(self, node: ast.AST | None, own: _Own) -> str:
        """What an expression stands for, if its first name is a module's: ``torch.sum``."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute) and len(parts) < _MAX_PARTS:
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in own or node.id not in self.foreign:
            return ""
        root, *rest = [*self.foreign[node.id].split("."), *reversed(parts)]
        return ".".join([root, *rest[-_MAX_PARTS:]])

    def _owner(self, node: ast.AST, own: _Own) -> str:
        """The same for ``torch.table[0].entry``, and for the class of anything."""
        parts: list[str] = []
        inner = node
        while isinstance(inner, (ast.Attribute, ast.Subscript)) and len(parts) < _MAX_PARTS:
            parts.append(inner.attr if isinstance(inner, ast.Attribute) else "[]")
            inner = inner.value
        is_type = isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id == "type"
        if "__class__" in parts[1:] or (is_type and (parts or inner is node)):
            return "a class"
        return ".".join([dotted, *reversed(parts)]) if (dotted := self._dotted(inner, own)) else ""


def _class_of(node: ast.AST | None) -> str:
    """Whatever gives the class of something stands for a class that the notebook may not have made."""
    is_type = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "type"
    if is_type or (isinstance(node, ast.Attribute) and node.attr == "__class__"):
        return "a class"
    return ""


def _named_in(text: str) -> list[str]:
    """The parts of the machine that a text names."""
    found = sorted(set(re.findall(r"\w+", text)) & _IN_TEXTS) if "_" in text else []
    return [*found, *(match.group() + "…" for match in list(_MACHINERY_IN_TEXTS.finditer(text))[:3])]


def _assigned(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """Targets and what becomes theirs; of a loop over a list with each part of the list."""
    if isinstance(node, ast.For) and isinstance(node.iter, (ast.Tuple, ast.List)):
        yield from ((node.target, part) for part in node.iter.elts)
    elif isinstance(node, (ast.NamedExpr, ast.AnnAssign)):
        yield node.target, node.value
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, (ast.Tuple, ast.List)) and isinstance(node.value, (ast.Tuple, ast.List)):
                yield from zip(target.elts, node.value.elts, strict=False)
            else:
                yield target, node.value


def _imported_names(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (item.name for item in node.names)
    else:
        yield from (f"{node.module or '.'}.{item.name}" for item in node.names)


def _is_machinery(dotted: str, whole: bool = True) -> bool:
    """Whether a dotted name, or with `whole` off something above it, is a part of the machine."""
    parts = dotted.split(".")[-_MAX_PARTS:]
    if parts[-1] in _PARTS or (parts[-1] == "drivers" and len(parts) > 1):
        return True
    if dotted in _MODULES or any(".".join(parts[n:]) in _NAMES for n in range(len(parts))):
        return True
    if parts[0] == "os" and parts[-1].startswith(("exec", "spawn")):
        return True
    return not whole and any(".".join(parts[:n]) in _MODULES for n in range(1, len(parts)))


def _scoped(body: Iterable[ast.stmt]) -> Iterator[tuple[ast.AST, _Own]]:
    """All nodes in the order of the source, each with the names of parameters that hide a module's name there."""
    todo: list[tuple[ast.AST, _Own]] = []
    todo += [(node, frozenset[str]()) for node in body][::-1]
    while todo:
        node, own = todo.pop()
        yield node, own
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            own |= {part.arg for part in ast.walk(node.args) if isinstance(part, ast.arg)}
        todo += [(child, own) for child in children(node)]
