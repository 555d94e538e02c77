"""The operations of the policy search, and how policies are drawn and applied."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from course_lib.augmentation.augment.policies import (
    OPERATIONS,
    Operation,
    Policy,
    Subpolicy,
    described,
    policies,
    random_policy,
)
from course_lib.lab.data import fashion_mnist

IMAGE = 0.2 + 0.6 * fashion_mnist("validation", 10)[0][3]


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("magnitude", [0.1, 0.5, 1.0])
def test_an_operation_gives_another_image_of_the_same_kind(name: str, magnitude: float) -> None:
    """Shape, dtype and range stay, the input is not modified, and something changes."""
    before = IMAGE.clone()
    found = OPERATIONS[name](IMAGE, magnitude)
    assert found.shape == IMAGE.shape
    assert found.dtype == IMAGE.dtype
    assert 0 <= found.min() <= found.max() <= 1
    assert torch.equal(IMAGE, before)
    assert not torch.equal(found, IMAGE)


def test_shifts_go_where_their_names_say() -> None:
    """A bright pixel in the middle moves by a quarter of the side at full magnitude."""
    image = torch.zeros(1, 8, 8)
    image[0, 4, 4] = 1
    places = {name: OPERATIONS[name](image, 1.0)[0].nonzero().tolist() for name in ("left", "right", "up", "down")}
    assert places == {"left": [[4, 2]], "right": [[4, 6]], "up": [[2, 4]], "down": [[6, 4]]}


def test_a_random_policy_depends_on_the_generator_and_covers_the_grid() -> None:
    """Names, probabilities in tenths from 0 to 1, magnitudes in tenths from 0.1 to 1."""
    policy = random_policy(torch.Generator().manual_seed(1), subpolicies=400)
    assert policy == random_policy(torch.Generator().manual_seed(1), subpolicies=400)
    steps = [step for subpolicy in policy for step in subpolicy]
    assert {name for name, _, _ in steps} == set(OPERATIONS)
    assert {round(10 * p) for _, p, _ in steps} == set(range(11))
    assert {round(10 * m) for _, _, m in steps} == set(range(1, 11))
    assert all(len(subpolicy) == 2 for subpolicy in policy)


def test_every_image_gets_one_sub_policy_and_its_own_noise() -> None:
    """The student's function is called once for each image, with as many numbers as there are steps."""
    calls: list[tuple[Subpolicy, int]] = []

    def apply(image: Tensor, subpolicy: Subpolicy, operations: dict[str, Operation], u: Tensor) -> Tensor:
        calls.append((subpolicy, len(u)))
        return image + 1

    policy: Policy = [[("flip", 1.0, 0.1)], [("negative", 1.0, 0.1), ("up", 0.5, 0.3)]]
    x, y = fashion_mnist("train", 40)
    transformed, labels = policies(policy, apply)(x, y, torch.Generator().manual_seed(0))
    assert torch.equal(transformed, x + 1)
    assert torch.equal(labels, y)
    assert len(calls) == 40
    assert {count for _, count in calls} == {1, 2}
    assert all(len(subpolicy) == count for subpolicy, count in calls)


def test_a_policy_is_written_with_its_numbers() -> None:
    """One line for each sub-policy."""
    assert described([[("flip", 0.5, 0.1), ("up", 1.0, 0.3)]]) == ["flip (p 0.5, m 0.1), then up (p 1, m 0.3)"]
