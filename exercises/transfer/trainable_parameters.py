"""How many numbers of a model train, and how many there are."""

import numpy as np
import torch
from torch import nn

from autograder.exercise import Case, Exercise, one_of
from exercises.transfer.shared import images, phase

NOT_SHARED = ("by hand", "nothing*", "a part*", "blocks*", "everything*", "parameters*")

exercise = Exercise(
    "trainable-parameters",
    "count_parameters(model)",
    returns=("trainable", "total"),
    dtype="counts are whole numbers",
    inputs="a model comes in, and counting has no reason to write",
)
TOTAL = exercise.criterion("counts every number of every parameter", 1, cases=NOT_SHARED, outputs="total")
TRAINABLE = exercise.criterion("tells those that train from the others", 1, cases=NOT_SHARED, outputs="trainable")
SHARED = exercise.criterion("counts what is shared once", 1, cases="shared*")

@exercise.cases
def cases(g):
    def case(net, *frozen, added=None):
        inputs = {"network": net, "phase": phase(g), "frozen": list(frozen), "images": images(g, 1)}
        added = one_of(g, 2, 3, 4, 5, 6, 7, 8, 9) if added is None else added
        return Case({**inputs, "added": added}, driver="transfer/parameter-count")

    yield "by hand", case("by hand", "0", added=0)
    yield "nothing frozen", case("fc")
    yield "a part frozen", case("classifier", "features")
    yield "blocks, one frozen", case("head", "backbone.1")
    yield "everything frozen", case("nested", "")
    yield "parameters that belong to no layer", case("own", "stem")
    yield "shared", case("shared")
    yield "shared, frozen", case("shared", "block")

@exercise.reference
def count(model):
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, trains in sizes if trains), sum(size for size, _ in sizes)

@exercise.right
def module_by_module_a_list(model):
    """Module by module, remembering what was seen."""
    seen = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            seen[id(parameter)] = parameter
    trainable = [parameter for parameter in seen.values() if parameter.requires_grad]
    return [sum(int(np.prod(p.shape)) for p in chosen) for chosen in (trainable, seen.values())]

@exercise.right
def vector_as_tensors(model):
    """As tensors, from the flattened vector."""
    total = nn.utils.parameters_to_vector(model.parameters()).numel()
    frozen = sum(p.nelement() for p in model.parameters() if not p.requires_grad)
    return torch.tensor(total - frozen), torch.tensor(total)

def sums(parameters):
    return sum(p.numel() for p in parameters if p.requires_grad), sum(p.numel() for p in parameters)

@exercise.wrong(loses=SHARED, costs=1)
def shared_counted_twice(model):
    """What two layers share was counted for each of them. There is one set of numbers, and an
    optimizer moves it once."""
    # By every name that it has, so that what is shared comes repeatedly.
    modules = [module for _, module in model.named_modules(remove_duplicate=False)]
    return sums([p for module in modules for _, p in module.named_parameters(recurse=False, remove_duplicate=False)])

@exercise.also(shared_counted_twice)
def shared_counted_for_every_layer(model):
    return sums([p for module in model.modules() for p in module.parameters(recurse=False)])

@exercise.wrong(loses=TOTAL, costs=1)
def buffers_counted(model):
    """The running statistics of batch normalization are in the total. They are buffers, not parameters: no gradient
    ever reaches them."""
    trainable, total = count(model)
    return trainable, total + sum(buffer.numel() for buffer in model.buffers())

@exercise.wrong(loses=TOTAL, costs=1)
def state_dict_counted(model):
    """The total is that of the state_dict. It also holds buffers, and shared tensors under each of their names."""
    return count(model)[0], sum(tensor.numel() for tensor in model.state_dict().values())

@exercise.wrong(loses=(TOTAL, TRAINABLE, SHARED))
def tensors_counted(model):
    """The tensors were counted, not the numbers in them."""
    flags = [parameter.requires_grad for parameter in model.parameters()]
    return sum(flags), len(flags)

@exercise.wrong(loses=(TOTAL, TRAINABLE), costs=1)
def order_swapped(model):
    """The two numbers are exchanged: those that train should come first, then all."""
    trainable, total = count(model)
    return total, trainable

@exercise.wrong(loses=TRAINABLE, costs=1)
def frozen_counted(model):
    """The first number counts what is frozen. The exercise asks for what trains."""
    trainable, total = count(model)
    return total - trainable, total

@exercise.wrong(loses=TOTAL, costs=1)
def frozen_instead_of_total(model):
    """The second number counts what is frozen. The exercise asks for all parameters."""
    trainable, total = count(model)
    return trainable, total - trainable

@exercise.wrong(loses=TRAINABLE, costs=1)
def frozen_not_told_apart(model):
    """Both numbers are the total. Each parameter says for itself whether it trains."""
    return count(model)[1], count(model)[1]

def once(parameters):
    return list({id(p): p for p in parameters}.values())

def of_layers(model):
    return [p for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d) for p in m.parameters()]

@exercise.wrong(loses=TOTAL, costs=1.5)
def normalization_left_out(model):
    """Only linear and convolutional layers were counted. The scale and shift of batch normalization
    are parameters too."""
    return sums(once(of_layers(model)))

exercise.both(normalization_left_out, shared_counted_twice)(lambda model: sums(of_layers(model)))

@exercise.wrong(loses=(TOTAL, TRAINABLE), costs=0.5)
def parameters_of_their_own_left_out(model):
    """A parameter that lies in no layer, but belongs to the model or to a block itself, was not counted. Vision
    transformers have such. The model lists all of its parameters, wherever they lie."""
    return sums(once(p for m in model.modules() if not list(m.children()) for p in m.parameters()))

@exercise.also(parameters_of_their_own_left_out)
def weights_and_biases_of_modules(model):
    found = [getattr(m, name, None) for m in model.modules() for name in ("weight", "bias")]
    return sums(once(p for p in found if p is not None))

@exercise.also(parameters_of_their_own_left_out)
def parameters_of_children(model):
    return sums(once(p for child in model.children() for p in child.parameters()))

@exercise.wrong(loses=TOTAL, costs=1.5)
def biases_left_out(model):
    """The biases are missing. They are parameters as well."""
    return sums([p for name, p in model.named_parameters() if name.endswith("weight")])

@exercise.also(biases_left_out)
def what_is_called_bias_left_out(model):
    return sums([p for name, p in model.named_parameters() if "bias" not in name])

@exercise.wrong(loses=TOTAL, costs=1.5)
def only_direct_children(model):
    """Only layers that are direct children of the model were counted. What lies in blocks is missing: children are one
    level, modules are all."""
    own = [p for child in model.children() for p in child._parameters.values() if p is not None]
    return sums([*own, *model._parameters.values()])

@exercise.also(only_direct_children)
def only_layers_that_are_direct_children(model):
    return sums([p for child in model.children() for p in child.parameters(recurse=False)])

@exercise.also(only_direct_children)
def each_layer_that_is_a_direct_child_once(model):
    return sums(once(p for child in model.children() for p in child.parameters(recurse=False)))

@exercise.wrong(loses=(TOTAL, TRAINABLE), costs=2)
def every_level_counted(model):
    """What lies in blocks was counted once for every level above it: each module already lists the parameters of all
    modules inside it."""
    return sums([p for module in model.modules() for p in module.parameters()])

@exercise.wrong(loses=(TOTAL, TRAINABLE), costs=1.5)
def only_two_axes(model):
    """Only the product of the first two axes of each parameter was counted. A convolution has four, a bias one."""
    pairs = [(p, int(np.prod(p.shape[:2])) if p.ndim > 1 else len(p)) for p in model.parameters()]
    return sum(size for p, size in pairs if p.requires_grad), sum(size for _, size in pairs)

@exercise.wrong(loses=TOTAL, costs=1.5)
def only_weights_of_matrices(model):
    """Only parameters with two axes or more were counted. Biases, and the scale and shift of batch normalization, have
    one."""
    return sums([p for p in model.parameters() if p.ndim > 1])
