"""Hints and lists that several exercises of this assignment share."""

from __future__ import annotations

from typing import Final

__all__ = [
    "AFFINE_FORGOTTEN",
    "AUTOGRAD",
    "EPS_FIXED",
    "EPS_OMITTED",
    "EPS_OUTSIDE",
    "FLOAT32",
    "FUSERS",
    "INPUT_CHANGED",
    "NORMALISERS",
    "NOT_ROOTED",
    "UNBIASED",
]

EPS_OUTSIDE: Final = (
    "It looks as if eps is added to the standard deviation. It belongs to the variance, before the root is taken; "
    "the two differ wherever the variance is about as small as eps."
)
EPS_OMITTED: Final = (
    "eps does not seem to enter. Where the values hardly vary, the division then blows up, "
    "and where they do not vary at all it gives NaN."
)
EPS_FIXED: Final = (
    "The result is what eps = 1e-5 would give, whatever eps is passed. "
    "Use the argument: the default of a library is not the value that was asked for."
)
UNBIASED: Final = (
    "The variance seems to be divided by one less than the number of values, PyTorch's default. "
    "Normalisation uses the biased variance, the plain mean of the squared deviations."
)
NOT_ROOTED: Final = (
    "It looks as if the division is by the variance. The result should have variance 1, so a spread of twice the "
    "size must shrink by two, not by four: a root is missing."
)
AFFINE_FORGOTTEN: Final = (
    "The output is normalised, but gamma and beta seem to be unused. "
    "Without them the layer can only ever produce mean 0 and variance 1."
)
INPUT_CHANGED: Final = (
    "The values are right, but the caller's own tensor was overwritten on the way. An operation in place on an "
    "argument, such as an assignment with -= or a method ending in an underscore, does that."
)
FLOAT32: Final = (
    "The result is float32 whatever comes in. Results keep the dtype of the inputs: "
    "look for a conversion, or for a result tensor that is made with the default dtype."
)

NORMALISERS: Final = (
    *(f"torch.nn.functional.{name}" for name in ("batch_norm", "layer_norm", "group_norm", "instance_norm")),
    *(f"torch.{name}" for name in ("batch_norm", "layer_norm", "group_norm", "instance_norm")),
    *(f"torch.native_{name}" for name in ("batch_norm", "layer_norm", "group_norm")),
    "torch.batch_norm_stats",
    "torch.batch_norm_elemt",
    "torch.cudnn_batch_norm",
    "torch.miopen_batch_norm",
    *(f"torch.nn.{kind}{d}d" for kind in ("BatchNorm", "LazyBatchNorm", "InstanceNorm") for d in (1, 2, 3)),
    *(f"torch.nn.LazyInstanceNorm{d}d" for d in (1, 2, 3)),
    "torch.nn.SyncBatchNorm",
    "torch.nn.LayerNorm",
    "torch.nn.GroupNorm",
    "torch.nn.modules.batchnorm",
    "torch.nn.modules.instancenorm",
    "torch.nn.modules.normalization",
    "torch.ops",
    "torch._C",
)
"""Ready-made normalisation: each would do one of these exercises, or do another's with its axes turned."""

AUTOGRAD: Final = ("torch.autograd", "torch.func", ".backward")
"""Ways to have a gradient made."""

FUSERS: Final = (
    *(f"torch.nn.utils.fuse_{kind}_bn_{what}" for kind in ("conv", "linear") for what in ("eval", "weights")),
    "torch.nn.utils.fusion",
    "torch.ao",
    "torch.quantization",
    "torch.fx",
)
"""Ready-made fusion."""
