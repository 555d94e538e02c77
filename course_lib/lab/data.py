"""Fashion-MNIST: a subset that ships with the course, and the full set where there is a network; and small digits.

The splits never overlap, not even between the subset and the full set: both take training images from the
first 50,000 images of the official training file and validation images from its last 10,000.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import logging
import os
import sys
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from course_lib.lab.idx import read_idx

__all__ = ["CLASSES", "Split", "digits", "fashion_mnist", "fashion_mnist_full"]

Split = Literal["train", "validation", "test"]

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
"""What label 0 to 9 stands for."""

_SPLITS = ("train", "validation", "test")
_SUBSET = "fashion_mnist_subset.npz"
_OFFICIAL_URL = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
_SHA256 = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
# Official training images up to here are for training, the rest for validation.
_TRAINING_PART = 50_000


def fashion_mnist(
    split: Split, limit: int | None = None, label_noise: float = 0.0, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """The embedded subset: 10,000 images for training, 2,000 for validation, 2,000 for testing.

    Args:
        split: which of the three.
        limit: only the first so many images; any multiple of 10 has equally many of each class.
        label_noise: share of the labels that is replaced by a different, random class.
        seed: which labels are replaced and by what.

    Returns:
        images (N, 1, 28, 28), float32 in [0, 1], and labels (N,), int64 in 0..9.
    """
    images, labels = _subset(_checked(split))
    return _as_tensors(images[:limit], labels[:limit], label_noise, seed)


def digits(split: Literal["train", "validation"], limit: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Handwritten digits of 8 x 8 pixels, which ship with scikit-learn: 1,000 for training, 797 for validation.

    They are the test part of "Optical Recognition of Handwritten Digits" (Alpaydin, Kaynak 1998, UCI), in its order.

    Args:
        split: which of the two.
        limit: only the first so many images.

    Returns:
        images (N, 1, 8, 8), float32 in [0, 1], and labels (N,), int64 in 0..9.
    """
    if split not in ("train", "validation"):
        raise ValueError(f"unknown split {split!r}: choose 'train' or 'validation'")
    pixels, labels = _all_digits()
    part = slice(0, 1000) if split == "train" else slice(1000, None)
    x = torch.tensor(pixels[part][:limit], dtype=torch.float32).div_(16).view(-1, 1, 8, 8)
    return x, torch.tensor(labels[part][:limit], dtype=torch.int64)


@functools.cache
def _all_digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Pixels (1797, 64), 0 to 16, and labels (1797,)."""
    spec = importlib.util.find_spec("sklearn")
    file = Path(spec.origin if spec is not None and spec.origin else "").parent / "datasets" / "data" / "digits.csv.gz"
    if file.is_file():  # importing scikit-learn for it would take a second
        table = np.loadtxt(file, delimiter=",")
        return table[:, :-1], table[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    return pixels, labels


def fashion_mnist_full(
    split: Split, url: str | None = None, timeout_s: float = 10.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """The full set: 50,000 images for training, 10,000 for validation, 10,000 for testing.

    The files are downloaded once and checked by their SHA-256.  Where that fails, one line says so and the embedded
    subset is returned.

    Args:
        split: which of the three.
        url: folder to download from; by default the environment variable COURSE_DATA_URL, or else the official one.
        timeout_s: how long to wait for the server to say something, in seconds.

    Returns:
        images (N, 1, 28, 28), float32 in [0, 1], and labels (N,), int64 in 0..9.
    """
    part = "t10k" if _checked(split) == "test" else "train"
    names = (f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz")
    arrays = []
    for name in names:
        try:
            arrays.append(read_idx(_download(name, url or os.environ.get("COURSE_DATA_URL", _OFFICIAL_URL), timeout_s)))
        # requests raises subclasses of OSError; pooch raises ValueError for a wrong hash.
        except (OSError, ValueError) as error:
            images, labels = fashion_mnist(split)
            print(f"Could not get {name} ({_reason(error)}): using the {len(labels):,} embedded images instead.")
            return images, labels
    chosen = (
        slice(_TRAINING_PART, None) if split == "validation" else slice(_TRAINING_PART if split == "train" else None)
    )
    return _as_tensors(arrays[0][chosen], arrays[1][chosen], 0.0, 0)


def _checked(split: str) -> str:
    if split not in _SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(map(repr, _SPLITS))}")
    return split


@functools.cache
def _subset(split: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (N, 28, 28) and labels (N,) as bytes."""
    data = resources.files("course_lib.lab").joinpath("datasets", _SUBSET).read_bytes()
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        with Image.open(io.BytesIO(stored[f"{split}_png"].tobytes())) as picture:
            images = np.asarray(picture)
        return images.reshape(-1, 28, 28), stored[f"{split}_labels"]


def _as_tensors(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], label_noise: float, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    if not 0.0 <= label_noise <= 1.0:
        raise ValueError(f"label_noise is a share between 0 and 1, not {label_noise!r}")
    x = torch.tensor(images).to(torch.float32).div_(255).unsqueeze(1)  # (N, 28, 28) -> (N, 1, 28, 28)
    y = torch.tensor(labels, dtype=torch.int64)
    generator = torch.Generator().manual_seed(seed)
    wrong = torch.randperm(len(y), generator=generator)[: round(label_noise * len(y))]
    # A shift by 1..9 never gives the class back, so the share of wrong labels is exact.
    shift = torch.randint(1, len(CLASSES), (len(wrong),), generator=generator)
    y[wrong] = (y[wrong] + shift) % len(CLASSES)
    return x, y


def _download(name: str, url: str, timeout_s: float) -> Path:
    import pooch  # costs 0.3 s, which only those pay who download
    from tqdm import tqdm

    # pooch reports to stderr, where a notebook shows it as if it were an error.
    pooch.get_logger().setLevel(logging.WARNING)
    cache = os.environ.get("COURSE_DATA_DIR") or pooch.os_cache("course-data")
    # pooch sets the total itself, but asks for the truth value of the bar, which needs one.
    with tqdm(desc=name, total=1, file=sys.stdout, unit="B", unit_scale=True, leave=False) as bar:
        return Path(
            pooch.retrieve(
                url.rstrip("/") + "/" + name,
                f"sha256:{_SHA256[name]}",
                fname=name,
                path=cache,
                downloader=pooch.HTTPDownloader(progressbar=bar, timeout=timeout_s),
            )
        )


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "SHA256 hash" in text:
        return "the file that came is not the official one: wrong SHA-256"
    return f"{type(error).__name__}: {text[:120]}"
