"""`extract-features`: what a frozen backbone says about every image, in batches."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Generator, Tensor, nn

from autograder.exercises.model import Case, Criterion, Exercise, Misconception
from autograder.exercises.transfer.cases import images, phase

__all__ = ["EXTRACT"]


def _in_evaluation(run: Any, backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    """`run` in evaluation mode; afterwards each module has the mode that it had."""
    modes = [module.training for module in backbone.modules()]
    backbone.eval()
    result = run(backbone, images, batch_size)
    for module, mode in zip(backbone.modules(), modes, strict=True):
        module.training = mode
    return result


def _rows(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    return torch.cat([backbone(batch) for batch in torch.split(images, batch_size)])


def _rows_without_graph(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    with torch.no_grad():
        return _rows(backbone, images, batch_size)


def _extract(backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    return _in_evaluation(_rows_without_graph, backbone, images, batch_size)


def _one_by_one(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    with torch.inference_mode():
        found = [backbone(image.unsqueeze(0))[0] for image in images]
    return torch.stack(found).clone()


def _extract_one_by_one(backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    return _in_evaluation(_one_by_one, backbone, images, batch_size)


def _written(backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    found: Any = None
    with torch.no_grad():
        for start in range(0, len(images), batch_size):
            rows = backbone(images[start : start + batch_size])
            found = rows.new_empty(len(images), rows.shape[1]) if found is None else found
            found[start : start + len(rows)] = rows
    return found


def _extract_written(backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    """Into a tensor made after the first batch, whose rows are written."""
    return _in_evaluation(_written, backbone, images, batch_size)


def _extract_loader(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    data = torch.utils.data.TensorDataset(images)
    modes = [module.training for module in backbone.modules()]
    backbone.eval()
    rows = [backbone(x).detach() for (x,) in torch.utils.data.DataLoader(data, batch_size)]
    for module, mode in zip(backbone.modules(), modes, strict=True):
        module.training = mode
    return torch.cat(rows)


def _extract_chunks(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    """Batches of nearly equal size, through a copy of the backbone."""
    copied = copy.deepcopy(backbone).eval()
    parts = torch.chunk(images, -(-len(images) // batch_size))
    with torch.no_grad():
        return torch.cat(list(map(copied, parts)))


def _in_training(backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    return _in_evaluation(_rows_of_training, backbone, images, batch_size)


def _rows_of_training(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    return _rows_without_graph(backbone.train(), images, batch_size)


def _no_restore(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    return _rows_without_graph(backbone.eval(), images, batch_size)


def _back_to_train(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    features = _no_restore(backbone, images, batch_size)
    backbone.train()
    return features


def _one_flag(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    mode = backbone.training
    features = _no_restore(backbone, images, batch_size)
    backbone.train(mode)
    return features


def _with_graph(backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    return _in_evaluation(_rows, backbone, images, batch_size)


def _gradients_off(backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    torch.set_grad_enabled(False)
    return _in_evaluation(_rows, backbone, images, batch_size)


def _flags_off(backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    backbone.requires_grad_(False)
    return _in_evaluation(_rows, backbone, images, batch_size)


def _flags_on(backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    backbone.requires_grad_(False)
    features = _in_evaluation(_rows, backbone, images, batch_size)
    backbone.requires_grad_(True)
    return features


def _last_dropped(backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    whole = max(1, len(images) // batch_size) * batch_size
    return _extract(backbone, images[:whole], batch_size)


def _only_first(backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    return _extract(backbone, images[:batch_size], batch_size)


def _all_at_once(backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    return _extract(backbone, images, len(images))


def _so_many_batches(backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    return _extract(backbone, images, -(-len(images) // batch_size))


def _squeezed(backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    return _extract(backbone, images, batch_size).squeeze()


def _batches(backbone: nn.Module, images: Tensor, batch_size: int) -> list[Tensor]:
    with torch.no_grad():
        return [backbone(batch) for batch in torch.split(images, batch_size)]


def _a_list(backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    return _in_evaluation(_batches, backbone, images, batch_size)


def _batch_means(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    return torch.stack([rows.mean(0) for rows in _a_list(backbone, images, batch_size)])


def _rescaled(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    return nn.functional.normalize(_extract(backbone, images, batch_size))


_OUTPUTS = ("features", "ran", "statistics", "fits", "graph", "grad_mode", "others", "modes")


def _cases(g: Generator) -> dict[str, Case]:
    def case(
        n: int,
        batch_size: int,
        mode: str,
        outputs: tuple[str, ...],
        dtype: torch.dtype = torch.float64,
        frozen: tuple[str, ...] = (),
    ) -> Case:
        inputs = {"network": "backbone", "phase": phase(g), "frozen": list(frozen), "mode": mode}
        data = {"images": images(g, n, dtype), "batch_size": batch_size}
        return Case({**inputs, **data}, driver="extraction", outputs=outputs)

    left = ("ran", "modes")
    everything = ("features", "ran", "fits", "graph", "grad_mode", "others", "modes")
    return {
        "from training mode": case(4, 2, "train", ("features", "statistics", *left)),
        "last batch smaller": case(5, 3, "eval", everything, frozen=("0",)),
        "batch larger than all": case(3, 8, "eval", ("features",)),
        "one image": case(1, 4, "eval", ("features",), torch.float32),
        "batches of one": case(3, 1, "eval", ("features", "ran", "fits")),
        "mixed modes": case(4, 2, "mixed", left),
    }


_EVAL = "evaluates the backbone, whose statistics stay"
_ALL = "one row for every image, in order, for any batch size"
_FITS = "at most batch_size images at a time"
_GRADIENTS = "leaves no gradient behind, and gradients on"
_MODE = "restores the mode of the backbone"
_MODES = "restores each layer's own mode"

EXTRACT = Exercise(
    "extract-features",
    defines=("extract_features(backbone, images, batch_size)",),
    returns=("features",),
    reference=_extract,
    cases=_cases,
    criteria=(
        Criterion(_EVAL, 2, cases=("from training*",), outputs=("features", "statistics")),
        Criterion(_ALL, 2, cases=("last*", "batch*", "one*"), outputs=("features",)),
        Criterion(_FITS, 1, cases=("last*", "batches of one"), outputs=("ran", "fits")),
        Criterion(_GRADIENTS, 1, cases=("last batch smaller",), outputs=("ran", "graph", "grad_mode", "others")),
        Criterion(_MODE, 1, cases=("from training*", "last*"), outputs=("ran", "modes")),
        Criterion(_MODES, 1, cases=("mixed modes",)),
    ),
    misconceptions=(
        Misconception(
            "evaluation-mode-forgotten",
            _rows_without_graph,
            "The backbone works in the mode in which it came. In training mode, batch normalisation uses each batch's "
            "own statistics and changes the stored ones: the same image has other features in other company.",
            (_EVAL,),
        ),
        Misconception(
            "training-mode",
            _in_training,
            "The features are computed in training mode. They then depend on which images share a batch; cached "
            "features have to be those of evaluation mode.",
            (_EVAL, _ALL, _FITS),
        ),
        Misconception(
            "left-in-evaluation-mode",
            _no_restore,
            "The backbone stays in evaluation mode. Whoever trains it next trains without dropout and with stored "
            "statistics, and nothing says so.",
            (_MODE, _MODES),
        ),
        Misconception(
            "always-back-to-training-mode",
            _back_to_train,
            "The backbone always ends in training mode, even if it came in evaluation mode. Remember how it came.",
            (_MODE, _MODES),
        ),
        Misconception(
            "one-mode-for-all-layers",
            _one_flag,
            "All layers get the mode of the outermost one. A frozen batch normalisation inside a model in training "
            "mode is switched on again by that.",
            (_MODES,),
        ),
        Misconception(
            "gradient-graph-kept",
            _with_graph,
            "The features still hang on the graph that leads back to the images. It holds every intermediate result "
            "of every batch in memory; evaluation mode does not switch that off.",
            (_GRADIENTS,),
        ),
        Misconception(
            "gradients-left-off",
            _gradients_off,
            "Gradients were switched off for the whole process and stay off: the next training in this notebook would "
            "fail. Switch them off for a block only.",
            (_GRADIENTS,),
        ),
        Misconception(
            "backbone-frozen",
            _flags_off,
            "The parameters of the backbone are frozen afterwards. Extracting should leave no trace; whether the "
            "backbone trains later is another decision.",
            (_GRADIENTS,),
        ),
        Misconception(
            "backbone-unfrozen",
            _flags_on,
            "All parameters of the backbone require gradients afterwards, also those that were frozen before. Leave "
            "the flags as they are; whether gradients are recorded can be said for a block.",
            (_GRADIENTS,),
        ),
        Misconception(
            "last-batch-dropped",
            _last_dropped,
            "The last images are missing where the number of images is no multiple of the batch size.",
            (_ALL, _FITS, _GRADIENTS, _MODE),
        ),
        Misconception(
            "only-the-first-batch",
            _only_first,
            "Only the first batch comes back. Perhaps the return stands inside the loop?",
            (_EVAL, _ALL, _FITS, _GRADIENTS, _MODE, _MODES),
        ),
        Misconception(
            "all-at-once",
            _all_at_once,
            "More than batch_size images go through at a time: perhaps all of them, in one batch. With fifty thousand "
            "images there is no memory for that.",
            (_FITS,),
        ),
        Misconception(
            "so-many-batches",
            _so_many_batches,
            "batch_size was taken as the number of batches. It is the number of images in each.",
            (_FITS,),
        ),
        Misconception(
            "squeezed",
            _squeezed,
            "Every axis of length 1 was removed. With one image that is the axis of images: its row becomes a vector.",
            (_ALL,),
        ),
        Misconception(
            "batches-not-joined",
            _a_list,
            "A list of batches comes back. Asked for is one tensor with a row for each image.",
            (_EVAL, _ALL),
        ),
        Misconception(
            "mean-over-the-batch",
            _batch_means,
            "There is one row for each batch, its mean. Asked for is a row for each image.",
            (_EVAL, _ALL),
        ),
        Misconception(
            "features-rescaled",
            _rescaled,
            "Each row was scaled to length one. That may be a sensible next step, but asked for is what the backbone "
            "says.",
            (_EVAL, _ALL),
        ),
    ),
    right={
        "one by one, inference mode": _extract_one_by_one,
        "rows written into one tensor": _extract_written,
        "data loader, detached": _extract_loader,
        "chunks through a copy": _extract_chunks,
    },
)
