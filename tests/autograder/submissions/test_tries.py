"""Every try is kept, whatever happens while it is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.course import Course
from autograder.submissions.tries import Tries

NAME = "01_first"


def _tries(root: Path) -> Tries:
    return Tries(Course(root), NAME, "ada")


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, say: nothing half written lies about, and the same command works afterwards."""
    tries = _tries(tmp_path)
    tries.add({"a.ipynb": b"1"}, ("a",))
    tries.put_in_place(1)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        tries.add({"a.ipynb": b"2"}, ("b",))
    monkeypatch.undo()
    tries.add({"a.ipynb": b"2"}, ("b",))
    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(OSError, match="No space"):
        tries.put_in_place(2)
    monkeypatch.undo()
    assert (tries.place / "a.ipynb").read_bytes() == b"1"
    assert not list(tmp_path.rglob(".*-*"))
    assert tries.put_in_place(2)
    assert not tries.put_in_place(2)


def test_a_folder_without_a_note_is_not_written_over(tmp_path: Path) -> None:
    """It is what a killed `collect` leaves."""
    tries = _tries(tmp_path)
    tries.files(1).mkdir(parents=True)
    (tries.files(1) / "a.ipynb").write_bytes(b"cut off")
    added = tries.add({"a.ipynb": b"again"}, ("a",))
    assert added is not None
    assert added.number == 2
    assert (tries.files(1) / "a.ipynb").read_bytes() == b"cut off"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(["add", "hand", "place"]), st.integers(0, 4)), max_size=10))
def test_no_order_of_events_loses_a_content(tmp_path: Path, events: list[tuple[str, int]]) -> None:
    """What was ever collected, or lay in `submitted/` before a collect, is in some try."""
    shutil.rmtree(tmp_path, ignore_errors=True)
    tries, seen = _tries(tmp_path), set()
    for what, number in events:
        content = str(number).encode()
        if what == "add":
            if (tries.place / "a.ipynb").exists():
                seen.add((tries.place / "a.ipynb").read_bytes())
            tries.add({"a.ipynb": content}, ("a",))
            seen.add(content)
        elif what == "hand":
            tries.place.mkdir(parents=True, exist_ok=True)
            (tries.place / "a.ipynb").write_bytes(content)
        elif tries.all():
            if (tries.place / "a.ipynb").exists():
                seen.add((tries.place / "a.ipynb").read_bytes())
            tries.put_in_place(tries.all()[number % len(tries.all())].number)
    kept = {(tries.files(one.number) / "a.ipynb").read_bytes() for one in tries.all()}
    assert seen <= kept
