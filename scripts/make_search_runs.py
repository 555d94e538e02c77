"""Run the whole table of hyperparameter search and store it as course_lib/search/data/search_runs.npz.

    OMP_NUM_THREADS=1 python scripts/make_search_runs.py

It takes about a minute on one core; the 200 settings of a seed are trained at once.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from course_lib.search.nets import images, on_one_thread
from course_lib.search.table import EPOCHS, RUNS, SEEDS, axes, run_cells

TARGET = Path(__file__).parent.parent / "course_lib" / "search" / "data" / RUNS


def run_seed(seed: int) -> dict[str, Any]:
    """All runs of a seed; every array has the cells first, (20, 10, ...)."""
    lr, reg = axes()
    shape = (len(lr), len(reg))
    all_lr, all_reg = (values.ravel() for values in np.meshgrid(lr, reg, indexing="ij"))
    validation, test = images("validation", 2000), images("test", 2000)
    accuracy, loss, costs = [], [], []
    start = time.process_time()
    for epoch, of_epoch, nets in tqdm(run_cells(all_lr, all_reg, seed), total=EPOCHS[-1], file=sys.stdout, ncols=88):
        costs.append(of_epoch)
        if epoch in EPOCHS:
            accuracy.append(nets.accuracies(*validation).numpy())
            loss.append(nets.losses(*validation).numpy())
    found: dict[str, Any] = {
        "validation": np.stack(accuracy, axis=-1).astype(np.float32),
        "loss": np.stack(loss, axis=-1).astype(np.float32),
        "test": nets.accuracies(*test).numpy().astype(np.float32),
        "costs": np.concatenate(costs, axis=1),
    }
    found = {name: values.reshape(*shape, *values.shape[1:]) for name, values in found.items()}
    with np.errstate(over="ignore"):  # what half precision cannot hold becomes infinite, which it nearly is
        found["costs"] = found["costs"].astype(np.float16)
    return {**found, "seconds": np.float64(time.process_time() - start)}


def main() -> int:
    """Run everything; the exit status."""
    with on_one_thread():
        by_seed = [run_seed(seed) for seed in SEEDS]
    lr, reg = axes()
    arrays = {name: np.stack([found[name] for found in by_seed], axis=2) for name in by_seed[0] if name != "seconds"}
    seconds = np.array([found["seconds"] for found in by_seed])
    whole = {"lr": lr, "reg": reg, "seeds": np.array(SEEDS), "epochs": np.array(EPOCHS), "seconds": seconds, **arrays}
    TARGET.parent.mkdir(exist_ok=True)
    np.savez_compressed(TARGET, allow_pickle=False, **whole)
    print(f"wrote {TARGET.name}: {TARGET.stat().st_size / 1024:.0f} kB, {seconds.sum():.0f} s of processor time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
