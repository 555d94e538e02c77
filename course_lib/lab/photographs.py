"""A few color photographs that anybody may use, and who took them.

They lie in `datasets/photographs/`, made by `scripts/make_photographs.py`.
"""

from __future__ import annotations

import functools
import io
import json
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Credit", "credits", "photograph", "photographs"]


@dataclass(frozen=True)
class Credit:
    """What a photograph shows and where it comes from.

    Attributes:
        name: by which `photograph` finds it.
        title: what it shows.
        author: who took it.
        licence: "CC0" or "public domain".
        source: where it was published.
        sha256: of the file here.
        imagenet: classes of ImageNet that are right for it; empty where none is.
    """

    name: str
    title: str
    author: str
    licence: str
    source: str
    sha256: str
    imagenet: tuple[str, ...]


@functools.cache
def credits() -> tuple[Credit, ...]:
    """What the photographs are, in a fixed order."""
    entries = json.loads(_folder().joinpath("photographs.json").read_text("utf-8"))
    kept = ("name", "title", "author", "licence", "source", "sha256")
    return tuple(Credit(**{key: entry[key] for key in kept}, imagenet=tuple(entry["imagenet"])) for entry in entries)


def photograph(name: str) -> torch.Tensor:
    """One photograph: (3, H, W), float32 in [0, 1], with a short side of 224 pixels.

    Raises:
        ValueError: if there is none of that name.
    """
    known = [credit.name for credit in credits()]
    if name not in known:
        raise ValueError(f"no photograph {name!r}: choose one of {', '.join(map(repr, known))}")
    pixels = torch.tensor(_pixels(name)).to(torch.float32).div_(255)
    return pixels.permute(2, 0, 1).contiguous()  # (H, W, 3) -> (3, H, W)


def photographs() -> dict[str, torch.Tensor]:
    """Name -> photograph, as by `photograph`."""
    return {credit.name: photograph(credit.name) for credit in credits()}


@functools.cache
def _pixels(name: str) -> NDArray[np.uint8]:
    """(H, W, 3) bytes."""
    with Image.open(io.BytesIO(_folder().joinpath(f"{name}.jpg").read_bytes())) as picture:
        return np.asarray(picture)


def _folder() -> Traversable:
    return resources.files("course_lib.lab").joinpath("datasets", "photographs")
