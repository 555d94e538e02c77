"""Files that are there whole or not at all."""

from __future__ import annotations

import ast
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import autograder
from autograder.whole_files import write_over, write_together, write_whole
from tests.support.full_disk import full_disk

_ALLOWED = {
    "releasing/bundle.py": "in a folder beside the bundle, which takes its place as a whole",
    "releasing/colab.py": "in such a folder",
    "releasing/release.py": "in such a folder",
    "sample_class/classroom.py": "made-up submissions of a demonstration, which is made anew as a whole",
    "sample_class/demo.py": "the mark of a demonstration, before anything else is in its folder",
    "submissions/tries.py": "in a folder beside the try, which takes its place as a whole",
    "grading/lock.py": "the lock, which holds nothing that anybody needs later",
    "platforms/feedback_back.py": "an archive beside the one whose place it takes",
    "course_code.py": "an archive in memory",
    "whole_files.py": "this is it",
}
"""Modules that write files by themselves -> why they may."""


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    """Nothing else is left, and its permissions are those that were asked for from the beginning."""
    path = tmp_path / "seed.json"
    write_whole(path, "ä")
    write_whole(path, b"two", mode=0o600)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_files_of_the_users_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    """A disk that is full in the middle of the second leaves both as they were, and nothing beside them."""
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one, other):
        path.write_text("before")
    with full_disk(1), pytest.raises(OSError, match="No space") as caught:
        write_together({one: "after", other: "after"})
    assert caught.value.errno == errno.ENOSPC
    assert [path.read_text() for path in sorted(tmp_path.iterdir())] == ["before", "before"]
    write_together({one: "after", other: "after"})
    assert [path.read_text() for path in sorted(tmp_path.iterdir())] == ["after", "after"]


def test_a_file_of_the_users_stays_what_it_is(tmp_path: Path) -> None:
    """A link stays a link, permissions stay, and a pipe is written to."""
    (tmp_path / "file").write_text("before")
    (tmp_path / "file").chmod(0o664)
    (tmp_path / "link").symlink_to("file")
    write_over(tmp_path / "link", "after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "after"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o664
    write_over(Path(os.devnull), "nothing")
    assert not Path(os.devnull).is_file()


def test_a_file_that_cannot_be_written_is_called_as_the_user_called_it(tmp_path: Path) -> None:
    """Not by the name it has until it is whole, nor by where a link leads: the command line looks for it."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for write in (write_over, write_whole):
        with pytest.raises(FileNotFoundError) as caught:
            write(tmp_path / "link" / "none" / "a.csv", "")
        assert caught.value.filename == str(tmp_path / "link" / "none" / "a.csv")
    with full_disk(0), pytest.raises(OSError, match=re.escape(str(tmp_path / "a.csv"))):
        write_over(tmp_path / "a.csv", "text")


def _writing_calls(path: Path) -> Iterator[int]:
    """Lines of a module that write a file by another way than `whole_files`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        modes = [
            value.value for value in (*node.args, *(k.value for k in node.keywords)) if isinstance(value, ast.Constant)
        ]
        of_nbformat = ast.unparse(node.func) == "nbformat.write"
        opened = name in ("open", "fdopen", "ZipFile") and {"w", "wb", "a", "a+", "x", "xb"} & {
            m for m in modes if isinstance(m, str)
        }
        if name in ("write_text", "write_bytes", "copyfile") or of_nbformat or opened:
            yield node.lineno


def test_nothing_writes_a_file_of_the_course_in_its_place() -> None:
    """A full disk would cut it short.  Who writes elsewhere stands in a list, with the reason."""
    root = Path(autograder.__file__).parent
    found = {path.relative_to(root).as_posix(): list(_writing_calls(path)) for path in sorted(root.rglob("*.py"))}
    writers = {name: lines for name, lines in found.items() if lines and not name.startswith("sandbox/")}
    assert {name: lines for name, lines in writers.items() if name not in _ALLOWED} == {}
    assert set(_ALLOWED) <= set(writers), "a module in the list that writes no file by itself any more"
