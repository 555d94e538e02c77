"""Downloads are read without trusting them."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.errors import CourseError
from autograder.platforms import uploads
from autograder.platforms.uploads import Uploads, read_uploads
from tests.support.downloads import write_zip


def _reasons(found: Uploads) -> dict[str, str]:
    return {one.name: one.reason for one in found.refused}


def _zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_files_of_a_folder_and_of_zips_in_it_are_found(tmp_path: Path) -> None:
    """With their whole path, zips included; what programs leave behind is not."""
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "a.ipynb").write_bytes(b"1")
    (tmp_path / ".DS_Store").write_bytes(b"2")
    write_zip(
        tmp_path / "bob.zip", {"work/b.ipynb": b"3", "__MACOSX/._b.ipynb": b"4", "inner.zip": _zip_of({"c.txt": b"5"})}
    )
    found = read_uploads(tmp_path)
    assert {file.parts: file.read() for file in found.files} == {
        ("ada", "a.ipynb"): b"1",
        ("bob.zip", "work", "b.ipynb"): b"3",
        ("bob.zip", "inner.zip", "c.txt"): b"5",
    }
    assert not found.refused


@pytest.mark.parametrize(
    "name", ["../evil.ipynb", "/etc/passwd", "a/../../evil", "C:/evil.ipynb", "..\\evil.ipynb", "a\\..\\..\\evil"]
)
def test_no_path_leads_outside(tmp_path: Path, name: str) -> None:
    """Such entries are named and not read; the others are."""
    found = read_uploads(write_zip(tmp_path / "all.zip", {name: b"x", "ada.ipynb": b"y"}))
    assert [file.parts for file in found.files] == [("ada.ipynb",)]
    assert list(_reasons(found).values()) == ["its path leads outside of the zip"]


def test_links_pipes_and_secrets_are_not_followed(tmp_path: Path) -> None:
    """In folders and in zips."""
    outside = tmp_path / "secret.txt"
    outside.write_text("secret")
    root = tmp_path / "in"
    root.mkdir()
    (root / "link.ipynb").symlink_to(outside)
    (root / "folder").symlink_to(tmp_path)
    os.mkfifo(root / "pipe.ipynb")
    entry = zipfile.ZipInfo("linked.ipynb")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(root / "a.zip", "w") as archive:
        archive.writestr(entry, str(outside))
    found = read_uploads(root)
    assert not found.files
    assert set(_reasons(found)) == {"link.ipynb", "folder", "pipe.ipynb", "a.zip/linked.ipynb"}


def test_bombs_are_refused_by_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By ratio, size, depth, count and sum; none of it is unpacked."""
    zeros = _zip_of({"zeros.ipynb": b"\0" * (20 << 20)})
    deep = _zip_of({"a.ipynb": b"1"})
    for _ in range(5):
        deep = _zip_of({"deeper.zip": deep})
    reasons = _reasons(read_uploads(write_zip(tmp_path / "all.zip", {"z.zip": zeros, "d.zip": deep})))
    assert "compressed more than 200 times" in reasons["z.zip/zeros.ipynb"]
    assert any("zip in more than 3 others" in reason for reason in reasons.values())
    monkeypatch.setattr(uploads, "MAX_FILE_BYTES", 10)
    assert (
        "at most 0 MiB are read"
        in _reasons(read_uploads(write_zip(tmp_path / "big.zip", {"a.ipynb": b"1" * 11})))["a.ipynb"]
    )
    monkeypatch.setattr(uploads, "MAX_FILES", 2)
    (tmp_path / "many").mkdir()
    for name in "abc":
        (tmp_path / "many" / name).write_text(name)
    with pytest.raises(CourseError, match="holds more than 2 files"):
        read_uploads(tmp_path / "many")
    monkeypatch.setattr(uploads, "MAX_TOTAL_BYTES", 2)
    with pytest.raises(CourseError, match="holds more than"):
        read_uploads(write_zip(tmp_path / "much.zip", {"a.ipynb": b"12", "b.ipynb": b"34"}))


def test_a_size_that_lies_reads_no_more_than_it_says(tmp_path: Path) -> None:
    """The sum of sizes is what is read at most."""
    path = write_zip(tmp_path / "a.zip", {"a.ipynb": b"x" * 5000})
    data = path.read_bytes()
    lying = data.replace((5000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(lying)
    (file,) = read_uploads(path).files
    assert file.size == 10
    with pytest.raises(OSError, match="cannot be unpacked"):
        file.read()


def test_encrypted_and_damaged_entries_are_named(tmp_path: Path) -> None:
    """What is damaged only when it is read says so then."""
    path = write_zip(tmp_path / "a.zip", {"a.ipynb": b"x" * 500})
    data = bytearray(path.read_bytes())
    data[40] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(OSError, match="cannot be unpacked"):
        read_uploads(path).files[0].read()
    secret = write_zip(tmp_path / "b.zip", {"a.ipynb": b"x"}).read_bytes()
    at = secret.index(b"PK\x01\x02")
    (tmp_path / "b.zip").write_bytes(secret[: at + 8] + b"\x01" + secret[at + 9 :])
    assert _reasons(read_uploads(tmp_path / "b.zip")) == {"a.ipynb": "it is encrypted"}


def test_names_in_utf8_without_the_flag_are_read_as_they_are(tmp_path: Path) -> None:
    """Ruby's zip library, which Canvas uses, writes them so."""
    path = write_zip(tmp_path / "a.zip", {"grönhölm_1_2_a.ipynb": b"x"})
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.index(mark)
        data[start + at + 1] &= ~0x08
    path.write_bytes(data)
    (file,) = read_uploads(path).files
    assert file.parts == ("grönhölm_1_2_a.ipynb",)


def test_what_does_not_exist_is_one_line(tmp_path: Path) -> None:
    """And what is no zip in spite of its name is refused."""
    with pytest.raises(CourseError, match="does not exist"):
        read_uploads(tmp_path / "none.zip")
    (tmp_path / "text.zip").write_text("no zip")
    assert "it is no zip" in _reasons(read_uploads(tmp_path / "text.zip"))["text.zip"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.dictionaries(st.text(min_size=1, max_size=30), st.binary(max_size=50), max_size=6), st.data())
def test_whatever_a_zip_holds_its_paths_stay_inside(
    tmp_path: Path, files: dict[str, bytes], data: st.DataObject
) -> None:
    """Every entry is a file with clean parts, junk, or refused; also after damage anywhere."""
    path = tmp_path / "any.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            try:
                archive.writestr(name.encode("utf-8", "replace").decode(), content)
            except (ValueError, UnicodeError, IndexError):
                continue
    content = bytearray(path.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    for file in read_uploads(path).files:
        assert file.parts
        assert all(part not in ("", ".", "..") and "/" not in part and part.isprintable() for part in file.parts)
        with contextlib.suppress(OSError):
            assert len(file.read()) <= file.size
