"""What the exercises on dropout as a layer share: inputs, wording, and what they may not call."""

from __future__ import annotations

import torch

from autograder.exercises.dropout.draws import magnitudes, noise

__all__ = [
    "DROPS",
    "DTYPE",
    "HINT_FLOAT32",
    "HINT_IN_PLACE",
    "HINT_ONE_ROW",
    "HINT_SWAPPED",
    "INPUTS",
    "LIBRARY_DROPOUT",
    "OUTPUTS",
    "SMALL_U",
    "SMALL_X",
    "STRIDED",
    "layer_inputs",
]

LIBRARY_DROPOUT = (
    "torch.dropout",
    "torch.dropout_",
    "torch.native_dropout",
    "torch.feature_dropout",
    "torch.alpha_dropout",
    "torch.feature_alpha_dropout",
    "torch.nn.Dropout",
    "torch.nn.Dropout1d",
    "torch.nn.Dropout2d",
    "torch.nn.Dropout3d",
    "torch.nn.AlphaDropout",
    "torch.nn.FeatureAlphaDropout",
    "torch.nn.functional.dropout",
    "torch.nn.functional.dropout1d",
    "torch.nn.functional.dropout2d",
    "torch.nn.functional.dropout3d",
    "torch.nn.functional.alpha_dropout",
    "torch.nn.functional.feature_alpha_dropout",
    "torch.ops.aten",
)
"""Ready-made dropout, which draws its own noise."""

DTYPE = "keeps the dtype"
INPUTS = "leaves its inputs unchanged"
STRIDED = "dropped-units-strided"
OUTPUTS = ("y", "dropped", "drops")
DROPS = "drops where u is not below p_keep"

HINT_SWAPPED = (
    "Units are dropped where they should be kept. A unit stays where u < p_keep, so that p_keep is the probability of "
    "keeping it."
)
HINT_ONE_ROW = "Every example gets the mask of the first one. Each example draws its own: u has a row for each of them."
HINT_FLOAT32 = "The result is float32 whatever came in. It should have the dtype of the input."
HINT_IN_PLACE = (
    "The input tensor itself was changed. Whoever passed it still needs it (the backward pass, for one): compute a new "
    "tensor."
)


def layer_inputs(
    g: torch.Generator, p_keep: float, n: int, d: int, dtype: torch.dtype = torch.float64
) -> tuple[torch.Tensor, torch.Tensor]:
    """A layer's input (n, d), nowhere near zero, and its noise (n, d)."""
    return magnitudes(g, n, d).to(dtype), noise(g, p_keep, n, d).to(dtype)


SMALL_X = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).double()
SMALL_U = torch.tensor([[0.1, 0.9, 0.5], [0.95, 0.3, 0.6]]).double()
