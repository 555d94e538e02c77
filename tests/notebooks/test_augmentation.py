"""notebooks/03_augmentation: the functions that students write and those that experiments use are the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from course_lib.augmentation import augment
from tests.notebooks.source import folder_with_answers, read_notebook, run_graded_cells


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the notebook's solutions define."""
    answers = folder_with_answers("03_augmentation", tmp_path_factory.mktemp("answers"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("work"))
        return run_graded_cells(read_notebook("03_augmentation"), answers)


def test_the_course_s_batches_are_what_the_notebook_s_functions_give_one_by_one(solved: dict[str, Any]) -> None:
    """`course_lib.augmentation.augment` is the same thing for many images at once."""
    g = torch.Generator().manual_seed(0)
    x = torch.rand(5, 3, 9, 13, generator=g, dtype=torch.float64)
    u = torch.rand(5, 9, 13, generator=g)
    angles, alphas = torch.tensor([0.0, 90.0, -17.0, 200.0, 45.0]).double(), torch.randn(5, 3, generator=g).double()
    fields = 3 * torch.randn(5, 2, 9, 13, generator=g, dtype=torch.float64)
    factors = 0.5 + torch.rand(2, 5, generator=g, dtype=torch.float64)
    centres = torch.randint(0, 9, (5, 2), generator=g)
    rows, columns = centres.T.tolist()
    values, vectors = solved["pca_colour_basis"](x)
    crops = torch.tensor([[7, 10, 0, 3], [8, 12, 1, 0], [14, 20, 7, 13], [9, 13, 2, 6], [7, 10, 0, 0]])

    def cut(image: torch.Tensor, crop: torch.Tensor) -> torch.Tensor:
        height, _, top, left = crop.tolist()
        return solved["resize_short_side"](image, height)[:, top : top + 7, left : left + 7]

    pairs = {
        "rotate": (augment.rotate(x, angles), [solved["rotate"](i, float(a)) for i, a in zip(x, angles, strict=True)]),
        "warp": (augment.smooth_warp(x, fields), list(map(solved["smooth_warp"], x, fields))),
        "jitter": (augment.colour_jitter(x, *factors), list(map(solved["colour_jitter"], x, *factors))),
        "noise": (
            augment.pixel_noise(x, u < 0.3),
            list(map(solved["flip_random_pixels"], x, [0.3] * 5, u)),
        ),
        "cutout": (
            augment.cutout(x, centres, 5),
            list(map(solved["cutout"], x, [5] * 5, rows, columns)),
        ),
        "lighting": (
            augment.pca_lighting(x, values, vectors, alphas),
            [solved["pca_lighting"](i, values, vectors, a) for i, a in zip(x, alphas, strict=True)],
        ),
        "scale and crop": (augment.scale_crop(x, crops, 7), list(map(cut, x, crops))),
    }
    for name, (at_once, one_by_one) in pairs.items():
        assert torch.allclose(at_once, torch.stack(one_by_one), atol=1e-9), name
