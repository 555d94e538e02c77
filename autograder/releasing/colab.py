"""The notebooks for Google Colab: those of the bundle, each with a first cell that fetches the bundle's archive.

The archive lies at an address that the instructor chooses, or students upload it.  Colab opens notebooks from GitHub by
a link; so where the address is a file in a GitHub repository, there are such links, to notebooks beside that file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from autograder.errors import CourseError
from autograder.whole_files import write_over

__all__ = ["CELL", "ColabDoor", "keep_address", "valid_address"]

CELL = "colab-set-up"
"""Id of the first cell."""

_TEMPLATE = Path(__file__).parent / "templates" / "colab_cell.py.txt"
_ON_GITHUB = re.compile(
    r"https://(?:raw\.githubusercontent\.com/([^/]+/[^/]+)/(?:refs/heads/)?([^/]+)"
    r"|github\.com/([^/]+/[^/]+)/(?:raw|blob)/(?:refs/heads/)?([^/]+))(/.*)?/[^/]+"
)
_BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
_SETTING = re.compile(r"^c\.Autograder\.colab *=.*$", re.MULTILINE)


@dataclass(frozen=True)
class ColabDoor:
    """How students get into Colab.

    Attributes:
        address: where the bundle's archive can be fetched; empty if students upload it.
        archive: the archive's name.
        folder: the name of the folder with the notebooks for Colab.
        libraries: folders of the archive that a notebook imports.
    """

    address: str
    archive: str
    folder: str
    libraries: Sequence[str]

    def write(self, place: Path, bundle: Path, assignments: Sequence[str]) -> None:
        """Fill a folder with the notebooks of a bundle, and a page of links.

        Args:
            place: an empty folder.
            bundle: folder of the bundle.
            assignments: names of its folders with notebooks.
        """
        place.mkdir(parents=True, exist_ok=True)
        for path in _notebooks(bundle, assignments):
            notebook = json.loads((bundle / path).read_text("utf-8"))
            notebook["cells"].insert(0, self._cell(path.parts[0]))
            notebook["metadata"]["colab"] = {"provenance": []}
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")
        (place / "README.md").write_text(self._page(bundle, assignments), "utf-8")

    def links(self, bundle: Path, assignments: Sequence[str]) -> str:
        """A line of Markdown for each notebook: its name, and a badge where Colab can open it."""
        lines = []
        for path in _notebooks(bundle, assignments):
            link = self._link(path)
            badge = f" [![Open {path.stem} in Colab]({_BADGE})]({link})" if link else ""
            lines.append(f"- `{path.as_posix()}`{badge}")
        return "\n".join(lines)

    def steps(self) -> str:
        """How a student begins, as Markdown."""
        if self._link(Path("x")):
            begin = "Follow a link"
        else:
            begin = (
                f"In [Colab](https://colab.research.google.com), *File, Upload notebook*, take one from `{self.folder}`"
            )
        fetch = "" if self.address else f" It asks for the file `{self.archive}`."
        return (
            f"{begin}, and run the first cell, again on each new machine.{fetch}\n"
            "Save with *File, Save a copy in Drive*; to hand in, *File, Download, Download .ipynb*.\n"
        )

    def _cell(self, assignment: str) -> dict[str, object]:
        source = _TEMPLATE.read_text("utf-8").format(
            address=json.dumps(self.address),
            answers=json.dumps(f"course_lib/answers/{assignment}.safetensors"),
            pattern=json.dumps(f"{Path(self.archive).stem}*.zip"),
            name=self.archive,
            libraries=tuple((name,) for name in self.libraries),
        )
        # The tag keeps the cell from being run when grading; Colab shows a form instead of the code.
        metadata = {"id": CELL, "cellView": "form", "tags": ["experiment"]}
        return {
            "cell_type": "code",
            "id": CELL,
            "metadata": metadata,
            "execution_count": None,
            "outputs": [],
            "source": source.rstrip("\n").splitlines(keepends=True),
        }

    def _page(self, bundle: Path, assignments: Sequence[str]) -> str:
        return f"# In Google Colab\n\n{self.links(bundle, assignments)}\n\n{self.steps()}"

    def _link(self, path: Path) -> str:
        """Where Colab opens a notebook from GitHub; empty where the archive lies elsewhere."""
        found = _ON_GITHUB.fullmatch(self.address)
        if found is None:
            return ""
        repository, branch = found[1] or found[3], found[2] or found[4]
        there = quote(f"{found[5] or ''}/{self.folder}/{path.as_posix()}")
        return f"https://colab.research.google.com/github/{repository}/blob/{branch}{there}"


def _notebooks(bundle: Path, assignments: Sequence[str]) -> list[Path]:
    return [path.relative_to(bundle) for name in assignments for path in sorted((bundle / name).glob("*.ipynb"))]


def valid_address(text: str) -> str:
    """An address that students' notebooks can fetch; GitHub's page of a file becomes the file.

    Raises:
        CourseError: for anything but an http address.
    """
    text = text.strip()
    try:
        parts = urlsplit(text)
        is_sound = parts.scheme in ("http", "https") and bool(parts.hostname) and text.isprintable() and " " not in text
    except ValueError:
        is_sound = False
    if not is_sound:
        raise CourseError(
            f"expected the address at which students can fetch the archive, got {text[:200]!r}",
            "for example --colab https://example.edu/course/bundle.zip",
        )
    return re.sub(r"^(https://github\.com/[^/]+/[^/]+)/blob/", r"\1/raw/", text)


def keep_address(config: Path, address: str) -> None:
    """Write the address into `nbgrader_config.py`, in the place of an older one."""
    text = config.read_text("utf-8")
    line = f"c.Autograder.colab = {json.dumps(address)}"
    if _SETTING.search(text):
        text = _SETTING.sub(lambda _: line, text, count=1)
    else:
        comment = "# Where students' notebooks in Google Colab fetch the bundle's archive; empty: they upload it."
        text = f"{text.rstrip()}\n\n{comment}\n{line}\n"
    write_over(config, text)
