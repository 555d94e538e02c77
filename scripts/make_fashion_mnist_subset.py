"""Make course_lib/lab/datasets/fashion_mnist_subset.npz from the official Fashion-MNIST files.

The four files (train-images-idx3-ubyte.gz, ...) are those of
https://github.com/zalandoresearch/fashion-mnist/tree/master/data/fashion; Debian's package
`dataset-fashion-mnist` puts them into /usr/share/datasets/fashion-mnist (compressed anew, the content is the same).

    python scripts/make_fashion_mnist_subset.py FOLDER           # write the file
    python scripts/make_fashion_mnist_subset.py FOLDER --check   # compare, exit 1 if it differs
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from course_lib.lab.idx import read_idx

TARGET = Path(__file__).parent.parent / "course_lib" / "lab" / "datasets" / "fashion_mnist_subset.npz"
SEED = 2017
TRAINING_PART = 50_000
Arrays = dict[str, NDArray[np.uint8]]


def choose(labels: NDArray[np.uint8], per_class: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Indices (10 * per_class,), in which every ten that follow each other hold each class once."""
    columns = [generator.permutation(np.flatnonzero(labels == label))[:per_class] for label in range(10)]
    return generator.permuted(np.stack(columns, axis=1), axis=1).reshape(-1)


def subset(folder: Path) -> Arrays:
    """Images (N, 28, 28) and labels (N,) of the three splits."""
    train_x, train_y = (read_idx(folder / f"train-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1"))
    test_x, test_y = (read_idx(folder / f"t10k-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1"))
    sources = {
        "train": (train_x[:TRAINING_PART], train_y[:TRAINING_PART], 1000),
        "validation": (train_x[TRAINING_PART:], train_y[TRAINING_PART:], 200),
        "test": (test_x, test_y, 200),
    }
    generator = np.random.default_rng(SEED)
    arrays: Arrays = {}
    for split, (images, labels, per_class) in sources.items():
        chosen = choose(labels, per_class, generator)
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = images[chosen], labels[chosen]
    return arrays


def as_png(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """All images below one another as the bytes of one PNG: its filters suit them better than plain deflate."""
    buffer = io.BytesIO()
    Image.fromarray(images.reshape(-1, images.shape[-1])).save(buffer, "PNG", optimize=True)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def write(arrays: Arrays, target: Path) -> None:
    """Write the npz that `course_lib.lab.data` reads."""
    stored = {name.replace("_images", "_png"): as_png(a) if a.ndim == 3 else a for name, a in arrays.items()}
    np.savez(target, allow_pickle=False, **stored)


def differences(arrays: Arrays, target: Path) -> list[str]:
    """Names of the arrays that the embedded file holds otherwise (the pixels count, not how they are compressed)."""
    with np.load(target, allow_pickle=False) as stored:
        wrong = []
        for name, expected in arrays.items():
            found = stored[name.replace("_images", "_png")]
            if expected.ndim == 3:
                found = np.asarray(Image.open(io.BytesIO(found.tobytes()))).reshape(-1, 28, 28)
            if not np.array_equal(found, expected):
                wrong.append(name)
        return wrong


def main() -> int:
    """Write or check the file; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the four official .gz files lie")
    parser.add_argument("--check", action="store_true", help="compare with the embedded file instead of writing it")
    options = parser.parse_args()
    arrays = subset(options.folder)
    if options.check:
        wrong = differences(arrays, TARGET)
        print(f"{TARGET.name} differs in: {', '.join(wrong)}" if wrong else f"{TARGET.name} is what this script makes")
        return 1 if wrong else 0
    write(arrays, TARGET)
    print(f"wrote {TARGET.name}, {TARGET.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
