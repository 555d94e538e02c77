"""Parameters of one linear layer, and of two with a narrow layer between them."""

import itertools

import torch
from torch import nn

from autograder.exercise import Exercise
from exercises.regularization.shared import among

exercise = Exercise(
    "bottleneck-parameters",
    "bottleneck_parameters(inputs, outputs, width, bias)",
    returns=("direct", "factored"),
    dtype="counts are whole numbers",
    inputs="whole numbers cannot be overwritten",
)
DIRECT = exercise.criterion("counts the one layer", 0.5, cases="without*", outputs="direct")
FACTORED = exercise.criterion("counts both layers of the bottleneck", 1, cases="without*", outputs="factored")
BIASES = exercise.criterion("counts the biases where there are any", 0.5, cases="with biases*")

@exercise.cases
def cases(g):
    def case(inputs, outputs, width, bias):
        return {"inputs": inputs, "outputs": outputs, "width": width, "bias": bias}

    yield "without biases, by hand", case(4, 3, 2, False)
    yield "with biases, by hand", case(4, 3, 2, True)
    # No two of the three numbers are equal, and the narrow layer is not always the narrowest.
    yield "without biases", case(among(g, 20, 29), among(g, 10, 19), among(g, 3, 9), False)
    yield "with biases", case(among(g, 20, 29), among(g, 10, 19), among(g, 3, 9), True)
    yield "without biases, wide", case(among(g, 5, 9), among(g, 11, 15), among(g, 20, 30), False)
    yield "with biases, more outputs than inputs", case(among(g, 5, 9), among(g, 31, 39), among(g, 2, 4), True)

@exercise.reference
def from_layers(inputs, outputs, width, bias):
    """By PyTorch's own layers, which have no memory on the device `meta`."""

    def count(*sizes):
        layers = [nn.Linear(a, b, bias, device="meta") for a, b in itertools.pairwise(sizes)]
        return sum(p.numel() for layer in layers for p in layer.parameters())

    return count(inputs, outputs), count(inputs, width, outputs)

def layer(a, b, bias):
    """Weights and biases of one layer."""
    return a * b + b * bias

@exercise.right
def by_formula(inputs, outputs, width, bias):
    return layer(inputs, outputs, bias), layer(inputs, width, bias) + layer(width, outputs, bias)

@exercise.right
def inputs_and_a_one(inputs, outputs, width, bias):
    """The bias as the weight of one more input, which is always 1."""
    more = 1 if bias else 0
    return [(inputs + more) * outputs, width * (inputs + outputs + more) + more * outputs]

@exercise.right
def whole_tensors(inputs, outputs, width, bias):
    a = torch.tensor([inputs, inputs, width])
    b = torch.tensor([outputs, width, outputs])
    counts = a * b + b * bias
    return counts[0], counts[1:].sum()

@exercise.right
def in_floating_point(inputs, outputs, width, bias):
    direct, factored = by_formula(inputs, outputs, width, bias)
    return float(direct), float(factored)

@exercise.wrong(loses=FACTORED)
def three_numbers_multiplied(inputs, outputs, width, bias):
    """The count of the bottleneck is the product of all three sizes. Two layers stand one after the other, so their
    counts add up: work out each by itself."""
    return layer(inputs, outputs, bias), inputs * width * outputs + (width + outputs) * bias

@exercise.wrong(loses=FACTORED)
def first_layer_only(inputs, outputs, width, bias):
    """Only the layer into the bottleneck was counted. A second one leads out of it, to the outputs."""
    return layer(inputs, outputs, bias), layer(inputs, width, bias)

@exercise.wrong(loses=FACTORED)
def second_layer_only(inputs, outputs, width, bias):
    """Only the layer out of the bottleneck was counted. A first one leads into it, from the inputs."""
    return layer(inputs, outputs, bias), layer(width, outputs, bias)

@exercise.wrong(loses=FACTORED, costs=0.75)
def a_layer_inside_the_bottleneck(inputs, outputs, width, bias):
    """The bottleneck has a layer from its width to its width as well. There are two layers: into it and out of it."""
    both = layer(inputs, width, bias) + layer(width, width, bias) + layer(width, outputs, bias)
    return layer(inputs, outputs, bias), both

@exercise.wrong(loses=FACTORED, costs=0.75)
def the_direct_layer_added(inputs, outputs, width, bias):
    """The bottleneck was counted on top of the one layer. It takes that layer's place."""
    direct, factored = by_formula(inputs, outputs, width, bias)
    return direct, direct + factored

@exercise.wrong(loses=FACTORED, costs=0.5)
def the_parameters_saved(inputs, outputs, width, bias):
    """The second number says how many parameters are saved. The exercise asks how many the two layers have."""
    direct, factored = by_formula(inputs, outputs, width, bias)
    return direct, direct - factored

@exercise.also(the_parameters_saved)
def the_parameters_added(inputs, outputs, width, bias):
    direct, factored = by_formula(inputs, outputs, width, bias)
    return direct, factored - direct

@exercise.wrong(loses=FACTORED, costs=0.75)
def the_layers_multiplied(inputs, outputs, width, bias):
    """The counts of the two layers were multiplied. Each parameter of either is one parameter: they add up."""
    return layer(inputs, outputs, bias), layer(inputs, width, bias) * layer(width, outputs, bias)

@exercise.wrong(loses=(DIRECT, FACTORED), costs=0.5)
def results_exchanged(inputs, outputs, width, bias):
    """The two counts come in the wrong order: the one layer first, then the bottleneck."""
    return by_formula(inputs, outputs, width, bias)[::-1]

@exercise.wrong(loses=(DIRECT, FACTORED))
def units_counted(inputs, outputs, width, bias):
    """Units were counted, not the weights between them. A linear layer has a weight for every pair of an input and an
    output."""
    return inputs + outputs + outputs * bias, inputs + width + outputs + (width + outputs) * bias

@exercise.wrong(loses=(DIRECT, FACTORED), costs=0.5)
def biases_always(inputs, outputs, width, bias):
    """Biases were counted although these layers have none: that is what the last argument says."""
    return by_formula(inputs, outputs, width, True)

@exercise.wrong(loses=BIASES)
def biases_never(inputs, outputs, width, bias):
    """The biases are missing. A layer with biases has one for each of its outputs."""
    return by_formula(inputs, outputs, width, False)

@exercise.wrong(loses=BIASES, costs=0.25)
def no_bias_inside(inputs, outputs, width, bias):
    """The layer into the bottleneck was counted without its biases. With `bias` every layer has one for each of its
    outputs, this one too."""
    return layer(inputs, outputs, bias), inputs * width + layer(width, outputs, bias)

@exercise.wrong(loses=BIASES, costs=0.25)
def bias_inside_only(inputs, outputs, width, bias):
    """The layer out of the bottleneck was counted without its biases. With `bias` every layer has one for each of its
    outputs, this one too."""
    return layer(inputs, outputs, bias), layer(inputs, width, bias) + width * outputs

@exercise.wrong(loses=BIASES, costs=0.25)
def a_bias_for_each_input(inputs, outputs, width, bias):
    """Each layer has as many biases as inputs. It has one for each of its outputs."""
    direct, factored = by_formula(inputs, outputs, width, False)
    return direct + inputs * bias, factored + (inputs + width) * bias

@exercise.wrong(loses=BIASES, costs=0.25)
def one_bias_for_each_layer(inputs, outputs, width, bias):
    """Each layer has a single bias. It has one for each of its outputs."""
    direct, factored = by_formula(inputs, outputs, width, False)
    return direct + bias, factored + 2 * bias

@exercise.wrong(loses=BIASES, costs=0.25)
def no_bias_in_the_direct_layer(inputs, outputs, width, bias):
    """The one layer was counted without its biases. With `bias` every layer has some, this one too."""
    return inputs * outputs, by_formula(inputs, outputs, width, bias)[1]
