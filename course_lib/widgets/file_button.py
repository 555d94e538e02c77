"""A button for a file of the student's own, and the kernel's answer to it.

File and answer travel as messages, not as traits: neither becomes part of the saved notebook, or of what is handed in.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anywidget
import traitlets

__all__ = ["Answer", "FileButton", "show_file_button"]

_STATIC = Path(__file__).parent / "static"

# Without a kernel the empty place of the widget hides; what stands above it stays.
_STYLE = """<style>
.jp-OutputArea-child:has(.course-file-before) + .jp-OutputArea-child:not(:has(.course-file, [data-mime-type]))
{ display: none; }
</style>"""


@dataclass(frozen=True)
class Answer:
    """What is shown for a file.

    Attributes:
        html: what is shown; everything that comes from the file is escaped.
        said: the same in a sentence, for screen readers.
    """

    html: str
    said: str


class FileButton(anywidget.AnyWidget):
    """A live button.

    Attributes:
        design: its label, note, kinds of files and largest size.
    """

    _esm = "".join((_STATIC / f"{name}.js").read_text("utf-8") for name in ("listen", "file_button"))
    _css = (_STATIC / "file_button.css").read_text("utf-8")

    design = traitlets.Dict().tag(sync=True)

    def __init__(self, label: str, note: str, accept: str, most: int, answer: Callable[[bytes], Answer]) -> None:
        """A button whose files `answer` is asked about.

        Args:
            label: of the button.
            note: a sentence below it.
            accept: kinds of files that the browser offers.
            most: bytes of a file; a larger one does not leave the browser.
            answer: bytes of a file to what is shown; a ValueError holds one line for the student.
        """
        self._answer, self._most = answer, most
        name = f"course-file-{uuid.uuid4().hex}"
        design = {"id": name, "label": label, "note": note, "accept": accept, "most": most}
        super().__init__(model_id=name, design=design, layout={"width": "100%"})
        self.on_msg(self._received)

    def _received(self, _: Any, content: Any, buffers: Sequence[Any]) -> None:
        kept = {key: content.get(key) for key in ("view", "turn")} if isinstance(content, dict) else {}
        self.send({**kept, **self._reply(buffers)})

    def _reply(self, buffers: Sequence[Any]) -> dict[str, str]:
        data = bytes(buffers[0]) if len(buffers) == 1 else b""
        try:
            if len(data) > self._most:
                raise ValueError(f"The file has more than {self._most / 1e6:.0f} MB.")
            found = self._answer(data)
        except ValueError as problem:
            return {"error": str(problem)}
        except Exception as problem:  # in a callback nobody would see it: the page shows it instead
            return {"error": f"This could not be shown. {type(problem).__name__}: {problem}"}
        return {"html": found.html, "said": found.said}


def show_file_button(button: FileButton, before: str) -> None:
    """Show the button below what stays: a saved, reopened or exported notebook has no kernel behind the live one.

    Args:
        button: the live one.
        before: HTML that is shown in any case.
    """
    from IPython.display import HTML, display

    display(HTML(f'{_STYLE}<div class="course-file-before">{before}</div>'))
    display(button)
