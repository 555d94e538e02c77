"""Parameter groups of an optimizer: matrices decay, biases and everything in a normalization layer do not."""

import functools

from torch import nn

from autograder.exercise import Case, Exercise
from exercises.regularization.shared import between

KINDS = ("weights", "biases", "normalization")
NORMALIZATION = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
)

exercise = Exercise(
    "decay-groups",
    "parameter_groups(model, weight_decay)",
    returns=KINDS,
    dtype="the groups hold the parameters of the model themselves",
    inputs="the parameters of a model are there to be changed",
)
WEIGHTS = exercise.criterion("weights decay", 1, cases="plain*", outputs="weights")
BIASES = exercise.criterion("biases do not, and are in a group", 1.25, cases="plain*", outputs="biases")
NORMS = exercise.criterion(
    "nothing in a normalization layer decays", 1.5, cases=("plain*", "blocks*"), outputs="normalization"
)
SHAPES = exercise.criterion("the kind of layer decides, not the shape", 0.75, cases="images*", outputs=KINDS)
ONCE = exercise.criterion("a shared parameter is listed once", 0.75, cases="shared*", outputs="weights")
DEEP = exercise.criterion(
    "modules within modules, and parameters of their own", 0.75, cases="blocks*", outputs=("weights", "biases")
)

@exercise.cases
def cases(g):
    def case(network, start, weight_decay, gradient, outputs=KINDS):
        inputs = {"network": network, "start": start, "weight_decay": weight_decay, "gradient": gradient}
        return Case(inputs, driver="regularization/decay-step", outputs=outputs)

    def drawn(network, outputs=KINDS):
        return case(network, between(g, 2.0, 5.0), between(g, 0.3, 0.9), between(g, 0.5, 1.5), outputs)

    yield "plain, by hand", case("linear, batchnorm", 4.0, 0.5, 1.0)
    yield "plain, convolutions", drawn("convolution, batchnorm")
    yield "plain, no biases", drawn("without biases")
    yield "plain, a layer called bias_net", drawn("bias in a name", ("weights", "biases"))
    yield "blocks", drawn("blocks")
    yield "images, normalized as a whole", drawn("layernorm over images")
    yield "shared weights", drawn("tied", ("weights",))

def split(model, weight_decay, decays):
    """Two groups, by `decays(module, name, parameter)`; each parameter once."""
    seen, groups = set(), {True: [], False: []}
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                groups[bool(decays(module, name, parameter))].append(parameter)
    decay = {"params": groups[True], "weight_decay": weight_decay}
    return [decay, {"params": groups[False], "weight_decay": 0.0}]

def is_norm(module):
    return isinstance(module, NORMALIZATION)

def right(module, name, parameter):
    return not is_norm(module) and "bias" not in name

# No plain function: what comes back must be the model's own parameters, so nothing can be done to it in passing.
exercise.reference(functools.partial(split, decays=right))

@exercise.right
def module_by_module(model, weight_decay):
    return split(model, weight_decay, right)

@exercise.right
def a_group_for_each_parameter(model, weight_decay):
    """By the names of the parameters that normalization layers own."""
    owned = {f"{name}.{own}" for name, m in model.named_modules() if is_norm(m) for own, _ in m.named_parameters()}
    return [
        {"params": parameter, "weight_decay": 0.0 if name in owned or name.endswith("bias") else weight_decay}
        for name, parameter in model.named_parameters()
    ]

@exercise.right
def sets_of_identities(model, weight_decay):
    free = {id(p) for m in model.modules() if is_norm(m) for p in m.parameters(recurse=False)}
    free |= {id(p) for name, p in model.named_parameters() if name.rpartition(".")[2] == "bias"}
    return (
        {"weight_decay": 0, "params": (p for p in model.parameters() if id(p) in free)},
        {"weight_decay": weight_decay, "params": (p for p in model.parameters() if id(p) not in free)},
    )

@exercise.right
def named_parameters_in_groups(model, weight_decay):
    """Pairs of name and parameter, which PyTorch's optimizers take, too; more settings in the groups."""
    names = {id(p): name for name, p in model.named_parameters()}
    groups = split(model, weight_decay, right)
    return [{**group, "params": [(names[id(p)], p) for p in group["params"]], "lr": 0.1} for group in groups]

def by(rule):
    """An answer whose groups follow from `rule(module, name, parameter)`."""

    def answer(model, weight_decay):
        return split(model, weight_decay, rule)

    answer.__name__, answer.__doc__ = rule.__name__, rule.__doc__
    return answer

@exercise.wrong(loses=(BIASES, NORMS), costs=3)
@by
def everything_decays(module, name, parameter):
    """Everything decays, which is what PyTorch does without groups. Biases, scales and shifts are to be left alone."""
    return True

@exercise.wrong(loses=WEIGHTS, costs=3)
@by
def nothing_decays(module, name, parameter):
    """Nothing decays: the strength that was passed reached no group."""
    return False

@exercise.wrong(loses=(WEIGHTS, BIASES, NORMS), costs=1.5)
@by
def groups_exchanged(module, name, parameter):
    """The two groups are exchanged: biases and normalization layers decay, and the weights do not."""
    return not right(module, name, parameter)

@exercise.wrong(loses=BIASES)
@by
def biases_decay(module, name, parameter):
    """Normalization layers are left alone, but the biases of the other layers decay."""
    return not is_norm(module)

@exercise.wrong(loses=NORMS, costs=1.25)
@by
def scales_of_normalization_decay(module, name, parameter):
    """The scales of normalization layers decay: they are called weight, and only what is called bias was left alone.
    All parameters of these layers are to be left alone, so ask what kind of layer owns a parameter."""
    return "bias" not in name

@exercise.wrong(loses=NORMS, costs=0.75)
@by
def batch_normalization_only(module, name, parameter):
    """Batch normalization is left alone, and the scales of other normalization layers decay. Layer, group and instance
    normalization have scales and shifts as well."""
    return "bias" not in name and not isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)

@exercise.wrong(loses=SHAPES, costs=0.75)
@by
def by_the_number_of_axes(module, name, parameter):
    """What has a single axis was left alone, and the rest decays. That works for many networks, but the scale of a
    layer normalization over whole images has several axes: ask which kind of layer owns a parameter."""
    return parameter.ndim > 1

@exercise.wrong(loses=DEEP, costs=0.75)
@by
def only_linear_and_convolutional_weights(module, name, parameter):
    """Only the weights of linear and convolutional layers decay. The rule names what does not decay, biases and
    normalization; everything else does, an embedding too."""
    return isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d) and name == "weight"

def by_dotted_names(model, weight_decay, decays):
    groups = {True: [], False: []}
    for name, parameter in model.named_parameters():
        groups[decays(name)].append(parameter)
    return [{"params": groups[True], "weight_decay": weight_decay}, {"params": groups[False], "weight_decay": 0.0}]

@exercise.wrong(loses=NORMS, costs=1)
def by_the_word_norm_in_names(model, weight_decay):
    """Parameters were chosen by words in their names. A normalization layer need not be called norm or bn: in a
    sequence its name is a number. Ask which kind of layer owns a parameter."""
    return by_dotted_names(
        model, weight_decay, lambda name: "bias" not in name and "norm" not in name and "bn" not in name
    )

@exercise.also(by_the_word_norm_in_names)
def by_the_word_norm_and_the_last_word(model, weight_decay):
    return by_dotted_names(
        model, weight_decay, lambda name: not name.endswith("bias") and "norm" not in name and "bn" not in name
    )

@exercise.wrong(loses=WEIGHTS, costs=0.25)
def by_the_word_bias_in_names(model, weight_decay):
    """A weight was left alone because the word bias occurs in the name of its layer. Only the last part of a dotted
    name is that of the parameter."""
    owned = {id(p) for m in model.modules() if is_norm(m) for p in m.parameters(recurse=False)}
    names = {name for name, p in model.named_parameters() if id(p) in owned}
    return by_dotted_names(model, weight_decay, lambda name: "bias" not in name and name not in names)

@exercise.wrong(loses=ONCE, costs=0.75)
def shared_parameter_twice(model, weight_decay):
    """A parameter that two layers share is listed twice. PyTorch only warns, and moves it twice in every step. A walk
    through the modules meets it twice: remember which parameters were seen."""
    groups = {True: [], False: []}
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            groups[right(module, name, parameter)].append(parameter)
    return [{"params": groups[True], "weight_decay": weight_decay}, {"params": groups[False], "weight_decay": 0.0}]

@exercise.wrong(loses=BIASES, costs=1.5)
def undecayed_left_out(model, weight_decay):
    """Biases and normalization layers are in no group at all, so the optimizer does not know them and they are never
    trained. Not decaying is not the same as not training: give them a group with a decay of zero."""
    return split(model, weight_decay, right)[:1]

@exercise.wrong(loses=(BIASES, NORMS), costs=0.75)
def zero_left_to_the_optimizer(model, weight_decay):
    """A group without a weight_decay of its own gets the default of the optimizer, and that need not be zero: AdamW's
    is 0.01. Write the zero into the group."""
    groups = split(model, weight_decay, right)
    return [groups[0], {"params": groups[1]["params"]}]

@exercise.wrong(loses=NORMS, costs=1)
def normalization_left_out(model, weight_decay):
    """The parameters of normalization layers are in no group, so they are never trained. Not decaying is not the same
    as not training: they belong to the group with a decay of zero."""
    owned = {id(p) for m in model.modules() if is_norm(m) for p in m.parameters(recurse=False)}
    groups = split(model, weight_decay, right)
    return [{**group, "params": [p for p in group["params"] if id(p) not in owned]} for group in groups]

@exercise.wrong(loses=(BIASES, NORMS), costs=1)
def undecayed_in_both_groups(model, weight_decay):
    """The decaying group lists all parameters, and the other one lists some of them once more. Each parameter belongs
    to one group; PyTorch's optimizers refuse a list like this."""
    groups = split(model, weight_decay, right)
    return [{"params": list(model.parameters()), "weight_decay": weight_decay}, groups[1]]

@exercise.wrong(loses=DEEP, costs=1)
def children_of_the_model_only(model, weight_decay):
    """Only layers that are direct children of the model were looked at. What lies in blocks is in no group, and is
    never trained: walk through all modules, not only through the first level."""
    return split(nn.ModuleList(child for child in model.children() if not list(child.children())), weight_decay, right)

@exercise.wrong(loses=DEEP, costs=0.5)
def parameters_of_their_own_left_out(model, weight_decay):
    """A parameter that belongs to no layer but to a module of its own making is in no group, and is never trained. Walk
    through all modules, with whatever parameters each has itself."""
    layers = nn.ModuleList(m for m in model.modules() if not list(m.children()))
    return split(layers, weight_decay, right)

@exercise.wrong(loses=WEIGHTS, costs=0.75)
def half_the_strength(model, weight_decay):
    """The weights decay by half of what was asked for. In an optimizer's group stands lam itself: the factor one half
    of the penalty is gone in its derivative."""
    return split(model, weight_decay / 2, right)

@exercise.wrong(loses=WEIGHTS, costs=0.75)
def a_fixed_strength(model, weight_decay):
    """The weights decay by a fixed amount, a default, and not by the strength that was passed."""
    return split(model, 0.01, right)
