"""One step of Adam with an L2 penalty (Kingma, Ba 2015), and one of AdamW (Loshchilov, Hutter 2019, algorithm 2)."""

import torch

from autograder.exercise import Case, Exercise
from exercises.draws import uniform
from exercises.regularization.shared import among, away_from_zero, between

ARGUMENTS = "(w, grad, m, v, t, lr, beta1, beta2, eps, lam)"

exercise = Exercise(
    "adam-weight-decay",
    f"adam_l2_step{ARGUMENTS}",
    f"adamw_step{ARGUMENTS}",
    returns=("w", "m", "v"),
    forbidden=("torch.optim",),
)
L2_MOMENTS = exercise.criterion("L2: both moments see the penalty", 1.25, cases="L2*", outputs=("m", "v"))
L2_WEIGHTS = exercise.criterion("L2: the step of Adam", 1.25, cases="L2*", outputs="w")
W_MOMENTS = exercise.criterion("AdamW: the moments see the gradient alone", 1, cases="AdamW*", outputs=("m", "v"))
W_WEIGHTS = exercise.criterion("AdamW: the weights shrink, then Adam's step", 1.5, cases="AdamW*", outputs="w")
EPS = exercise.criterion("eps is added to the root", 0.5, cases="eps*", outputs="w")

TINY = 1e-12

@exercise.cases
def cases(g):
    def case(function, w, grad, m, v, t, lr, beta1, beta2, eps, lam, driver="call", outputs=None):
        inputs = {"w": w, "grad": grad, "m": m, "v": v, "t": t, "lr": lr, "beta1": beta1, "beta2": beta2}
        return Case({**inputs, "eps": eps, "lam": lam}, function, driver, outputs)

    def round_numbers(function, first):
        w, grad = torch.tensor([2.0, 4.0]).double(), torch.tensor([first, 0.0]).double()
        m, v = torch.tensor([2.0, 0.0]).double(), torch.zeros(2).double()
        return case(function, w, grad, m, v, 1, 0.2, 0.5, 0.75, TINY, 0.5)

    def drawn(function, shape, t, dtype=torch.float64, driver="call"):
        # The gradient turns against the first moment, the weights against both: every sign counts.
        w, grad, m = (away_from_zero(g, *shape).to(dtype) for _ in range(3))
        v = uniform(g, 0.4, 1.6, *shape).to(dtype)
        # With betas in this order the two corrections of an early step are far from cancelling.
        lr, lam = between(g, 0.1, 0.2), between(g, 0.6, 0.9)
        return case(function, w, grad, m, v, t, lr, between(g, 0.85, 0.9), between(g, 0.7, 0.8), TINY, lam, driver)

    def small_gradients(function):
        grad = away_from_zero(g, 4, low=0.005, high=0.02)
        weights = torch.zeros(4, dtype=torch.float64)  # so that there is nothing to decay
        moments = away_from_zero(g, 4, low=0.005, high=0.02), uniform(g, 1e-4, 2e-4, 4)
        return case(function, weights, grad, *moments, 3, 0.5, 0.8, 0.9, 0.05, between(g, 0.2, 0.5), outputs=("w",))

    for kind, function, first in (("L2", "adam_l2_step", 3.0), ("AdamW", "adamw_step", 4.0)):
        yield f"{kind}, by hand", round_numbers(function, first)
        yield f"{kind}, a later step", drawn(function, (2, 3), among(g, 2, 4))
        yield f"{kind}, float32, strided", drawn(function, (3, 2), 2, torch.float32, "call-strided")
        yield f"eps, {kind}", small_gradients(function)

@exercise.reference
class Reference:
    def adam_l2_step(w, grad, m, v, t, lr, beta1, beta2, eps, lam):
        """Number by number."""
        found = []
        for weight, slope, first, second in zip(*(a.flatten().tolist() for a in (w, grad, m, v)), strict=True):
            slope += lam * weight
            first = beta1 * first + (1 - beta1) * slope
            second = beta2 * second + (1 - beta2) * slope**2
            step = lr * (first / (1 - beta1**t)) / ((second / (1 - beta2**t)) ** 0.5 + eps)
            found.append((weight - step, first, second))
        return tuple(torch.tensor(column, dtype=w.dtype).reshape(w.shape) for column in zip(*found, strict=True))

    def adamw_step(w, grad, m, v, t, lr, beta1, beta2, eps, lam):
        moved, m, v = Reference.adam_l2_step(w, grad, m, v, t, lr, beta1, beta2, eps, 0.0)
        return moved - lr * lam * w, m, v

def adam(w, grad, m, v, t, lr, beta1, beta2, eps, lam, **other):
    """A step whose details can be exchanged, so that a mistake names what it exchanges.

    Settings: `in_m`, `in_v`, what the moments see; `decays`, (w, step) -> w; `first`, `second`, the corrected moments
    from (moment, beta, t); `root`, from (second moment, eps); `kept`, what comes back from (m, v, corrected m, v).
    """
    slope = grad + lam * w
    seen_m, seen_v = other.get("in_m", lambda g, s: s)(grad, slope), other.get("in_v", lambda g, s: s)(grad, slope)
    m = other.get("mix", lambda old, new, beta: beta * old + (1 - beta) * new)(m, seen_m, beta1)
    v = other.get("mix", lambda old, new, beta: beta * old + (1 - beta) * new)(v, seen_v**2, beta2)
    first = other.get("first", lambda moment, beta, t: moment / (1 - beta**t))(m, beta1, t)
    second = other.get("second", lambda moment, beta, t: moment / (1 - beta**t))(v, beta2, t)
    step = lr * first / other.get("root", lambda square, eps: square.sqrt() + eps)(second, eps)
    new = other.get("decays", lambda w, step, lr, lam: w - step)(w, step, lr, lam)
    return (new, *other.get("kept", lambda m, v, first, second: (m, v))(m, v, first, second))

DECOUPLED = {"in_m": lambda g, s: g, "in_v": lambda g, s: g, "decays": lambda w, step, lr, lam: w - lr * lam * w - step}

@exercise.right
class AsInThePapers:
    def adam_l2_step(w, grad, m, v, t, lr, beta1, beta2, eps, lam):
        return adam(w, grad, m, v, t, lr, beta1, beta2, eps, lam)

    def adamw_step(w, grad, m, v, t, lr, beta1, beta2, eps, lam):
        return adam(w, grad, m, v, t, lr, beta1, beta2, eps, lam, **DECOUPLED)

@exercise.right
class AsPytorchWritesIt:
    """In place on copies, with the corrections in the length of the step."""

    def adam_l2_step(w, grad, m, v, t, lr, beta1, beta2, eps, lam):
        grad = grad.add(w, alpha=lam)
        m, v = m.clone().lerp_(grad, 1 - beta1), v.clone().mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        root = v.sqrt() / (1 - beta2**t) ** 0.5 + eps
        return w.clone().addcdiv_(m, root, value=-lr / (1 - beta1**t)), m, v

    def adamw_step(w, grad, m, v, t, lr, beta1, beta2, eps, lam):
        new, m, v = AsPytorchWritesIt.__dict__["adam_l2_step"](w, grad, m, v, t, lr, beta1, beta2, eps, 0.0)
        return new - w * (lr * lam), m, v

@exercise.right
class Numpy:
    def adam_l2_step(w, grad, m, v, t, lr, beta1, beta2, eps, lam):
        w, g, m, v = (a.numpy() for a in (w, grad + lam * w, m, v))
        m, v = m + (1 - beta1) * (g - m), v + (1 - beta2) * (g * g - v)
        new = w - lr * (m / (1 - beta1**t)) / (eps + (v / (1 - beta2**t)) ** 0.5)
        return [torch.from_numpy(a) for a in (new, m, v)]

    def adamw_step(w, grad, m, v, t, lr, beta1, beta2, eps, lam):
        shrunk = (1 - lr * lam) * w
        new, m, v = Numpy.__dict__["adam_l2_step"](shrunk, grad, m, v, t, lr, beta1, beta2, eps, 0.0)
        return new, m, v

# --- mistakes of one function

def l2(loses, costs):
    """A mistake of Adam with the penalty: `make()` says what it exchanges."""

    def add(make):
        def answer(*args):
            return adam(*args, **make())

        answer.__name__, answer.__doc__ = make.__name__, make.__doc__
        return exercise.wrong(loses=loses, costs=costs, of="adam_l2_step")(answer)

    return add

def adamw(loses, costs):
    """A mistake of AdamW: `make()` says what it exchanges."""

    def add(make):
        def answer(*args):
            return adam(*args, **{**DECOUPLED, **make()})

        answer.__name__, answer.__doc__ = make.__name__, make.__doc__
        return exercise.wrong(loses=loses, costs=costs, of="adamw_step")(answer)

    return add

@l2((L2_MOMENTS, L2_WEIGHTS), 2)
def adamw_in_place_of_l2():
    """This is the step of AdamW. Here the penalty is a part of the loss: its gradient belongs to the gradient before
    the moments are formed."""
    return DECOUPLED

@l2(L2_MOMENTS, 1)
def penalty_in_the_first_moment_only():
    """The first moment sees the penalty, the second does not. Both are averages of the same gradient: add the penalty
    before either is formed."""
    return {"in_v": lambda g, s: g}

@l2(L2_MOMENTS, 1)
def penalty_in_the_second_moment_only():
    """The second moment sees the penalty, the first does not. Both are averages of the same gradient: add the penalty
    before either is formed."""
    return {"in_m": lambda g, s: g}

@l2((L2_MOMENTS, L2_WEIGHTS), 2)
def no_penalty():
    """The step is that of Adam without a penalty: lam does not enter."""
    return {"in_m": lambda g, s: g, "in_v": lambda g, s: g}

@l2((L2_MOMENTS, L2_WEIGHTS), 1)
def penalty_subtracted():
    """The gradient of the penalty was subtracted, so the weights are pushed away from zero. It is added to the
    gradient of the loss."""
    return {"in_m": lambda g, s: 2 * g - s, "in_v": lambda g, s: 2 * g - s}

@l2((L2_MOMENTS, L2_WEIGHTS), 0.75)
def twice_the_penalty():
    """The penalty pulls twice as hard as it should. Half of a square has the derivative lam times w."""
    return {"in_m": lambda g, s: 2 * s - g, "in_v": lambda g, s: 2 * s - g}

@l2(L2_WEIGHTS, 1)
def penalty_and_decay():
    """The penalty is in the gradient, and the weights shrink by themselves as well. One of the two is asked for here:
    the penalty."""
    return {"decays": lambda w, step, lr, lam: w - lr * lam * w - step}

@adamw((W_MOMENTS, W_WEIGHTS), 2)
def l2_in_place_of_adamw():
    """This is the step of Adam with an L2 penalty. In AdamW the moments know nothing of the decay: the weights shrink
    by themselves."""
    return {"in_m": lambda g, s: s, "in_v": lambda g, s: s, "decays": lambda w, step, lr, lam: w - step}

@adamw(W_MOMENTS, 1)
def moments_see_the_decay():
    """The weights shrink by themselves, but the moments see the penalty as well. In AdamW they are averages of the
    gradient of the loss alone."""
    return {"in_m": lambda g, s: s, "in_v": lambda g, s: s}

@adamw(W_WEIGHTS, 1)
def no_decay():
    """The step is that of Adam without decay: lam does not enter."""
    return {"decays": lambda w, step, lr, lam: w - step}

@adamw(W_WEIGHTS, 0.75)
def decay_without_the_learning_rate():
    """The weights shrink by lam at every step, whatever the learning rate. In PyTorch's AdamW, and here, the share is
    the product of the two."""
    return {"decays": lambda w, step, lr, lam: w - lam * w - step}

@adamw(W_WEIGHTS, 0.5)
def decay_of_the_new_weights():
    """The weights were shrunk after Adam had moved them, so the step shrinks too. The old weights shrink; the step
    stays as it is."""
    return {"decays": lambda w, step, lr, lam: (1 - lr * lam) * (w - step)}

@adamw(W_WEIGHTS, 0.75)
def weights_grow():
    """The weights grow by the share by which they should shrink: the sign of the decay is wrong."""
    return {"decays": lambda w, step, lr, lam: w + lr * lam * w - step}

@adamw(W_WEIGHTS, 0.75)
def twice_the_decay():
    """The weights shrink twice as much as they should."""
    return {"decays": lambda w, step, lr, lam: w - 2 * lr * lam * w - step}

@adamw(W_WEIGHTS, 0.5)
def half_the_decay():
    """The weights shrink half as much as they should: the factor one half of the penalty cancels with its
    derivative."""
    return {"decays": lambda w, step, lr, lam: w - lr * lam / 2 * w - step}

@exercise.wrong(loses=W_WEIGHTS, costs=1, of="adamw_step")
def decay_divided_by_the_root(w, grad, m, v, t, lr, beta1, beta2, eps, lam):
    """The decay was divided by the root of the second moment, like the gradient. That is what AdamW avoids: every
    weight shrinks by the same share."""
    new, m, v = adam(w, grad, m, v, t, lr, beta1, beta2, eps, 0.0)
    return new - lr * lam * w / ((v / (1 - beta2**t)).sqrt() + eps), m, v

# --- mistakes of either function, or of both: then both are named

IN_L2 = ("in Adam with L2", l2, L2_MOMENTS, L2_WEIGHTS)
IN_ADAMW = ("in AdamW", adamw, W_MOMENTS, W_WEIGHTS)

def in_either(costs, moments=False, hint="", **exchanged):
    """Register what is exchanged for both functions, by a name made of the keyword `called`."""
    called = exchanged.pop("called")
    for words, kind, of_moments, of_weights in (IN_L2, IN_ADAMW):

        def make(exchanged=exchanged):
            return exchanged

        make.__name__ = f"{called} {words.lower()}".replace(" ", "_")
        make.__doc__ = hint
        kind(of_moments if moments else of_weights, costs)(make)

in_either(
    0.75,
    called="no bias correction",
    hint="The moments are not corrected for their start at zero. In the first steps both are too small, and not by the "
    "same factor: divide each by one minus its beta to the power of the step's number.",
    first=lambda moment, beta, t: moment,
    second=lambda moment, beta, t: moment,
)
in_either(
    0.5,
    called="first moment not corrected",
    hint="The second moment is corrected for its start at zero, the first one is not. Both started there.",
    first=lambda moment, beta, t: moment,
)
in_either(
    0.5,
    called="second moment not corrected",
    hint="The first moment is corrected for its start at zero, the second one is not. Both started there.",
    second=lambda moment, beta, t: moment,
)
in_either(
    0.5,
    called="multiplied by the correction",
    hint="The moments were multiplied by the correction and not divided by it, which makes the small values of the "
    "first steps smaller still.",
    first=lambda moment, beta, t: moment * (1 - beta**t),
    second=lambda moment, beta, t: moment * (1 - beta**t),
)
in_either(
    0.5,
    called="one step too many",
    hint="The correction counts one step too many. The number of the first step is 1, and that is what comes in.",
    first=lambda moment, beta, t: moment / (1 - beta ** (t + 1)),
    second=lambda moment, beta, t: moment / (1 - beta ** (t + 1)),
)
in_either(
    0.5,
    called="one step too few",
    hint="The correction counts one step too few, so it divides by zero in the first step. The number of the first "
    "step is 1, and that is what comes in.",
    first=lambda moment, beta, t: moment / (1 - beta ** (t - 1)),
    second=lambda moment, beta, t: moment / (1 - beta ** (t - 1)),
)
in_either(
    0.5,
    moments=True,
    called="corrected moments returned",
    hint="The corrected moments came back. The next step mixes in its gradient and corrects again, so the state must "
    "be the uncorrected ones.",
    kept=lambda m, v, first, second: (first, second),
)
in_either(
    0.5,
    moments=True,
    called="weights of old and new exchanged",
    hint="The betas weigh the new gradient. They are the weights of the old moments, so close to one that a moment "
    "changes slowly.",
    mix=lambda old, new, beta: (1 - beta) * old + beta * new,
)
in_either(
    0.75,
    moments=True,
    called="new gradient not weighted",
    hint="The new gradient was added to the faded moment with its full weight. The two weights add up to one.",
    mix=lambda old, new, beta: beta * old + new,
)
in_either(
    0.75,
    called="root missing",
    hint="The step was divided by the second moment itself. That is a mean of squares: take its root.",
    root=lambda square, eps: square + eps,
)
in_either(
    0.5,
    called="uphill",
    hint="The step of Adam goes with the gradient and not against it.",
    first=lambda moment, beta, t: -moment / (1 - beta**t),
)

def in_both(loses, costs):
    """A mistake made in both functions: `change(step, *args)` says what happens around the right step."""

    def add(change):
        def changed(function):
            return lambda *args: change(function, *args)

        kind = {name: changed(function) for name, function in vars(AsInThePapers).items() if name.startswith("adam")}
        whole = type(change.__name__.title().replace("_", ""), (), {**kind, "__doc__": change.__doc__})
        return exercise.wrong(loses=loses, costs=costs)(whole)

    return add

@in_both((L2_MOMENTS, W_MOMENTS), 1)
def betas_exchanged(step, w, grad, m, v, t, lr, beta1, beta2, eps, lam):
    """The two betas changed places. The first belongs to the mean of the gradients, the second to that of their
    squares."""
    return step(w, grad, m, v, t, lr, beta2, beta1, eps, lam)

@in_both((L2_MOMENTS, L2_WEIGHTS, W_MOMENTS, W_WEIGHTS), 1)
def weights_returned_last(step, *args):
    """The results come in another order: the weights should come first, then the first and the second moment."""
    w, m, v = step(*args)
    return m, v, w

@exercise.wrong(loses=EPS)
class EpsInsideTheRoot:
    """eps was added to the second moment before the root was taken. It belongs beside the root: the two differ where
    gradients are small."""

    def adam_l2_step(*args):
        return adam(*args, root=lambda square, eps: (square + eps).sqrt())

    def adamw_step(*args):
        return adam(*args, **DECOUPLED, root=lambda square, eps: (square + eps).sqrt())

@exercise.wrong(loses=EPS)
class EpsMissing:
    """eps does not enter. Where a gradient is almost zero it keeps the step from becoming a division of two tiny
    numbers."""

    def adam_l2_step(*args):
        return adam(*args, root=lambda square, eps: square.sqrt())

    def adamw_step(*args):
        return adam(*args, **DECOUPLED, root=lambda square, eps: square.sqrt())

@exercise.wrong(loses=EPS, costs=0.25)
class EpsBesideTheUncorrectedRoot:
    """eps was added before the root of the second moment was corrected, so its weight depends on the number of the
    step. Correct first, then take the root, then add."""

    def adam_l2_step(w, grad, m, v, t, lr, beta1, beta2, eps, lam):
        return adam(w, grad, m, v, t, lr, beta1, beta2, eps / (1 - beta2**t) ** 0.5, lam)

    def adamw_step(w, grad, m, v, t, lr, beta1, beta2, eps, lam):
        return adam(w, grad, m, v, t, lr, beta1, beta2, eps / (1 - beta2**t) ** 0.5, lam, **DECOUPLED)

# In one of the two functions, as easily as in both.
exercise.also(EpsInsideTheRoot, of="adam_l2_step")(EpsInsideTheRoot.adam_l2_step)
exercise.also(EpsInsideTheRoot, of="adamw_step")(EpsInsideTheRoot.adamw_step)
exercise.also(EpsMissing, of="adam_l2_step")(EpsMissing.adam_l2_step)
exercise.also(EpsMissing, of="adamw_step")(EpsMissing.adamw_step)
