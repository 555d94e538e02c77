"""`freeze-backbone`: only the head trains, and batch normalisation rests."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from autograder.exercises.model import Case, Criterion, Exercise, Misconception
from autograder.exercises.transfer.cases import images, phase
from autograder.exercises.transfer.freezing_ways import (
    NORMS,
    by_a_wrapper,
    by_affine_layers,
    by_another_class,
    by_hooks,
    by_train_of_each_layer,
    by_train_of_the_model,
    head_of,
    in_place,
    keep_norms,
    norms_of,
    only_head_requires,
)

__all__ = ["FREEZE"]


def _flags(choose: Callable[[nn.Module], list[Tensor]]) -> Callable[[nn.Module], nn.Module]:
    """A mistake that freezes other parameters than asked for."""

    def freeze(model: nn.Module) -> nn.Module:
        for parameter in choose(model):
            parameter.requires_grad_(False)
        return keep_norms(model)

    return freeze


def _weights_only(model: nn.Module) -> nn.Module:
    return only_head_requires(model)


def _eval_once(model: nn.Module) -> nn.Module:
    only_head_requires(model)
    for norm in norms_of(model):
        norm.eval()
    return model


def _only_images(model: nn.Module) -> nn.Module:
    only_head_requires(model)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            keep_norms(module)
    return model


def _only_direct(model: nn.Module) -> nn.Module:
    only_head_requires(model)
    for child in model.children():
        if isinstance(child, NORMS):
            keep_norms(child)
    return model


def _momentum_zero(model: nn.Module) -> nn.Module:
    only_head_requires(model)
    for norm in norms_of(model):
        norm.momentum = 0.0  # type: ignore[assignment]
    return model


def _everything(model: nn.Module) -> nn.Module:
    return keep_norms(model.requires_grad_(False))


def _nothing(model: nn.Module) -> nn.Module:
    with torch.no_grad():
        return model.eval()


def _norms_only(model: nn.Module) -> nn.Module:
    return keep_norms(model)


def _no_true(model: nn.Module) -> list[Tensor]:
    own = {id(p) for p in head_of(model).parameters()}
    return [p for p in model.parameters() if id(p) not in own]


def _last_child_trains(model: nn.Module) -> list[Tensor]:
    return [p for child in list(model.children())[:-1] for p in child.parameters()]


def _weights_without_biases(model: nn.Module) -> list[Tensor]:
    own = {id(p) for p in head_of(model).parameters()}
    return [p for n, p in model.named_parameters() if id(p) not in own and n.endswith("weight")]


def _head_bias_only(model: nn.Module) -> nn.Module:
    parameters = list(model.parameters())
    for parameter in parameters:
        parameter.requires_grad_(parameter is parameters[-1])
    return keep_norms(model)


def _last_two(model: nn.Module) -> nn.Module:
    parameters = list(model.parameters())
    for number, parameter in enumerate(parameters):
        parameter.requires_grad_(number >= len(parameters) - 2)
    return keep_norms(model)


def _affine_trains(model: nn.Module) -> nn.Module:
    only_head_requires(model)
    for norm in norms_of(model):
        norm.requires_grad_(True)
    return keep_norms(model)


def _zeroed_gradients(model: nn.Module) -> nn.Module:
    model.requires_grad_(True)
    own = {id(p) for p in head_of(model).parameters()}
    for parameter in model.parameters():
        if id(parameter) not in own:
            parameter.register_hook(torch.zeros_like)  # type: ignore[no-untyped-call]
    return keep_norms(model)


def _statistics_reset(model: nn.Module) -> nn.Module:
    by_train_of_each_layer(model)
    for norm in norms_of(model):
        norm.reset_running_stats()  # type: ignore[operator]
    return model


_OUTPUTS = ("head", "in_training", "in_evaluation")


def _cases(g: Generator) -> dict[str, Case]:
    def case(
        net: str, outputs: tuple[str, ...], frozen: list[str] | None = None, *, epochs: bool = True, decay: float = 0.0
    ) -> Case:
        inputs = {"network": net, "phase": phase(g), "frozen": frozen or [], "images": images(g, 3, torch.float64)}
        more = {"labels": torch.tensor([2, 0, 1]), "probe": images(g, 3, torch.float64), "epochs": epochs}
        settings = {"weight_decay": decay, "momentum": 0.9 if decay else 0.0}
        return Case({**inputs, **more, **settings}, driver="frozen-training", outputs=outputs)

    plain, normal = ("head", "in_evaluation"), _OUTPUTS
    return {
        "weights, sequence": case("sequential", plain),
        "weights, two layers in the classifier": case("classifier", plain),
        "weights, head without bias": case("no bias", plain),
        "weights, momentum and weight decay": case("sequential", plain, decay=0.3),
        "batchnorm": case("fc, 1 x 1", normal),
        "batchnorm in blocks": case("head", normal),
        "batchnorm, mode left alone": case("fc, 1 x 1", normal, epochs=False),
        "everything came frozen": case("sequential", ("head",), [""]),
    }


_WEIGHTS = "the weights of the backbone stay"
_DECAY = "they stay under momentum and weight decay too"
_HEAD = "the head trains, all of it"
_FROZEN = "the head trains even if it came frozen"
_STATISTICS = "batch normalisation keeps its statistics after model.train()"
_SAME = "the backbone computes the same in training mode as in evaluation mode"
_PLAIN = ("weights, sequence", "weights, two*", "weights, head*")
_BATCHNORM = ("batchnorm", "batchnorm in blocks")

FREEZE = Exercise(
    "freeze-backbone",
    defines=("freeze_backbone(model)",),
    returns=("model",),
    reference=by_train_of_each_layer,
    cases=_cases,
    criteria=(
        Criterion(_WEIGHTS, 2, cases=_PLAIN, outputs=("in_evaluation",)),
        Criterion(_DECAY, 1, cases=("weights, momentum*",), outputs=("in_evaluation",)),
        Criterion(_HEAD, 1.5, cases=_PLAIN, outputs=("head",)),
        Criterion(_FROZEN, 0.5, cases=("everything came frozen",)),
        Criterion(_STATISTICS, 3, cases=(*_BATCHNORM, "batchnorm, mode*"), outputs=("in_evaluation",)),
        Criterion(_SAME, 2, cases=_BATCHNORM, outputs=("in_training", "head")),
    ),
    misconceptions=(
        Misconception(
            "batchnorm-forgotten",
            _weights_only,
            "No weight moves, but batch normalisation still averages its statistics over your images: they are not "
            "parameters, requires_grad does not concern them. The frozen backbone drifts.",
            (_STATISTICS, _SAME),
        ),
        Misconception(
            "eval-undone-by-train",
            _eval_once,
            "Batch normalisation was put into evaluation mode once. The next switch to training mode, at the start of "
            "every epoch, reaches all layers and undoes it.",
            (_STATISTICS, _SAME),
        ),
        Misconception(
            "batchnorm1d-forgotten",
            _only_images,
            "The layers of type BatchNorm2d rest, those of type BatchNorm1d go on. There are batch normalisations "
            "behind linear layers, too.",
            (_STATISTICS, _SAME),
        ),
        Misconception(
            "only-direct-children",
            _only_direct,
            "Batch normalisation rests where it is a direct child of the model. Inside of blocks it goes on: children "
            "are one level, modules are all.",
            (_STATISTICS, _SAME),
        ),
        Misconception(
            "statistics-kept-but-not-used",
            _momentum_zero,
            "The running statistics rest, but in training mode each batch is still normalised by its own. The head "
            "learns on other features than it meets at evaluation.",
            (_SAME,),
        ),
        Misconception(
            "everything-frozen",
            _everything,
            "The head is frozen too, so nothing trains: element 0 of tensors does not require grad.",
            (_HEAD, _FROZEN, _SAME),
        ),
        Misconception(
            "nothing-frozen",
            _nothing,
            "Everything trains. Evaluation mode and no_grad inside this function do not outlast it: the mode is set "
            "anew in every epoch, and no_grad ends with its block.",
            (_WEIGHTS, _DECAY, _HEAD, _STATISTICS, _SAME, _FROZEN),
        ),
        Misconception(
            "weights-not-frozen",
            _norms_only,
            "Batch normalisation rests, but the weights of the backbone train. An optimizer moves whatever gets a "
            "gradient.",
            (_WEIGHTS, _DECAY, _HEAD, _STATISTICS, _SAME, _FROZEN),
        ),
        Misconception(
            "head-stays-frozen",
            _flags(_no_true),
            "The head is left as it came. In a model that was frozen before, by an earlier cell say, it would not "
            "train: it has to be switched on.",
            (_FROZEN,),
        ),
        Misconception(
            "last-block-trains",
            _flags(_last_child_trains),
            "The model's last part is left to train as a whole. In a VGG that part is several layers, and only the "
            "last one is the head.",
            (_WEIGHTS, _HEAD, _FROZEN),
        ),
        Misconception(
            "biases-train",
            _flags(_weights_without_biases),
            "The weights are frozen, the biases of the backbone train. They are parameters like any other.",
            (_WEIGHTS, _DECAY, _HEAD, _FROZEN, _STATISTICS, _SAME),
        ),
        Misconception(
            "only-the-bias-of-the-head",
            _head_bias_only,
            "Only the last parameter trains, and that is the bias of the head: its weight is frozen. A layer has one "
            "or two parameters.",
            (_HEAD, _FROZEN, _SAME),
        ),
        Misconception(
            "last-two-parameters",
            _last_two,
            "The last two parameters train. A head without bias has only one, and then the second belongs to the "
            "backbone.",
            (_WEIGHTS, _HEAD, _STATISTICS, _SAME),
        ),
        Misconception(
            "batchnorm-parameters-train",
            _affine_trains,
            "The scale and shift of batch normalisation train. They belong to the backbone like its weights.",
            (_STATISTICS, _SAME),
        ),
        Misconception(
            "gradients-set-to-zero",
            _zeroed_gradients,
            "The gradients of the backbone are set to zero instead of not being there. Then weight decay still shrinks "
            "the weights, and momentum goes on moving them.",
            (_DECAY,),
        ),
        Misconception(
            "statistics-reset",
            _statistics_reset,
            "The running statistics were reset. They were learnt on the source data, and the backbone's weights fit "
            "to them: they should stay, not start anew.",
            (_STATISTICS, _SAME),
        ),
    ),
    right={
        "the model's own train": by_train_of_the_model,
        "another class": by_another_class,
        "hooks and detached features": by_hooks,
        "fixed scale and shift instead of batchnorm": by_affine_layers,
        "a wrapper around the model": by_a_wrapper,
        "in place, nothing returned": in_place,
    },
)
