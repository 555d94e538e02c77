"""Pretrain the small backbone, run the whole table of transfer learning, and store both in course_lib/transfer/data.

    OMP_NUM_THREADS=1 python scripts/make_transfer_runs.py             # goes on where it was interrupted
    OMP_NUM_THREADS=1 python scripts/make_transfer_runs.py --fresh     # pretrains and runs everything anew

Runs collect in build/transfer_runs.csv, one line each as soon as it is done; the table is written when all are there.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import asdict, fields
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm

from course_lib.lab.data import Split, fashion_mnist
from course_lib.lab.training import Batch, evaluate, train
from course_lib.transfer.experiments import quadrants as experiments
from course_lib.transfer.experiments.quadrants import RUNS, Run
from course_lib.transfer.nets.quadrants import BLOCKS, SOURCE_CLASSES, WEIGHTS, shifted, small_net

ROOT = Path(__file__).parent.parent
DATASETS = ROOT / "course_lib" / "transfer" / "data"
COLLECTED = ROOT / "build" / RUNS
COLUMNS = [field.name for field in fields(Run)]


def source(split: Split, seeds: tuple[int, ...]) -> Batch:
    """The source classes of a split, shifted once for each seed, with labels 0..4."""
    images, labels = fashion_mnist(split)
    classes = torch.tensor(SOURCE_CLASSES)
    kept = torch.isin(labels, classes)
    images, labels = images[kept], torch.searchsorted(classes, labels[kept])
    return torch.cat([shifted(images, seed) for seed in seeds]), labels.repeat(len(seeds))


def pretrain(seed: int = 0) -> tuple[nn.Sequential, float]:
    """The backbone of the experiment, and its validation accuracy with the head that is then thrown away."""
    net = small_net(len(SOURCE_CLASSES), seed)
    images, labels = source("train", (0, 1))
    optimizer = torch.optim.Adam(net.parameters(), 2e-3, fused=True)
    train(net, images, labels, steps=800, batch_size=64, optimizer=optimizer, decay_to_zero=True, seed=seed)
    return net[:BLOCKS].eval(), evaluate(net.eval(), *source("validation", (9,)))[1]


def collected() -> list[Run]:
    """The runs that are already done; a line that an interruption cut short is not one."""
    lines = COLLECTED.read_text("utf-8").splitlines(keepends=True) if COLLECTED.exists() else []
    whole = [line for line in lines if line.endswith("\n") and line.count(",") == len(COLUMNS) - 1]
    return [experiments.run_of(row) for row in csv.DictReader(whole, COLUMNS)]


def cell_of(run: Run) -> tuple[str, int, str, int]:
    """What `plan` lists for a run."""
    return run.target, run.per_class, run.recipe, run.seed


def write(path: Path, runs: list[Run], header: bool) -> None:
    """Write runs as CSV, whole or not at all."""
    temporary = path.with_suffix(".new")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        if header:
            file.write(",".join(COLUMNS) + "\n")
        for run in runs:
            file.write(line(run))
    temporary.replace(path)


def line(run: Run) -> str:
    """A run as a line of the CSV."""
    values = {**asdict(run), "accuracy": f"{run.accuracy:.4f}", "seconds": f"{run.seconds:.4f}"}
    return ",".join(str(values[name]) for name in COLUMNS) + "\n"


def main() -> int:
    """Run what is missing; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fresh", action="store_true", help="forget earlier weights and runs")
    torch.set_num_threads(1)
    if parser.parse_args().fresh or not (DATASETS / WEIGHTS).exists():
        COLLECTED.unlink(missing_ok=True)
        net, accuracy = pretrain()
        save_file(net.state_dict(), DATASETS / WEIGHTS)
        print(f"pretrained: validation accuracy {accuracy:.3f} on the five source classes")
    COLLECTED.parent.mkdir(exist_ok=True)
    order = {cell: place for place, cell in enumerate(experiments.plan())}
    known = collected()
    write(COLLECTED, known, header=False)
    runs = [run for run in known if cell_of(run) in order]
    missing = sorted(order.keys() - {cell_of(run) for run in runs}, key=order.__getitem__)
    experiments.run_cell("different", 1, "probe-1", -1)  # imports are not part of anybody's seconds
    with COLLECTED.open("a", encoding="utf-8") as file:
        for cell in tqdm(missing, file=sys.stdout, desc="runs", ncols=88, mininterval=10):
            runs.append(experiments.run_cell(*cell))
            file.write(line(runs[-1]))
            file.flush()
    write(DATASETS / RUNS, sorted(runs, key=lambda run: order[cell_of(run)]), header=True)
    print(f"wrote {RUNS}: {len(runs)} runs, {sum(run.seconds for run in runs):.0f} s of training")
    return 0


if __name__ == "__main__":
    sys.exit(main())
