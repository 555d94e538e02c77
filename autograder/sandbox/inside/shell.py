"""An IPython shell without a kernel that keeps what a cell prints and shows, up to a cap."""

from __future__ import annotations

import ast
import base64
import io
import sys
import traceback
import warnings
from collections.abc import Callable, Coroutine, Mapping
from types import CodeType, TracebackType
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from .exhaustion import limit_reached

__all__ = ["CapturingShell"]

_SHOWN = ("text/plain", "image/png")
_MAY_AWAIT = ("await", "async")
_TOLD_OF_CELLS = ("IPython.", "matplotlib.", "matplotlib_inline.")


class _Stream(io.TextIOBase):
    """A text stream that hands what is written to a function."""

    def __init__(self, name: str, write: Callable[[str, str], None]) -> None:
        self._name = name
        self._write = write

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._write(self._name, str(text))
        return len(text)


Keeper = Callable[[dict[str, Any]], None]


class _Publisher(DisplayPublisher):
    keep: Keeper

    def publish(self, data: Any, metadata: Any = None, **_: Any) -> None:  # type: ignore[override]
        self.keep({"output_type": "display_data", "data": _shown(data)})

    def clear_output(self, wait: bool = False) -> None:
        """Nothing to clear: outputs are kept in order."""


class _Hook(DisplayHook):
    keep: Keeper

    def __call__(self, result: Any = None) -> None:
        if result is not None:
            data, _ = self.compute_format_data(result)  # type: ignore[no-untyped-call]
            self.update_user_ns(result)  # type: ignore[no-untyped-call]
            self.keep({"output_type": "execute_result", "data": _shown(data)})


class _Shell(InteractiveShell):
    """IPython's own tracebacks take 0.3 s each, and more memory than a cell that used it all up has left."""

    keep_error: Callable[[Any], None]

    def transform_cell(self, raw_cell: str) -> str:
        """What is Python as it stands stays so: lines keep their numbers, and the compiler warns once."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse(raw_cell)
        except Exception:
            return str(super().transform_cell(raw_cell))  # type: ignore[no-untyped-call]
        return raw_cell if raw_cell.endswith("\n") else raw_cell + "\n"

    def should_run_async(self, raw_cell: str, **settings: Any) -> bool:
        """Only what holds one of these words can await something; IPython compiles, and warns, to find out."""
        found = any(word in raw_cell for word in _MAY_AWAIT)
        return found and bool(super().should_run_async(raw_cell, **settings))

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> Any:
        """All magics but those that empty the namespace: what the cells above defined is still to be graded."""
        if magic_name in ("reset", "reset_selective"):
            print(f"(%{magic_name} is left out when grading)")
            return None
        return super().run_line_magic(magic_name, line, _stack_depth + 1)

    def enable_gui(self, gui: Any = None) -> None:
        """`%matplotlib inline` asks for it; there is none."""

    def showtraceback(self, exc_tuple: Any = None, *_: Any, **__: Any) -> None:
        self.keep_error(exc_tuple or sys.exc_info())

    def showsyntaxerror(self, *_: Any, **__: Any) -> None:
        self.keep_error(sys.exc_info())


def _shown(data: dict[str, Any]) -> dict[str, str]:
    """The representations that are kept: text and pixels, nothing that a browser would run."""
    shown = {}
    for kind in _SHOWN:
        value = data.get(kind)
        if isinstance(value, bytes):
            shown[kind] = base64.b64encode(value).decode()
        elif isinstance(value, str):
            shown[kind] = value
    return shown


def _in_cells(trace: TracebackType | None) -> TracebackType | None:
    """A traceback from the student's first frame on, without the shell's own."""
    while trace is not None and "IPython" in trace.tb_frame.f_code.co_filename:
        trace = trace.tb_next
    return trace


def _finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine that awaits nothing returns."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("the code of the cell waits for something")


class CapturingShell:
    """Runs cells one after the other in one namespace; built once in the warm parent, used in its children."""

    def __init__(self) -> None:
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "nocolor"
        config.InteractiveShell.separate_in = ""
        self._shell = _Shell.instance(config=config, display_pub_class=_Publisher, displayhook_class=_Hook)
        self._shell.keep_error = self._keep_error
        for part in (self._shell.display_pub, self._shell.displayhook):
            assert isinstance(part, _Publisher | _Hook)
            part.keep = self._keep
        self._cleaners = len(self._shell.input_transformers_cleanup)
        self._outputs: list[dict[str, Any]] = []
        self._room = 0
        self._cut = False
        self._limits: Mapping[str, float] | None = None

    @property
    def namespace(self) -> dict[str, Any]:
        """The names that the cells have defined."""
        names: dict[str, Any] = self._shell.user_ns
        return names

    def run(
        self, source: str, cap_bytes: int, limits: Mapping[str, float] | None = None
    ) -> tuple[bool, list[dict[str, Any]]]:
        """Run a cell.

        Args:
            limits: named in the output if the cell reaches one.

        Returns:
            whether it ran without an exception, and its outputs in nbformat's shape, capped.
        """
        self._outputs, self._room, self._cut, self._limits = [], cap_bytes, False, limits
        streams = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Stream("stdout", self._print), _Stream("stderr", self._print)
        try:
            good = self._run(source)
            self._shell.events.trigger("post_execute")  # the inline backend shows its figures here
        finally:
            sys.stdout, sys.stderr = streams
        return good, self._outputs

    def _run(self, source: str) -> bool:
        """Run a cell; a plain one without what IPython does for magics, coroutines and histories: half of its time."""
        shell: Any = self._shell
        codes = self._compiled(source)
        if codes is None:
            return bool(shell.run_cell(source, store_history=False).success)
        shell.events.trigger("pre_execute")
        with shell.builtin_trap, shell.display_trap:
            return not any(_finished(shell.run_code(code)) for code in codes)

    def _compiled(self, source: str) -> list[CodeType] | None:
        """A plain cell's code, the last expression by itself, for it is shown; None for all that IPython has to see.

        That is what is no Python, what may await something, what the compiler warns of, and everything once a cell has
        asked to be told of cells or to change them.
        """
        shell: Any = self._shell
        if any(word in source for word in _MAY_AWAIT) or self._is_altered():
            return None
        text = source if source.endswith("\n") else source + "\n"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                name = shell.compile.cache(text, shell.execution_count, raw_code=source)
                statements = shell.compile.ast_parse(text, filename=name).body
                shown = [statements.pop()] if statements and isinstance(statements[-1], ast.Expr) else []
                parts: list[tuple[ast.AST, str]] = [(ast.Module(statements, []), "exec")] * bool(statements)
                parts += [(ast.Interactive(shown), "single")] * bool(shown)
                return [shell.compile(part, name, kind) for part, kind in parts]
        except Exception:
            return None

    def _is_altered(self) -> bool:
        """Whether a cell has changed how cells are run."""
        shell = self._shell
        told = (listener for listeners in shell.events.callbacks.values() for listener in listeners)
        return (
            bool(shell.ast_transformers or shell.input_transformers_post)
            or len(shell.input_transformers_cleanup) != self._cleaners
            or not all(listener.__module__.startswith(_TOLD_OF_CELLS) for listener in told)
        )

    def _print(self, name: str, text: str) -> None:
        last = self._outputs[-1] if self._outputs else None
        text = self._within_cap(text)
        if not text:
            return
        if last is not None and last.get("name") == name:
            last["text"] += text
        else:
            self._outputs.append({"output_type": "stream", "name": name, "text": text})

    def _keep(self, output: dict[str, Any]) -> None:
        size = sum(len(value) for value in output["data"].values())
        if size <= self._room and len(self._outputs) < 200:
            self._room -= size
            self._outputs.append(output)

    def _keep_error(self, error_info: tuple[type[BaseException], BaseException, TracebackType | None]) -> None:
        kind, value, trace = error_info
        lines = traceback.format_exception(kind, value, _in_cells(trace), limit=-20)
        text = str(value)[:2000]
        reached = limit_reached(kind.__name__, text, self._limits) if self._limits is not None else ""
        if reached:
            text = f"{text} [{reached}]" if text else reached
            lines.append(f"[{reached}]")
        error = {
            "output_type": "error",
            "ename": kind.__name__,
            "evalue": text,
            "traceback": [self._within_cap(line.rstrip()[:10_000]) for line in lines],
        }
        self._outputs.append(error)

    def _within_cap(self, text: str) -> str:
        if len(text) <= self._room:
            self._room -= len(text)
            return text
        kept, self._room = text[: self._room], 0
        if self._cut or len(self._outputs) >= 200:
            return ""
        self._cut = True
        return kept + "\n[output cut here: the limit is reached]\n"
