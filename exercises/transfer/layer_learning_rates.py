"""A learning rate for each layer: the further from the head, the slower."""

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.draws import uniform

exercise = Exercise(
    "layer-learning-rates",
    "layer_learning_rates(num_layers, base_lr, decay)",
    returns="rates",
    dtype="plain numbers come in",
    inputs="plain numbers cannot be changed",
)
LAST = exercise.criterion("one rate for each layer, the base rate for the last", 1, outputs=("layers", "last"))
EARLIER = exercise.criterion("each earlier layer has the next one's rate times decay", 2, outputs="rates")

@exercise.cases
def cases(g):
    def case(layers, low, high, outputs=("rates", "layers", "last")):
        base, decay = (round(float(uniform(g, *ends, 1)), 3) for ends in ((0.01, 0.2), (low, high)))
        return given(layers, base, decay, outputs)

    def given(layers, base, decay, outputs=("rates", "layers", "last")):
        return Case({"num_layers": layers, "base_lr": base, "decay": decay}, driver="transfer/rates", outputs=outputs)

    yield "three layers, by hand", given(3, 0.4, 0.5)
    yield "four layers", case(4, 0.25, 0.4)
    yield "seven layers", case(7, 0.6, 0.85)
    yield "one layer", case(1, 0.3, 0.5, ("rates",))
    yield "frozen below, decay 0", case(4, 0.0, 0.0, ("rates",))

@exercise.reference
def from_the_last_down(num_layers, base_lr, decay):
    rate, rates = base_lr, []
    for _ in range(num_layers):
        rates.append(rate)
        rate *= decay
    return torch.tensor(rates[::-1], dtype=torch.float64)

@exercise.right
def powers_of_a_tensor(num_layers, base_lr, decay):
    return base_lr * decay ** torch.arange(num_layers - 1, -1, -1)

@exercise.right
def a_list(num_layers, base_lr, decay):
    return [base_lr * decay ** (num_layers - 1 - layer) for layer in range(num_layers)]

@exercise.right
def numpy(num_layers, base_lr, decay):
    return base_lr * np.logspace(num_layers - 1, 0, num_layers, base=decay)

@exercise.right
def running_product(num_layers, base_lr, decay):
    factors = torch.full((num_layers,), float(decay))
    factors[0] = base_lr
    return factors.cumprod(0).flip(0)

@exercise.wrong(loses=(LAST, EARLIER), costs=1.5)
def order_reversed(num_layers, base_lr, decay):
    """The first layer has the base rate and the last one the smallest. General features, in the first layers, are those
    that should move least."""
    return a_list(num_layers, base_lr, decay)[::-1]

@exercise.wrong(loses=LAST, costs=1)
def one_decay_too_many(num_layers, base_lr, decay):
    """Every rate has one factor decay too many: the last layer should have the base rate itself."""
    return [base_lr * decay ** (num_layers - layer) for layer in range(num_layers)]

@exercise.wrong(loses=LAST, costs=1)
def one_layer_too_many(num_layers, base_lr, decay):
    """There is one rate more than there are layers."""
    return a_list(num_layers + 1, base_lr, decay)

@exercise.wrong(loses=EARLIER, costs=1.5)
def two_groups_only(num_layers, base_lr, decay):
    """All layers but the last have the same rate. Here the rate falls with every layer on the way down."""
    return [base_lr * decay] * (num_layers - 1) + [base_lr]

@exercise.wrong(loses=EARLIER, costs=2)
def decay_not_used(num_layers, base_lr, decay):
    """All layers have the base rate. Then the first layers are changed as fast as the new head."""
    return [base_lr] * num_layers

@exercise.wrong(loses=EARLIER, costs=1.5)
def rates_grow_downwards(num_layers, base_lr, decay):
    """Rates grow toward the first layer. It was divided by decay where it should be multiplied."""
    return a_list(num_layers, base_lr, 1 / decay)

@exercise.wrong(loses=EARLIER, costs=1.5)
def linear_decay(num_layers, base_lr, decay):
    """The rates fall by equal differences. The exercise asks for equal ratios; differences reach zero and go below."""
    return [base_lr * (1 - (1 - decay) * (num_layers - 1 - layer)) for layer in range(num_layers)]

@exercise.wrong(loses=EARLIER, costs=1.5)
def exponential_of_decay(num_layers, base_lr, decay):
    """decay was used as a rate in an exponential. It is the factor itself."""
    return [base_lr * float(np.exp(-decay * (num_layers - 1 - layer))) for layer in range(num_layers)]

@exercise.wrong(loses=EARLIER, costs=2)
def decay_subtracted(num_layers, base_lr, decay):
    """decay was subtracted for every layer. It is a factor."""
    return [base_lr - decay * (num_layers - 1 - layer) for layer in range(num_layers)]

@exercise.wrong(loses=EARLIER, costs=0.5)
def divided_on_the_way_up(num_layers, base_lr, decay):
    """The rates were built from the first layer up, by dividing by decay. With decay = 0, which freezes all layers but
    the last, there is nothing to divide by."""
    rates = [base_lr * decay ** (num_layers - 1)]
    while len(rates) < num_layers:
        rates.append(rates[-1] / decay)
    return rates

@exercise.wrong(loses=EARLIER, costs=1)
def one_minus_decay(num_layers, base_lr, decay):
    """The factor from layer to layer is 1 - decay. decay itself is what the next layer's rate is multiplied by; the
    word only sounds like what is taken away."""
    return a_list(num_layers, base_lr, 1 - decay)

@exercise.wrong(loses=EARLIER, costs=1)
def decay_by_depth(num_layers, base_lr, decay):
    """The exponent grows too fast: each earlier layer should have one factor decay more than the next, not one more
    than the step before it had."""
    return [base_lr * decay ** (k * (k + 1) // 2) for k in range(num_layers - 1, -1, -1)]

@exercise.wrong(loses=(LAST, EARLIER), costs=2)
def a_single_rate(num_layers, base_lr, decay):
    """One number comes back. The exercise asks for a rate for each layer."""
    return base_lr * decay ** (num_layers - 1)

@exercise.wrong(loses=(LAST, EARLIER), costs=0.5)
def an_iterator(num_layers, base_lr, decay):
    """The rates come as an iterator, which hands them out one by one, and only once; it has no length and no last
    entry. Make a list of it."""
    return iter(a_list(num_layers, base_lr, decay))

@exercise.wrong(loses=EARLIER, costs=1)
def spread_between_two_rates(num_layers, base_lr, decay):
    """The rates are spread evenly, in the logarithm, between decay times the base rate and the base rate, whatever the
    number of layers. Here the factor from each layer to the next is decay itself."""
    if num_layers == 1:
        return [base_lr]
    return spread_over_the_gaps(num_layers, base_lr, decay)

@exercise.also(spread_between_two_rates)
def spread_over_the_gaps(num_layers, base_lr, decay):
    return [base_lr * decay ** ((num_layers - 1 - layer) / (num_layers - 1)) for layer in range(num_layers)]

@exercise.wrong(loses=EARLIER, costs=1)
def straight_line_to_the_first_rate(num_layers, base_lr, decay):
    """First and last rate are right, and a straight line lies between them. Equal ratios, not equal differences, take
    one rate to the next."""
    return torch.linspace(base_lr * decay ** (num_layers - 1), base_lr, num_layers) if num_layers > 1 else [base_lr]

@exercise.wrong(loses=LAST, costs=1)
def one_layer_too_few(num_layers, base_lr, decay):
    """There is one rate fewer than there are layers."""
    return a_list(num_layers, base_lr, decay)[1:]

@exercise.also(divided_on_the_way_up)
def by_geomspace(num_layers, base_lr, decay):
    return torch.from_numpy(np.geomspace(base_lr * decay ** (num_layers - 1), base_lr, num_layers))
