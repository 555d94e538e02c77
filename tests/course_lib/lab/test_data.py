"""The embedded Fashion-MNIST subset and the full set behind a network that may fail."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.lab import data, idx

SIZES = {"train": 10_000, "validation": 2_000, "test": 2_000}


@pytest.mark.parametrize(("split", "size"), SIZES.items(), ids=str)
def test_a_split_has_its_size_shape_and_range(split: data.Split, size: int) -> None:
    """Images are float32 in [0, 1] of shape (N, 1, 28, 28), labels int64."""
    images, labels = data.fashion_mnist(split)
    assert images.shape == (size, 1, 28, 28)
    assert images.dtype == torch.float32
    assert (images.min().item(), images.max().item()) == (0.0, 1.0)
    assert labels.dtype == torch.int64


@pytest.mark.parametrize("split", SIZES)
def test_every_limit_that_is_a_multiple_of_ten_is_balanced(split: data.Split) -> None:
    """Each run of ten images holds each class once."""
    _, labels = data.fashion_mnist(split)
    assert torch.equal(labels.view(-1, 10).sort(dim=1).values, torch.arange(10).expand(len(labels) // 10, 10))


def test_no_image_is_in_two_splits_or_twice_in_one() -> None:
    """Training, validation and test images are disjoint."""
    every = torch.cat([data.fashion_mnist(split)[0] for split in data._SPLITS])  # type: ignore[arg-type]
    assert len({image.numpy().tobytes() for image in every}) == sum(SIZES.values())


def test_all_splits_load_in_under_300_ms_of_processor_time() -> None:
    """Opening a notebook does not wait for its data."""
    best = float("inf")
    for _ in range(3):
        data._subset.cache_clear()
        start = time.process_time()
        for split in data._SPLITS:
            data._subset(split)
        best = min(best, time.process_time() - start)
    assert best < 0.3


def test_changing_what_was_returned_does_not_change_the_data() -> None:
    """A notebook that modifies its images in place gets fresh ones from the next call."""
    images, labels = data.fashion_mnist("test", limit=10)
    images.zero_()
    labels.zero_()
    again, labels_again = data.fashion_mnist("test", limit=10)
    assert again.sum() > 0
    assert labels_again.sum() == 45


@pytest.mark.parametrize("noise", [0.0, 0.15, 1.0], ids=str)
def test_label_noise_makes_exactly_that_share_of_labels_wrong(noise: float) -> None:
    """A noisy label is never the true one by chance."""
    _, clean = data.fashion_mnist("train", limit=1000)
    _, noisy = data.fashion_mnist("train", limit=1000, label_noise=noise, seed=3)
    assert (clean != noisy).float().mean().item() == pytest.approx(noise)
    assert noisy.min() >= 0
    assert noisy.max() <= 9


def test_label_noise_depends_on_the_seed_alone() -> None:
    """Equal seeds give equal labels, different seeds different ones."""
    first, again, other = (data.fashion_mnist("train", 500, 0.2, seed)[1] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("training",), "'train', 'validation', 'test'"), (("train", 10, 1.5), "between 0 and 1")],
    ids=["unknown split", "noise above one"],
)
def test_a_wrong_argument_is_named(arguments: tuple[str], words: str) -> None:
    """The message says what was expected."""
    with pytest.raises(ValueError, match=words):
        data.fashion_mnist(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(("split", "size"), [("train", 1000), ("validation", 797)])
def test_digits_ship_with_scikit_learn(split: Literal["train", "validation"], size: int) -> None:
    """Images are float32 in [0, 1] of shape (N, 1, 8, 8), every class is there, and no network is needed."""
    images, labels = data.digits(split)
    assert images.shape == (size, 1, 8, 8)
    assert images.dtype == torch.float32
    assert (images.min().item(), images.max().item()) == (0.0, 1.0)
    assert labels.dtype == torch.int64
    assert labels.bincount(minlength=10).min() > 60
    assert len(data.digits(split, limit=30)[1]) == 30


def test_digits_are_read_without_importing_scikit_learn_and_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is read where it lies; where it is not, scikit-learn is asked."""
    code = "import sys; from course_lib.lab.data import digits; digits('train'); print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    read = data.digits("train")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    data._all_digits.cache_clear()
    try:
        asked = data.digits("train")
    finally:
        data._all_digits.cache_clear()
    assert all(torch.equal(one, other) for one, other in zip(read, asked, strict=True))


def test_digits_have_no_test_split() -> None:
    """The message names the two there are."""
    with pytest.raises(ValueError, match="'train' or 'validation'"):
        data.digits("test")  # type: ignore[arg-type]


def _idx(array: np.ndarray) -> bytes:
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep the request log out of the test's output."""


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder behind a local HTTP server that takes the place of the official one."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    monkeypatch.setenv("COURSE_DATA_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield folder
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def small_set(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Official-looking files of few images on the mirror, with their true hashes."""
    generator = np.random.default_rng(0)
    monkeypatch.setattr(data, "_TRAINING_PART", 7)
    for part, size in (("train", 10), ("t10k", 4)):
        for kind, shape in (("images-idx3", (size, 28, 28)), ("labels-idx1", (size,))):
            name, content = f"{part}-{kind}-ubyte.gz", _idx(generator.integers(0, 10, shape))
            (mirror / name).write_bytes(content)
            monkeypatch.setitem(data._SHA256, name, hashlib.sha256(content).hexdigest())
    return mirror


@pytest.mark.parametrize(("split", "size"), [("train", 7), ("validation", 3), ("test", 4)])
def test_the_full_set_is_downloaded_and_split(small_set: Path, split: data.Split, size: int) -> None:
    """Training and validation share the official training file without overlap."""
    images, labels = data.fashion_mnist_full(split)
    assert images.shape == (size, 1, 28, 28)
    assert labels.shape == (size,)


def test_a_second_call_needs_no_network(small_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was downloaded is kept."""
    first, _ = data.fashion_mnist_full("test")
    for file in small_set.iterdir():
        file.unlink()
    again, _ = data.fashion_mnist_full("test")
    assert torch.equal(first, again)
    assert capsys.readouterr().err == ""


def _falls_back(capsys: pytest.CaptureFixture[str], *words: str) -> None:
    images, labels = data.fashion_mnist_full("test")
    output, errors = capsys.readouterr()
    notes = [line for line in output.replace("\r", "\n").splitlines() if "embedded" in line]
    assert len(labels) == len(images) == SIZES["test"]
    assert len(notes) == 1
    assert all(word in notes[0] for word in words)
    assert errors == ""


def test_a_file_with_a_wrong_hash_is_refused(small_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed file is not used; one line names it, the embedded images take its place."""
    (small_set / "t10k-images-idx3-ubyte.gz").write_bytes(_idx(np.zeros((4, 28, 28))))
    _falls_back(capsys, "t10k-images-idx3-ubyte.gz", "SHA-256", "2,000")


def test_a_missing_file_falls_back(mirror: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A server without the file is reported by name and status."""
    _falls_back(capsys, "t10k-images-idx3-ubyte.gz", "404")


def test_no_network_falls_back(
    mirror: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that does not answer is reported; nothing is raised."""
    monkeypatch.setenv("COURSE_DATA_URL", "http://127.0.0.1:9")
    _falls_back(capsys, "t10k-images-idx3-ubyte.gz", "ConnectionError")


def test_an_unusable_cache_folder_falls_back(
    small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cache that cannot be written is a reason like any other."""
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "file"))
    _falls_back(capsys, "t10k-images-idx3-ubyte.gz")


@given(content=st.binary(max_size=200), compress=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_damaged_idx_file_is_a_value_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, compress: bool
) -> None:
    """Reading anything but an IDX file fails in the one documented way."""
    path = tmp_path_factory.getbasetemp() / "damaged.gz"
    path.write_bytes(gzip.compress(content) if compress else content)
    outcome = ""
    try:
        idx.read_idx(path)
    except ValueError as error:
        outcome = str(error)
    # 3 bytes of a valid header and an empty body are a readable file, everything else names the file.
    assert "damaged.gz" in outcome or (compress and content.startswith(b"\0\0\x08"))
