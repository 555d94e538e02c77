"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

from autograder.whole_files import write_whole


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    """Nothing else is left, and its permissions are those that were asked for from the beginning."""
    path = tmp_path / "seed.json"
    write_whole(path, "ä")
    write_whole(path, b"two", mode=0o600)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
