"""Records the validation and test curves that the widget `where_to_stop` replays.

    .venv/bin/python scripts/make_stopping_curves.py

Sixteen networks 196-128-10 memorize 300 images of Fashion-MNIST, of which 20% carry a wrong label.  Each has its own
wrong labels, initialization, order of the batches and validation images; the 2,000 test images are the same for all.
Takes about ten seconds on one core, and writes `course_lib/regularization/data/stopping_curves.npz`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from course_lib.lab.data import fashion_mnist
from course_lib.lab.models import mlp

RUNS, EPOCHS, IMAGES, FLIPPED, VALIDATION = 16, 60, 300, 0.2, 300
HIDDEN, RATE, MOMENTUM, BATCH = 128, 0.02, 0.9, 50
FILE = Path(__file__).parent.parent / "course_lib" / "regularization" / "data" / "stopping_curves.npz"


def pooled(images: torch.Tensor) -> torch.Tensor:
    """Images (N, 1, 28, 28) as vectors (N, 196), each value the mean of 2 x 2 pixels."""
    return F.avg_pool2d(images, 2).flatten(1)


def record(seed: int) -> NDArray[np.float32]:
    """Validation and test loss before training and after each epoch, (2, EPOCHS + 1), of one run."""
    x, y = fashion_mnist("train", IMAGES, FLIPPED, seed)
    x, (checks, labels), (test, answers) = pooled(x), fashion_mnist("validation"), fashion_mnist("test")
    mean, std = x.mean(), x.std()
    generator = torch.Generator().manual_seed(seed)
    some = torch.randperm(len(labels), generator=generator)[:VALIDATION]
    model = mlp(196, HIDDEN, depth=1, seed=seed)
    optimizer = torch.optim.SGD(model.parameters(), RATE, MOMENTUM)
    x, checks, test = ((part - mean) / std for part in (x, pooled(checks[some]), pooled(test)))

    def losses() -> list[float]:
        with torch.no_grad():
            return [float(F.cross_entropy(model(a), b)) for a, b in ((checks, labels[some]), (test, answers))]

    found = [losses()]
    for _ in range(EPOCHS):
        for part in torch.randperm(IMAGES, generator=generator).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(model(x[part]), y[part]).backward()
            optimizer.step()
        found.append(losses())
    return np.array(found, np.float32).T


def main() -> None:
    """Record all runs and store them."""
    torch.set_num_threads(1)
    curves = np.stack([record(seed) for seed in range(RUNS)])
    FILE.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(FILE, validation=curves[:, 0], test=curves[:, 1])
    print(f"{FILE.name}: {curves.shape}, {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
