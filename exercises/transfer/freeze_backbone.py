"""A frozen backbone: only the head trains, and batch normalization rests."""

import types

import torch
from torch import nn

from autograder.exercise import Case, Exercise
from exercises.transfer.shared import images, phase

PLAIN = ("weights, sequence", "weights, two*", "weights, head*")
BATCHNORM = ("batchnorm", "batchnorm in blocks", "batchnorm called bn in a block")

exercise = Exercise(
    "freeze-backbone",
    "freeze_backbone(model)",
    returns="model",
    dtype="a model comes back",
    inputs="the model is there to be changed",
    observes=("returned",),
)
WEIGHTS = exercise.criterion("the weights of the backbone stay", 2, cases=PLAIN, outputs="in_evaluation")
DECAY = exercise.criterion(
    "they stay under momentum and weight decay too", 1, cases="weights, momentum*", outputs="in_evaluation"
)
HEAD = exercise.criterion("the head trains, all of it", 1, cases=PLAIN, outputs="head")
FROZEN = exercise.criterion("the head trains even if it came frozen", 0.5, cases="everything came frozen")
STATISTICS = exercise.criterion(
    "batch normalization keeps its statistics after model.train()",
    3,
    cases=(*BATCHNORM, "batchnorm, mode*"),
    outputs="in_evaluation",
)
SAME = exercise.criterion(
    "the backbone computes the same in training mode as in evaluation mode",
    2,
    cases=BATCHNORM,
    outputs=("in_training", "head"),
)
RETURNS = exercise.criterion("returns the model", 0.5, cases=PLAIN, outputs="returned")

@exercise.cases
def cases(g):
    def case(net, outputs, frozen=None, *, epochs=True, decay=0.0):
        inputs = {"network": net, "phase": phase(g), "frozen": frozen or [], "images": images(g, 3, torch.float64)}
        more = {"labels": torch.tensor([2, 0, 1]), "probe": images(g, 3, torch.float64), "epochs": epochs}
        settings = {"weight_decay": decay, "momentum": 0.9 if decay else 0.0}
        return Case({**inputs, **more, **settings}, driver="transfer/frozen-training", outputs=outputs)

    plain, normal = ("head", "in_evaluation", "returned"), ("head", "in_training", "in_evaluation")
    yield "weights, sequence", case("sequential", plain)
    yield "weights, two layers in the classifier", case("classifier", plain)
    yield "weights, head without bias", case("no bias", plain)
    yield "weights, momentum and weight decay", case("sequential", plain, decay=0.3)
    yield "batchnorm", case("fc, 1 x 1", normal)
    yield "batchnorm in blocks", case("head", normal)
    yield "batchnorm called bn in a block", case("nested", normal)
    yield "batchnorm, mode left alone", case("fc, 1 x 1", normal, epochs=False)
    yield "everything came frozen", case("sequential", ("head",), [""])

def head_of(model):
    """The last linear layer."""
    return [module for module in model.modules() if isinstance(module, nn.Linear)][-1]

def only_head_requires(model):
    """Flags alone: the half that everybody remembers."""
    model.requires_grad_(False)
    head_of(model).requires_grad_(True)
    return model

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)

def norms_of(model):
    """All batch normalizations."""
    return [module for module in model.modules() if isinstance(module, NORMS)]

def stay(norm, mode=True):
    return norm

def keep_norms(model):
    """The half that many forget: each batch normalization stays in evaluation mode by a `train` of its own."""
    for norm in norms_of(model):
        norm.eval()
        norm.train = types.MethodType(stay, norm)
    return model

@exercise.reference
def freeze(model):
    return keep_norms(only_head_requires(model))

@exercise.right
def the_model_s_own_train(model):
    """The model's own `train` puts everything but the head back into evaluation mode."""
    only_head_requires(model)
    original, head = model.train, head_of(model)

    def train(mode=True):
        original(mode)
        for module in model.modules():
            if module is not head:
                module.training = False
        return model

    model.train = train
    return model.train()

@exercise.right
def another_class(model):
    """The object gets another class, in which `train` spares batch normalization."""

    def train(self, mode=True):
        nn.Module.train(self, mode)
        for norm in norms_of(self):
            norm.eval()
        return self

    only_head_requires(model)
    model.__class__ = type("Frozen", (type(model),), {"train": train})
    return model.train(model.training)

@exercise.right
def hooks_and_detached_features(model):
    """Before each forward pass a hook puts batch normalization back; features are detached in front of the head."""

    def rest(module, args):
        for norm in norms_of(module):
            norm.eval()

    def detach(module, args):
        return tuple(arg.detach() for arg in args)

    model.register_forward_pre_hook(rest)
    head_of(model).requires_grad_(True).register_forward_pre_hook(detach)
    return model

class Affine(nn.Module):
    """Batch normalization with fixed statistics, as one scale and one shift."""

    def __init__(self, norm):
        super().__init__()
        scale = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
        self.register_buffer("scale", scale.clone())
        self.register_buffer("shift", norm.bias.detach() - norm.running_mean * scale)

    def forward(self, x):
        shape = (1, -1) + (1,) * (x.ndim - 2)
        return x * self.get_buffer("scale").reshape(shape) + self.get_buffer("shift").reshape(shape)

@exercise.right
def fixed_scale_and_shift_instead_of_batchnorm(model):
    """Batch normalization is replaced by a fixed scale and shift."""
    only_head_requires(model)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, NORMS):
                setattr(parent, name, Affine(child))
    return model

class Wrapper(nn.Module):
    """The whole frozen model, of which `train` reaches the head only."""

    def __init__(self, model):
        super().__init__()
        self.model = model.eval()

    def train(self, mode=True):
        self.training = mode
        head_of(self.model).train(mode)
        return self

    def forward(self, x):
        return self.model(x)

@exercise.right
def a_wrapper_around_the_model(model):
    """A module around the model."""
    return Wrapper(only_head_requires(model))

@exercise.wrong(loses=(STATISTICS, SAME), costs=4)
def batchnorm_forgotten(model):
    """No weight moves, but batch normalization still averages its statistics over your images: they are not parameters,
    requires_grad does not concern them. The frozen backbone drifts."""
    return only_head_requires(model)

@exercise.wrong(loses=(STATISTICS, SAME), costs=3)
def eval_undone_by_train(model):
    """Batch normalization was put into evaluation mode once. The next switch to training mode, at the start of every
    epoch, reaches all layers and undoes it."""
    only_head_requires(model)
    for norm in norms_of(model):
        norm.eval()
    return model

@exercise.wrong(loses=(STATISTICS, SAME), costs=1.5)
def batchnorm1d_forgotten(model):
    """The layers of type BatchNorm2d rest, those of type BatchNorm1d go on. There are batch normalizations behind
    linear layers, too."""
    only_head_requires(model)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            keep_norms(module)
    return model

@exercise.wrong(loses=(STATISTICS, SAME), costs=2)
def only_direct_children(model):
    """Batch normalization rests where it is a direct child of the model. Inside of blocks it goes on: children are one
    level, modules are all."""
    only_head_requires(model)
    for child in model.children():
        if isinstance(child, NORMS):
            keep_norms(child)
    return model

@exercise.wrong(loses=SAME, costs=1.5)
def statistics_kept_but_not_used(model):
    """The running statistics rest, but in training mode each batch is still normalized by its own. The head learns on
    other features than it meets at evaluation."""
    only_head_requires(model)
    for norm in norms_of(model):
        norm.momentum = 0.0
    return model

@exercise.wrong(loses=(STATISTICS, SAME), costs=2.5)
def always_the_batch_s_own_statistics(model):
    """Batch normalization uses each batch's own statistics, in evaluation mode too: it was left in training mode for
    good, or its running statistics were taken away. It should use those that it came with, in either mode."""
    only_head_requires(model)
    for norm in norms_of(model):
        norm.train = types.MethodType(stay, norm)
    return model

@exercise.also(always_the_batch_s_own_statistics)
def running_statistics_taken_away(model):
    only_head_requires(model)
    for norm in norms_of(model):
        norm.track_running_stats, norm.running_mean, norm.running_var = False, None, None
    return model

@exercise.wrong(loses=STATISTICS, costs=0.75)
def rests_from_the_next_train_on(model):
    """Batch normalization rests from the next switch of the mode on, and not before. Until then it is in the mode in
    which it came, and averages its statistics over your images."""
    only_head_requires(model)
    original = model.train

    def train(mode=True):
        original(mode)
        for norm in norms_of(model):
            norm.training = False
        return model

    model.train = train
    return model

@exercise.wrong(loses=(HEAD, FROZEN), costs=2)
def everything_frozen(model):
    """The head is frozen too, so nothing trains, and the loss has no graph to go back through."""
    return keep_norms(model.requires_grad_(False))

@exercise.wrong(loses=(HEAD, FROZEN), costs=1.5)
def head_assumed_to_be_fc(model):
    """The head was looked for under the name fc, and elsewhere it is frozen with the rest. That is its name in a
    ResNet; in other models it is called classifier or head, or is the last entry of a sequence."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("fc."))
    return keep_norms(model)

@exercise.wrong(loses=(WEIGHTS, HEAD, FROZEN), costs=2)
def head_guessed_by_name(model):
    """What is called fc, classifier or head trains. Names are habits: a classifier can have several layers, and in a
    sequence layers have only numbers. Here the head is found by what it is, the last linear layer."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(word in name for word in ("fc", "classifier", "head")))
    return keep_norms(model)

@exercise.wrong(loses=(WEIGHTS, DECAY, HEAD, FROZEN, STATISTICS, SAME), costs=10)
def nothing_frozen(model):
    """Everything trains. Evaluation mode and no_grad inside this function do not outlast it: the mode is set anew in
    every epoch, and no_grad ends with its block."""
    with torch.no_grad():
        return model.eval()

@exercise.wrong(loses=(WEIGHTS, DECAY), costs=4)
def weights_not_frozen(model):
    """Batch normalization rests, but the weights of the backbone train. An optimizer moves whatever gets a gradient."""
    return keep_norms(model)

def backbone_parameters(model):
    own = {id(parameter) for parameter in head_of(model).parameters()}
    return [parameter for parameter in model.parameters() if id(parameter) not in own]

def freeze_only(model, parameters):
    for parameter in parameters:
        parameter.requires_grad_(False)
    return keep_norms(model)

@exercise.wrong(loses=FROZEN)
def head_stays_frozen(model):
    """The head is left as it came. In a model that was frozen before, by an earlier cell say, it would not train: it
    has to be switched on."""
    return freeze_only(model, backbone_parameters(model))

@exercise.wrong(loses=WEIGHTS, costs=1.5)
def last_block_trains(model):
    """The model's last part is left to train as a whole. In a VGG that part is several layers, and only the last one is
    the head."""
    return freeze_only(model, [p for child in list(model.children())[:-1] for p in child.parameters()])

@exercise.wrong(loses=WEIGHTS, costs=2)
def biases_train(model):
    """The weights are frozen, the biases of the backbone train. They are parameters like any other."""
    weights = {id(p) for name, p in model.named_parameters() if name.endswith("weight")}
    return freeze_only(model, [p for p in backbone_parameters(model) if id(p) in weights])

@exercise.wrong(loses=HEAD, costs=1.5)
def only_the_bias_of_the_head(model):
    """Only the last parameter trains, and that is the bias of the head: its weight is frozen. A layer has one or two
    parameters."""
    parameters = list(model.parameters())
    for parameter in parameters:
        parameter.requires_grad_(parameter is parameters[-1])
    return keep_norms(model)

@exercise.wrong(loses=WEIGHTS, costs=1)
def last_two_parameters(model):
    """The last two parameters train. A head without bias has only one, and then the second belongs to the backbone."""
    parameters = list(model.parameters())
    for number, parameter in enumerate(parameters):
        parameter.requires_grad_(number >= len(parameters) - 2)
    return keep_norms(model)

@exercise.wrong(loses=STATISTICS, costs=1.5)
def batchnorm_parameters_train(model):
    """The scale and shift of batch normalization train. They belong to the backbone like its weights."""
    only_head_requires(model)
    for norm in norms_of(model):
        norm.requires_grad_(True)
    return keep_norms(model)

@exercise.wrong(loses=DECAY)
def gradients_set_to_zero(model):
    """The gradients of the backbone are set to zero instead of not being there. Then weight decay still shrinks the
    weights, and momentum goes on moving them."""
    model.requires_grad_(True)
    for parameter in backbone_parameters(model):
        parameter.register_hook(torch.zeros_like)
    return keep_norms(model)

@exercise.wrong(loses=STATISTICS, costs=2)
def statistics_reset(model):
    """The running statistics were reset. They were learned on the source data, and the backbone's weights fit them:
    they should stay, not start anew."""
    freeze(model)
    for norm in norms_of(model):
        norm.reset_running_stats()
    return model

@exercise.wrong(loses=(STATISTICS, SAME), costs=3)
def batchnorm_found_by_name(model):
    """Batch normalization rests where its name says what it is, and goes on elsewhere: in a sequence layers have only
    numbers. Ask for the type of a layer, not for its name."""
    only_head_requires(model)
    for name, module in model.named_modules():
        if isinstance(module, NORMS) and ("bn" in name or "norm" in name):
            keep_norms(module)
    return model

@exercise.also(statistics_kept_but_not_used)
def tracking_switched_off(model):
    only_head_requires(model)
    for norm in norms_of(model):
        norm.track_running_stats = False
    return model

@exercise.wrong(loses=HEAD, costs=1)
def head_frozen_but_its_weight(model):
    """The bias of the head is frozen. A layer has one or two parameters, and all of them train."""
    parameters = dict(head_of(model).named_parameters())
    freeze(model)
    if "bias" in parameters:
        parameters["bias"].requires_grad_(False)
    return model

@exercise.also(statistics_kept_but_not_used)
def tracking_switched_off_in_evaluation_mode(model):
    tracking_switched_off(model)
    for norm in norms_of(model):
        norm.eval()
    return model

@exercise.wrong(loses=WEIGHTS, costs=1)
def all_linear_layers_train(model):
    """All linear layers train. A backbone can have linear layers too; the head is only the last of them."""
    freeze(model)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.requires_grad_(True)
    return model

@exercise.wrong(loses=RETURNS)
def model_not_returned(model):
    """The model does not come back: without a return a function gives None. Whoever calls it goes on with nothing."""
    freeze(model)
