"""Two ways to lower the learning rate while a network trains."""

import math

import torch

from autograder.exercise import Case, Exercise
from exercises.search.shared import among, number

exercise = Exercise(
    "learning-rate-schedules",
    "decayed_lr(lr, decay, epoch)",
    "cosine_lr(lr, step, steps)",
    returns="rate",
    forbidden=("torch.optim",),
    dtype="plain numbers, not tensors",
    inputs="plain numbers cannot be overwritten",
)
DECAYED = exercise.criterion("the same factor every epoch", 1.25, cases="decay*")
COSINE = exercise.criterion("half a cosine, from lr down to 0", 1.75, cases="cosine*")

@exercise.cases
def cases(g):
    def decayed(lr, decay, epoch):
        return Case({"lr": lr, "decay": decay, "epoch": epoch}, "decayed_lr")

    def cosine(lr, step, steps):
        return Case({"lr": lr, "step": step, "steps": steps}, "cosine_lr")

    yield "decay, by hand", decayed(8.0, 0.5, 3)
    yield "cosine, by hand", cosine(4.0, 1, 3)
    yield "decay", decayed(number(g, 0.2, 0.9), number(g, 0.85, 0.95), among(g, 4, 9))
    yield "decay, at the start", decayed(number(g, 0.2, 0.9), number(g, 0.85, 0.95), 0)
    yield "cosine, early", cosine(number(g, 0.2, 0.9), among(g, 10, 20), among(g, 100, 150))
    yield "cosine, late", cosine(number(g, 0.2, 0.9), among(g, 70, 90), among(g, 100, 120))
    yield "cosine, at the start", cosine(number(g, 0.2, 0.9), 0, among(g, 30, 40))

@exercise.reference
class Reference:
    def decayed_lr(lr, decay, epoch):
        for _ in range(epoch):
            lr *= decay
        return lr

    def cosine_lr(lr, step, steps):
        return lr * math.cos(math.pi * step / steps / 2) ** 2

@exercise.right
class ByTensors:
    def decayed_lr(lr, decay, epoch):
        return lr * torch.tensor(decay, dtype=torch.float64) ** epoch

    def cosine_lr(lr, step, steps):
        return lr * (1 + torch.cos(torch.tensor(step / steps, dtype=torch.float64) * torch.pi)) / 2

@exercise.right
class ByExponentials:
    def decayed_lr(lr, decay, epoch):
        return math.exp(math.log(lr) + epoch * math.log(decay))

    def cosine_lr(lr, step, steps):
        turn = complex(math.cos(math.pi / steps), math.sin(math.pi / steps)) ** step
        return lr / 2 + lr / 2 * turn.real

@exercise.right
class BySines:
    def decayed_lr(lr, decay, epoch):
        return lr if epoch == 0 else decay * BySines.decayed_lr(lr, decay, epoch - 1)

    def cosine_lr(lr, step, steps):
        return lr * math.sin(math.pi * (steps - step) / steps / 2) ** 2

def decay(costs):
    return exercise.wrong(loses=DECAYED, costs=costs, of="decayed_lr")

def cosine(costs):
    return exercise.wrong(loses=COSINE, costs=costs, of="cosine_lr")

# --- the decay

@decay(0.75)
def reciprocal_decay(lr, decay, epoch):
    """The rate is divided by 1 plus a multiple of the epoch. The lecture multiplies by the same factor every epoch."""
    return lr / (1 + decay * epoch)

@decay(0.75)
def continuous_decay(lr, decay, epoch):
    """The factor was taken for the rate of an exponential. It is what the rate is multiplied by, every epoch."""
    return lr * math.exp(-decay * epoch)

@decay(0.5)
def decay_taken_as_what_is_lost(lr, decay, epoch):
    """decay was taken for the share that is lost in an epoch. It is the share that is left."""
    return lr * (1 - decay) ** epoch

@decay(0.75)
def decayed_once(lr, decay, epoch):
    """The rate was multiplied by the factor once, whatever the epoch."""
    return lr * decay

@decay(0.75)
def factor_times_epoch(lr, decay, epoch):
    """The factor was multiplied by the epoch. It comes once more with every epoch, so it is raised to a power."""
    return lr * decay * epoch

@decay(0.25)
def one_epoch_too_many(lr, decay, epoch):
    """The factor comes once too often: in epoch 0 the rate is lr itself."""
    return lr * decay ** (epoch + 1)

@decay(0.25)
def epochs_counted_from_one(lr, decay, epoch):
    """The factor comes once too rarely. Epochs are counted from 0, where the rate is lr itself."""
    return lr * decay ** (epoch - 1)

@decay(0.75)
def lr_raised_too(lr, decay, epoch):
    """The learning rate was raised to a power with the factor. Only the factor comes again every epoch."""
    return (lr * decay) ** epoch

# --- the cosine

@cosine(1)
def straight_line(lr, step, steps):
    """The rate falls along a straight line. Half a cosine is flat at both ends and steep in the middle."""
    return lr * (1 - step / steps)

@cosine(0.75)
def quarter_of_a_cosine(lr, step, steps):
    """The rate follows a quarter of a cosine: flat at the start, steep at the end. The exercise asks for half a period,
    moved up so that it ends at 0."""
    return lr * math.cos(math.pi * step / steps / 2)

@cosine(0.75)
def cosine_not_moved_up(lr, step, steps):
    """The rate becomes negative in the second half. Move the cosine up, and halve it."""
    return lr * math.cos(math.pi * step / steps)

@cosine(0.5)
def not_halved(lr, step, steps):
    """The rate begins at twice lr. Moved up, the cosine runs from 2 to 0: halve it."""
    return lr * (1 + math.cos(math.pi * step / steps))

@cosine(0.5)
def whole_period(lr, step, steps):
    """The rate falls to 0 in the middle and rises again. Half a period is enough."""
    return lr * (1 + math.cos(2 * math.pi * step / steps)) / 2

@cosine(0.5)
def pi_missing(lr, step, steps):
    """The rate never falls below three quarters of lr. The angle goes up to half a turn, in radians."""
    return lr * (1 + math.cos(step / steps)) / 2

@cosine(0.5)
def degrees_for_radians(lr, step, steps):
    """The angle was given in degrees. The cosine expects radians."""
    return lr * (1 + math.cos(180 * step / steps)) / 2

@cosine(0.75)
def rises_instead(lr, step, steps):
    """The rate rises from 0 to lr. It should fall from lr to 0."""
    return lr * (1 - math.cos(math.pi * step / steps)) / 2

@cosine(0.25)
def steps_counted_from_one(lr, step, steps):
    """The rate is that of the next step. Steps are counted from 0, where the rate is lr itself."""
    return lr * (1 + math.cos(math.pi * (step + 1) / steps)) / 2

@cosine(0.25)
def one_step_less(lr, step, steps):
    """The rate is 0 one step too early: it was divided by one step less."""
    return lr * (1 + math.cos(math.pi * step / (steps - 1))) / 2

@cosine(0.5)
def sine_for_cosine(lr, step, steps):
    """A sine took the place of the cosine, so the rate does not begin at lr."""
    return lr * (1 + math.sin(math.pi * step / steps)) / 2
