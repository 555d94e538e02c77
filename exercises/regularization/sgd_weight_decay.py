"""One step of plain SGD with L2: the penalty's gradient is added, or the weights shrink first. Both are one step."""

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.regularization.shared import away_from_zero, between

exercise = Exercise(
    "sgd-weight-decay",
    "sgd_step_l2(w, grad, lr, lam)",
    "sgd_step_decay(w, grad, lr, lam)",
    returns="w",
    forbidden=("torch.optim",),
)
PENALTY = exercise.criterion("the gradient of the penalty is added", 1.5, cases="penalty*")
DECAY = exercise.criterion("the weights shrink, then the gradient moves them", 1.5, cases="decay*")

@exercise.cases
def cases(g):
    def both(name, w, grad, lr, lam, driver="call"):
        for kind, function in (("penalty", "sgd_step_l2"), ("decay", "sgd_step_decay")):
            yield f"{kind}, {name}", Case({"w": w, "grad": grad, "lr": lr, "lam": lam}, function, driver)

    by_hand = torch.tensor([2.0, -4.0], dtype=torch.float64), torch.tensor([1.0, 3.0], dtype=torch.float64)
    yield from both("by hand", *by_hand, 0.1, 0.5)
    matrices = away_from_zero(g, 3, 2), away_from_zero(g, 3, 2)
    yield from both("a matrix", *matrices, between(g, 0.1, 0.2), between(g, 0.3, 0.6))
    silent = torch.zeros(4, dtype=torch.float64)
    yield from both("no gradient", away_from_zero(g, 4), silent, between(g, 0.2, 0.3), between(g, 0.6, 0.9))
    single = away_from_zero(g, 2, 3, 2).float(), away_from_zero(g, 2, 3, 2).float()
    yield from both("float32, strided", *single, between(g, 0.3, 0.4), between(g, 1.2, 1.6), "call-strided")

@exercise.reference
class Reference:
    def sgd_step_l2(w, grad, lr, lam):
        """By the derivative of the penalty itself."""
        leaf = w.detach().clone().requires_grad_()
        with torch.enable_grad():
            (of_penalty,) = torch.autograd.grad(lam / 2 * (leaf**2).sum(), leaf)
        return w - lr * (grad + of_penalty)

    def sgd_step_decay(w, grad, lr, lam):
        return torch.stack([(1 - lr * lam) * a - lr * b for a, b in zip(w, grad, strict=True)])

@exercise.right
class PlainFormulas:
    def sgd_step_l2(w, grad, lr, lam):
        return w - lr * (grad + lam * w)

    def sgd_step_decay(w, grad, lr, lam):
        return w * (1 - lr * lam) - lr * grad

@exercise.right
class OneCallsTheOther:
    def sgd_step_l2(w, grad, lr, lam):
        return torch.sub(w, grad.add(w, alpha=lam), alpha=lr)

    def sgd_step_decay(w, grad, lr, lam):
        return OneCallsTheOther.__dict__["sgd_step_l2"](w, grad, lr, lam)

@exercise.right
class InPlaceOnACopy:
    def sgd_step_l2(w, grad, lr, lam):
        new = w.clone()
        new -= lr * grad
        new -= lr * lam * w
        return new

    def sgd_step_decay(w, grad, lr, lam):
        return w.clone().mul_(1 - lr * lam).add_(grad, alpha=-lr)

@exercise.right
class Numpy:
    def sgd_step_l2(w, grad, lr, lam):
        return torch.from_numpy((w.numpy() - lr * (grad.numpy() + lam * w.numpy())).astype(w.numpy().dtype))

    def sgd_step_decay(w, grad, lr, lam):
        return torch.from_numpy(np.subtract((1 - lr * lam) * w.numpy(), lr * grad.numpy()))

# Each mistake can be made in either function, or in both: then both are named.
IN_PENALTY, IN_DECAY = ("in the penalty", "sgd_step_l2", PENALTY), ("in the decay", "sgd_step_decay", DECAY)

def mistake(costs, hint, *places):
    """Register an update (w, grad, lr, lam) as a mistake of the functions where it is likely."""

    def add(update):
        for words, function, criterion in places:

            def answer(w, grad, lr, lam):
                return update(w, grad, lr, lam)

            answer.__name__ = f"{update.__name__}_{words.replace(' ', '_')}"
            exercise.wrong(loses=criterion, costs=costs, of=function, hint=" ".join(hint.split()))(answer)
        return update

    return add

EVERYWHERE = (IN_PENALTY, IN_DECAY)

@mistake(0.5, """The weights shrink twice as much as they should. The penalty has a factor one half, which the
derivative of the square cancels: what is left is lam times w.""", *EVERYWHERE)
def twice_the_decay(w, grad, lr, lam):
    return w - lr * (grad + 2 * lam * w)

@mistake(0.5, """The weights shrink half as much as they should. The derivative of half a square is the whole weight,
not half of it.""", *EVERYWHERE)
def half_the_decay(w, grad, lr, lam):
    return w - lr * (grad + lam / 2 * w)

@mistake(0.75, """The weights grow where they should shrink: the penalty has the wrong sign. Its gradient points away
from zero, and a step goes against the gradient.""", *EVERYWHERE)
def weights_grow(w, grad, lr, lam):
    return w - lr * (grad - lam * w)

@mistake(0.75, """The step goes with the gradient of the loss and not against it. The shrinking is right.""",
*EVERYWHERE)
def uphill(w, grad, lr, lam):
    return w + lr * grad - lr * lam * w

@mistake(0.75, """The weights shrink by lam, whatever the learning rate. The penalty is a part of the loss, so its
gradient is multiplied by the learning rate like the rest.""", *EVERYWHERE)
def decay_without_the_learning_rate(w, grad, lr, lam):
    return w - lr * grad - lam * w

@mistake(0.5, """The shrinking was applied to the weights after the gradient had moved them, so the step shrinks as
well. Both belong to the old weights.""", *EVERYWHERE)
def decay_of_the_new_weights(w, grad, lr, lam):
    return (1 - lr * lam) * (w - lr * grad)

@mistake(1, """The step is that without regularization: lam does not enter.""", *EVERYWHERE)
def no_decay(w, grad, lr, lam):
    return w - lr * grad

@mistake(1, """The weights shrink, but the gradient of the loss does not move them.""", *EVERYWHERE)
def decay_alone(w, grad, lr, lam):
    return (1 - lr * lam) * w

@mistake(0.75, """What came back is the change of the weights. The exercise asks for the new weights: the old ones
minus the step.""", *EVERYWHERE)
def the_change_alone(w, grad, lr, lam):
    return -lr * (grad + lam * w)

@mistake(0.75, """The gradient of the loss enters without the learning rate.""", *EVERYWHERE)
def gradient_without_the_learning_rate(w, grad, lr, lam):
    return (1 - lr * lam) * w - grad

@mistake(1, """Every weight was pulled by the same amount, lam, whatever its size. That is the gradient of absolute
values; the one of squares is proportional to the weight.""", *EVERYWHERE)
def pulled_by_the_sign(w, grad, lr, lam):
    return w - lr * (grad + lam * w.sign())

@mistake(1, """The value of the penalty, one number, was added to every component of the gradient. What belongs there
is its derivative with respect to that weight.""", IN_PENALTY)
def value_of_the_penalty_added(w, grad, lr, lam):
    return w - lr * (grad + lam / 2 * w.square().sum())

@mistake(1, """The pull on the weights is that of a norm without the square: it has the length lam however small the
weights are. The gradient of the squared norm is proportional to the weights.""", IN_PENALTY)
def norm_not_squared(w, grad, lr, lam):
    return w - lr * (grad + lam * w / w.norm())

@mistake(1, """The squares of the weights were added to the gradient. What belongs there is the derivative of the
penalty, in which a weight enters to the first power.""", IN_PENALTY)
def squares_added_to_the_gradient(w, grad, lr, lam):
    return w - lr * (grad + lam / 2 * w.square())

@mistake(1, """lam times the old weights is left, instead of what remains when that share is taken away.""", IN_DECAY)
def multiplied_by_lam(w, grad, lr, lam):
    return lr * lam * w - lr * grad

@mistake(0.75, """The factor before the weights is made of the learning rate alone. It is one minus the product of
learning rate and lam.""", IN_DECAY)
def lam_missing_in_the_factor(w, grad, lr, lam):
    return (1 - lr) * w - lr * grad

@mistake(0.75, """The weights were divided where they should be multiplied: they shrink by one over one plus the
product, which is the implicit form of the step.""", IN_DECAY)
def implicit_step(w, grad, lr, lam):
    return w / (1 + lr * lam) - lr * grad

@mistake(0.75, """The weights shrink twice: the gradient of the penalty was added, and the new weights were multiplied
by the factor of the decay as well. The two are one and the same.""", IN_PENALTY)
def penalty_and_decay(w, grad, lr, lam):
    return (1 - lr * lam) * (w - lr * (grad + lam * w))
