"""`replace-head`: a new last linear layer, and nothing else."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, nn

from autograder.exercises.model import Case, Criterion, Exercise, Misconception
from autograder.exercises.transfer.cases import images, phase

__all__ = ["REPLACE"]


def _last(model: nn.Module) -> tuple[str, nn.Linear]:
    return [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)][-1]


def _new(old: nn.Linear, num_classes: int, features: int | None = None) -> nn.Linear:
    weight = old.weight
    inputs = old.in_features if features is None else features
    return nn.Linear(inputs, num_classes, old.bias is not None, device=weight.device, dtype=weight.dtype)


def _put(model: nn.Module, name: str, module: nn.Module) -> nn.Module:
    owner, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(owner), attribute, module)
    return model


def _replace(model: nn.Module, num_classes: int) -> nn.Module:
    name, old = _last(model)
    return _put(model, name, _new(old, num_classes))


def _replace_recursively(model: nn.Module, num_classes: int) -> nn.Module:
    for name, child in reversed(list(model.named_children())):
        if isinstance(child, nn.Linear):
            setattr(model, name, nn.Linear(child.in_features, num_classes).to(child.weight))
            return model
        if any(isinstance(module, nn.Linear) for module in child.modules()):
            _replace_recursively(child, num_classes)
            return model
    return model


def _replace_lazily(model: nn.Module, num_classes: int) -> nn.Module:
    name, old = _last(model)
    return _put(model, name, nn.LazyLinear(num_classes, device=old.weight.device, dtype=old.weight.dtype))


def _replace_parameters(model: nn.Module, num_classes: int) -> nn.Module:
    """The layer stays, its parameters and its size are new."""
    _, head = _last(model)
    head.weight = nn.Parameter(torch.randn(num_classes, head.in_features).to(head.weight) * 0.01)
    head.bias = nn.Parameter(torch.zeros(num_classes).to(head.weight))
    head.out_features = num_classes
    return model


def _replace_in_module_dict(model: nn.Module, num_classes: int) -> nn.Module:
    """Through the dictionaries of modules, starting from zero."""
    _, old = _last(model)
    new = _new(old, num_classes)
    nn.init.zeros_(new.weight)
    for module in model.modules():
        for name in module._modules:
            if module._modules[name] is old:
                module._modules[name] = new
    return model


def _out_features(model: nn.Module, num_classes: int) -> nn.Module:
    _last(model)[1].out_features = num_classes
    return model


def _appended(model: nn.Module, num_classes: int) -> nn.Module:
    _, old = _last(model)
    return nn.Sequential(model, _new(old, num_classes, old.out_features))


def _only_fc(model: nn.Module, num_classes: int) -> nn.Module:
    return _put(model, "fc", _new(model.fc, num_classes))  # type: ignore[arg-type]


def _direct_child(model: nn.Module, num_classes: int) -> nn.Module:
    names = [name for name, child in model.named_children() if isinstance(child, nn.Linear)]
    return _put(model, names[-1], _new(model.get_submodule(names[-1]), num_classes)) if names else model  # type: ignore[arg-type]


def _last_child(model: nn.Module, num_classes: int) -> nn.Module:
    """The whole last block goes; the new layer fits its input."""
    name, child = list(model.named_children())[-1]
    first = next(module for module in child.modules() if isinstance(module, nn.Linear))
    return _put(model, name, _new(first, num_classes))


def _first_linear(model: nn.Module, num_classes: int) -> nn.Module:
    name, old = next((n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear))
    return _put(model, name, _new(old, num_classes))


def _rest_frozen(model: nn.Module, num_classes: int) -> nn.Module:
    return _replace(model.requires_grad_(False), num_classes)


def _all_frozen(model: nn.Module, num_classes: int) -> nn.Module:
    return _replace(model, num_classes).requires_grad_(False)


def _all_unfrozen(model: nn.Module, num_classes: int) -> nn.Module:
    return _replace(model, num_classes).requires_grad_(True)


def _old_rows(model: nn.Module, num_classes: int) -> nn.Module:
    _, old = _last(model)
    _replace(model, num_classes)
    _, new = _last(model)
    with torch.no_grad():
        rows = min(len(old.weight), num_classes)
        new.weight[:rows] = old.weight[:rows]
    return model


def _kept_where_it_fits(model: nn.Module, num_classes: int) -> nn.Module:
    return model if _last(model)[1].out_features == num_classes else _replace(model, num_classes)


def _softmax(model: nn.Module, num_classes: int) -> nn.Module:
    name, old = _last(model)
    return _put(model, name, nn.Sequential(_new(old, num_classes), nn.Softmax(dim=1)))


def _nothing_returned(model: nn.Module, num_classes: int) -> None:
    _replace(model, num_classes)


def _float32(model: nn.Module, num_classes: int) -> nn.Module:
    name, old = _last(model)
    return _put(model, name, nn.Linear(old.in_features, num_classes, old.bias is not None))


def _reset(model: nn.Module, num_classes: int) -> nn.Module:
    """Every layer starts afresh, as after building the model anew with another number of classes."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_parameters()
    return _replace(model, num_classes)


_OUTPUTS = ("features", "logits", "shape", "trainable", "fresh", "others", "modes", "returned")


def _cases(g: Generator) -> dict[str, Case]:
    def case(
        net: str,
        classes: int,
        frozen: list[str] | None = None,
        dtype: torch.dtype = torch.float32,
        outputs: tuple[str, ...] = _OUTPUTS,
    ) -> Case:
        inputs: dict[str, Any] = {"network": net, "phase": phase(g), "frozen": frozen or [], "num_classes": classes}
        return Case({**inputs, "images": images(g, 2, dtype)}, driver="replaced-head", outputs=outputs)

    return {
        "head called fc": case("fc", 5),
        "head at the end of a sequence": case("sequential", 2),
        "two layers in the classifier": case("classifier", 4, ["features"]),
        "blocks in blocks": case("head", 7, ["backbone.0"]),
        "shared layers, as many classes as before": case("shared", 3),
        "everything frozen": case("fc", 2, [""]),
        "float64": case("fc", 4, dtype=torch.float64, outputs=("shape", "dtype")),
    }


_LAYER = "the last linear layer gives num_classes outputs"
_REST = "everything else stays as it is"
_FRESH = "the new layer is new, whatever the number of classes"
_TRAINS = "the new layer can be trained"
_RETURNS = "returns the model"
_DTYPE = "the new layer has the dtype and the device of the model"
_MODELS = ("head*", "two*", "blocks*", "shared*", "everything*")
_NEW = tuple(name for name in _MODELS if name != "shared*")

REPLACE = Exercise(
    "replace-head",
    defines=("replace_head(model, num_classes)",),
    returns=("model",),
    reference=_replace,
    cases=_cases,
    # Handing back the model unchanged leaves features and flags as they are, hence shape or logits everywhere.
    criteria=(
        Criterion(_LAYER, 2, cases=_NEW, outputs=("shape",)),
        Criterion(_REST, 2, cases=_NEW, outputs=("features", "others", "modes", "logits")),
        Criterion(_FRESH, 0.5, cases=_MODELS, outputs=("fresh", "shape")),
        Criterion(_TRAINS, 0.5, cases=("everything frozen",), outputs=("trainable", "shape")),
        Criterion(_RETURNS, 0.5, cases=_NEW, outputs=("returned", "shape")),
        Criterion(_DTYPE, 0.5, cases=("float64",)),
    ),
    misconceptions=(
        Misconception(
            "attribute-changed",
            _out_features,
            "Only the attribute out_features was changed. It is a label for printing; the weight keeps its shape, and "
            "the layer computes what it did before.",
            (_LAYER, _REST, _FRESH, _TRAINS, _RETURNS, _DTYPE),
        ),
        Misconception(
            "layer-appended",
            _appended,
            "A layer was put behind the old head. It sees the scores of the old classes instead of the features below "
            "them, and everything that those scores leave out is lost.",
            (_REST,),
        ),
        Misconception(
            "head-assumed-to-be-fc",
            _only_fc,
            "The new layer becomes the attribute fc. That is its name in a ResNet; elsewhere the head is called "
            "classifier or head, or is the last entry of a sequence.",
            (_LAYER, _REST, _FRESH, _RETURNS),
        ),
        Misconception(
            "only-direct-children",
            _direct_child,
            "The head was looked for among the direct children of the model. Where it lies inside of a block nothing "
            "was replaced: children are one level, modules are all.",
            (_LAYER, _REST, _FRESH, _RETURNS),
        ),
        Misconception(
            "whole-block-replaced",
            _last_child,
            "The model's last part was replaced as a whole. In a VGG that part is several layers, and those before the "
            "last one are pretrained too.",
            (_REST,),
        ),
        Misconception(
            "first-linear-replaced",
            _first_linear,
            "The first linear layer that was found has been replaced. In a model with several, the head is the last.",
            (_LAYER, _REST, _FRESH, _RETURNS),
        ),
        Misconception(
            "rest-frozen",
            _rest_frozen,
            "The other layers were frozen on the way. Whether they train is another decision; here they keep the state "
            "that they had.",
            (_REST,),
        ),
        Misconception(
            "frozen-after-replacing",
            _all_frozen,
            "The whole model was frozen after the head had been replaced, the new head included. Training would stop "
            "with: element 0 of tensors does not require grad.",
            (_REST, _TRAINS),
        ),
        Misconception(
            "all-unfrozen",
            _all_unfrozen,
            "Layers that were frozen train again. Only the new layer has to.",
            (_REST,),
        ),
        Misconception(
            "mode-changed",
            lambda model, num_classes: _replace(model, num_classes).train(),
            "Other layers are in another mode than before: was the model put into training or evaluation mode on the "
            "way? Which mode it is in is decided elsewhere.",
            (_REST,),
        ),
        Misconception(
            "old-weights-kept",
            _old_rows,
            "The new layer starts from rows of the old one. They belong to other classes: row 0 was a tench and is to "
            "be your first class.",
            (_FRESH,),
        ),
        Misconception(
            "kept-where-the-size-fits",
            _kept_where_it_fits,
            "Where the number of classes is the same as before the old head was kept. Its classes are not yours, even "
            "if there are as many.",
            (_FRESH,),
        ),
        Misconception(
            "softmax-added",
            _softmax,
            "A softmax follows the new layer. The loss (cross-entropy) has one inside: with two of them gradients "
            "become small and no prediction becomes certain.",
            (_REST,),
        ),
        Misconception(
            "model-not-returned",
            _nothing_returned,
            "The model was changed, but it does not come back. Without a return a function gives None; and the new "
            "layer alone is not the model.",
            (_RETURNS,),
        ),
        Misconception(
            "everything-reset",
            _reset,
            "The other layers lost their pretrained values. Then nothing is transferred: change one layer of the model "
            "that came in, and initialise nothing else.",
            (_REST,),
        ),
        Misconception(
            "always-float32",
            _float32,
            "The new layer is float32 on the CPU wherever the model is. In a float64 model, and likewise on a GPU, the "
            "first forward pass fails.",
            (_DTYPE,),
        ),
    ),
    right={
        "recursion": _replace_recursively,
        "lazy layer": _replace_lazily,
        "new parameters in the old layer": _replace_parameters,
        "through the dictionaries, zeros": _replace_in_module_dict,
    },
)
