"""The photographs are those whose licences were read, small, and given out as fresh tensors."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from course_lib.lab import photographs as module
from course_lib.lab.photographs import Credit, credits, photograph, photographs

FOLDER = Path(module.__file__).parent / "datasets" / "photographs"


@pytest.mark.parametrize("credit", credits(), ids=lambda credit: credit.name)
def test_a_photograph_is_the_file_that_the_list_names(credit: Credit) -> None:
    """Name, SHA-256, author, source and a licence that asks for nothing."""
    assert hashlib.sha256((FOLDER / f"{credit.name}.jpg").read_bytes()).hexdigest() == credit.sha256
    assert credit.licence in ("CC0", "public domain")
    assert credit.author
    assert credit.title
    assert credit.source.startswith("https://")


def test_every_file_is_listed_and_all_are_small() -> None:
    """No picture without a licence, and less than 300 kB in all."""
    files = sorted(FOLDER.iterdir())
    assert {file.name for file in files} == {"photographs.json"} | {f"{credit.name}.jpg" for credit in credits()}
    assert sum(file.stat().st_size for file in files) < 300_000


def test_what_goes_out_names_the_original_too() -> None:
    """The list says which file of which package a picture was made of."""
    for entry in json.loads((FOLDER / "photographs.json").read_text("utf-8")):
        assert len(entry["original_sha256"]) == 64
        assert entry["package"]
        assert entry["path"]


@pytest.mark.parametrize("name", [credit.name for credit in credits()])
def test_a_photograph_is_a_colour_image_with_a_short_side_of_224(name: str) -> None:
    """(3, H, W), float32 in [0, 1], using most of that range, and really in colour."""
    image = photograph(name)
    assert image.shape[0] == 3
    assert min(image.shape[1:]) == 224
    assert image.dtype == torch.float32
    assert 0 <= image.min() < 0.2
    assert 0.8 < image.max() <= 1
    assert (image.amax(dim=0) - image.amin(dim=0)).mean() > 0.01


def test_at_least_three_have_a_class_of_imagenet() -> None:
    """The transfer notebook needs some that a network trained on ImageNet can name."""
    assert sum(bool(credit.imagenet) for credit in credits()) >= 3


def test_changing_one_changes_no_other_copy() -> None:
    """Every call gives fresh tensors."""
    photograph("cat").zero_()
    photographs()["cat"].zero_()
    assert photograph("cat").sum() > 0


def test_an_unknown_name_is_named_with_those_there_are() -> None:
    """The message lists what can be chosen."""
    with pytest.raises(ValueError, match=r"'dog'.*'cat'"):
        photograph("dog")
