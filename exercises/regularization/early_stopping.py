"""Early stopping: patience, a least improvement, and a copy of the best state."""

import copy
import math

import torch

from autograder.exercise import Case, Exercise
from exercises.draws import uniform
from exercises.regularization.shared import among, between

exercise = Exercise(
    "early-stopping",
    "class EarlyStopping(patience, min_delta=0.0)",
    returns=("stops", "best_loss", "best_epoch", "best_state"),
    forbidden=("course_lib.regularization",),
    dtype="losses are Python numbers, and the state is copied as it is",
    inputs="losses are Python numbers, and the state is there to be trained further",
)
PATIENCE = exercise.criterion(
    "stops at the patience-th step without improvement in a row", 1.5, cases="patience*", outputs=("stops", "best_loss")
)
BEST = exercise.criterion(
    "remembers the best loss and its epoch", 1, cases="patience*", outputs=("best_loss", "best_epoch")
)
COPY = exercise.criterion("keeps a copy of the best state", 1, cases="patience*", outputs="best_state")
DELTA = exercise.criterion(
    "an improvement is more than min_delta", 1, cases="min_delta*", outputs=("stops", "best_loss", "best_epoch")
)
NAN = exercise.criterion("NaN never improves", 0.5, cases="NaN*", outputs=("stops", "best_loss", "best_epoch"))

@exercise.cases
def cases(g):
    def case(patience, losses, min_delta=0.0, outputs=None):
        inputs = {"patience": patience, "min_delta": min_delta, "losses": losses, "start": float(among(g, 3, 9))}
        return Case(inputs, driver="regularization/stopping", outputs=outputs)

    def two(patience, losses, other_losses):
        inputs = {"patience": patience, "min_delta": 0.0, "losses": losses, "start": float(among(g, 3, 9))}
        return Case({**inputs, "other_losses": other_losses}, driver="regularization/two-stoppings")

    def falling(n, level):
        """n losses, each lower than the one before by more than 0.2, the last one `level`."""
        steps = uniform(g, 0.2, 0.4, n).cumsum(0).flip(0)
        return [round(level + float(x) - float(steps[-1]), 3) for x in steps]

    def above(n, level, spread=0.5):
        """n losses above the level, in no order."""
        return [round(level + 0.05 + float(x), 3) for x in uniform(g, 0.0, spread, n)]

    values = ("stops", "best_loss", "best_epoch")
    yield "patience, by hand", case(2, [4.0, 3.0, 3.5, 2.0, 2.5, 3.0, 2.5])
    first, second, patience = between(g, 1.5, 1.9), between(g, 0.9, 1.2), among(g, 3, 4)
    # One step short of the patience, then better again: a counter that is not set back stops too early.
    waves = [*falling(among(g, 1, 3), first), *above(patience - 1, first), second]
    yield "patience, two valleys", case(patience, [*waves, *above(patience + 1, second)])
    level = between(g, 1.0, 1.4)
    yield "patience, a plateau", case(3, [*falling(among(g, 2, 4), level), level, level, level, level])
    # Waves above the best value: better than the epoch before is no improvement.
    waves = [level + 0.5, level + 0.3, level + 0.6, level + 0.4]
    yield "patience, waves", case(4, [*falling(2, level), *(round(x, 3) for x in waves), *above(2, level)])
    yield "patience, of one", case(1, [*falling(among(g, 2, 4), level), *above(2, level)])
    # The other training gets better and better, so whatever the two objects share is the other's.
    losses = [*falling(2, level), *above(1, level), round(level - 0.3, 3), *above(4, level)]
    better = [round(0.8 * level - 0.05 * k, 3) for k in range(len(losses))]
    yield "patience, two trainings at once", two(3, losses, better)
    # Slow progress: two small gains add up to one that counts.  A gain of exactly min_delta does not count.
    start = among(g, 8, 12) / 2
    # The last losses lie above the lowest by less than min_delta, once by as much.
    gains = (0, 0.25, 0.375, 0.5, 0.625, 1, 0.875, 1.25, 1.125, 1, 1.125, 1.125)
    yield "min_delta, slow progress", case(4, [start - gain for gain in gains], 0.25, values)
    tiny = [start - 0.0625 * k for k in range(6)]
    yield "min_delta, too slow", case(3, tiny, 0.5, values)
    before, after = falling(2, level), above(3, level)
    yield "NaN, after the best", case(3, [*before, math.nan, *after], 0.0, values)
    yield "NaN, at the start", case(3, [math.nan, *falling(2, level), math.nan, *after], 0.0, values)

class Plain:
    """A right answer in small methods, so that a mistake can replace one of them."""

    def __init__(self, patience, min_delta=0.0):
        self.patience, self.min_delta = patience, min_delta
        self.best_loss, self.best_epoch, self.best_state = math.inf, -1, None
        self.epoch, self.waited, self.last = -1, 0, math.inf

    def improves(self, loss):
        """Whether a loss counts as an improvement."""
        return loss < self.best_loss - self.min_delta

    def keep(self, state):
        """What is kept of a state."""
        return copy.deepcopy(state)

    def remember(self, loss, state):
        """The best so far is this one."""
        self.best_loss, self.best_epoch, self.best_state = loss, self.epoch, self.keep(state)

    def without(self, loss, state):
        """There was no improvement."""

    def enough(self):
        """Whether to stop."""
        return self.waited >= self.patience

    def step(self, loss, state):
        """Whether to stop after this loss."""
        self.epoch += 1
        if self.improves(loss):
            self.waited = 0
            self.remember(loss, state)
        else:
            self.waited += 1
            self.without(loss, state)
        self.last = loss
        return self.enough()

@exercise.reference
class EarlyStopping:
    """From the whole list of losses each time."""

    def __init__(self, patience, min_delta=0.0):
        self.patience, self.min_delta, self.losses, self.states = patience, min_delta, [], []

    def step(self, loss, state):
        self.losses.append(float(loss))
        self.states.append({name: tensor.clone() for name, tensor in state.items()})
        self.best_loss, self.best_epoch = math.inf, -1
        for epoch, value in enumerate(self.losses):
            if self.best_loss - value > self.min_delta:
                self.best_loss, self.best_epoch = value, epoch
        self.best_state = self.states[self.best_epoch]
        return len(self.losses) - 1 - self.best_epoch >= self.patience

@exercise.right
class InSmallMethods(Plain):
    """The plain way, with a deep copy."""

@exercise.right
class EpochsCountedFromTheBest(Plain):
    """No counter of its own: the distance to the best epoch. Clones, kept in another kind of dictionary."""

    def keep(self, state):
        return type("State", (dict,), {})({name: tensor.detach().clone() for name, tensor in state.items()})

    def enough(self):
        return self.epoch - self.best_epoch >= self.patience

@exercise.right
class TensorsOfNoDimension(Plain):
    """Numbers kept as tensors, and a decision that is one, too."""

    def improves(self, loss):
        return bool(torch.as_tensor(loss, dtype=torch.float64) + self.min_delta < self.best_loss)

    def remember(self, loss, state):
        super().remember(torch.tensor(loss, dtype=torch.float64), state)
        self.best_epoch = int(self.best_epoch)

    def enough(self):
        return torch.tensor(self.waited).ge(self.patience).item()

@exercise.right
class CountsDown(Plain):
    """The patience left, not the steps waited."""

    def step(self, loss, state):
        super().step(loss, state)
        return not self.patience - self.waited > 0

@exercise.wrong(loses=PATIENCE, costs=1)
class CounterNotSetBack(Plain):
    """The steps without improvement were counted over the whole training. What counts is how many there are in a row:
    an improvement sets the counter back to zero."""

    def step(self, loss, state):
        before = self.waited
        improved = self.improves(loss)
        super().step(loss, state)
        self.waited = before if improved else before + 1
        return self.enough()

@exercise.wrong(loses=PATIENCE, costs=0.75)
class OneStepTooLate(Plain):
    """It stops one step too late: with a patience of one, the first step without improvement should stop."""

    def enough(self):
        return self.waited > self.patience

@exercise.wrong(loses=PATIENCE, costs=0.75)
class OneStepTooEarly(Plain):
    """It stops one step too early: with a patience of two, two steps without improvement in a row are needed."""

    def enough(self):
        return self.epoch > 0 and self.waited >= self.patience - 1

@exercise.also(OneStepTooEarly)
class OneStepTooEarlyAtTheStartToo(Plain):
    def enough(self):
        return self.waited >= self.patience - 1

@exercise.also(OneStepTooEarly)
class OneStepTooEarlyWithoutAnImprovement(Plain):
    def enough(self):
        return self.waited > 0 and self.waited >= self.patience - 1

@exercise.wrong(loses=PATIENCE, costs=0.5)
class TrueOnlyOnce(Plain):
    """It says stop once, and no longer at the next step, although that brought no improvement either. Compare so that
    the answer stays true from there on."""

    def enough(self):
        return self.waited == self.patience

@exercise.wrong(loses=PATIENCE)
class NeverStops(Plain):
    """It never says stop, whatever the losses do. Is the counter raised, and is the answer returned?"""

    def enough(self):
        return False

@exercise.wrong(loses=PATIENCE, costs=1)
class AfterSoManyEpochs(Plain):
    """It stops after as many steps as the patience, whether they brought improvements or not."""

    def enough(self):
        return self.epoch + 1 >= self.patience

@exercise.wrong(loses=PATIENCE, costs=0.75)
class TheOtherWayRound(Plain):
    """It says stop where training should go on, and the other way around. True means stop."""

    def enough(self):
        return not super().enough()

@exercise.wrong(loses=(PATIENCE, BEST), costs=0.75)
class EqualCountsAsBetter(Plain):
    """A loss equal to the best one counts as an improvement, so on a plateau it waits forever. An improvement is
    strictly less."""

    def improves(self, loss):
        return loss <= self.best_loss - self.min_delta

@exercise.wrong(loses=(PATIENCE, BEST), costs=1.5)
class ComparedWithTheEpochBefore(Plain):
    """Each loss was compared with the one before it. A loss may be lower than the last one and far from the best:
    compare with the best."""

    def improves(self, loss):
        return loss < self.last - self.min_delta

@exercise.also(ComparedWithTheEpochBefore)
class EveryLossKeptAsTheBest(Plain):
    def without(self, loss, state):
        self.remember(loss, state)

@exercise.wrong(loses=PATIENCE, costs=1)
class CounterComparedWithTheEpochBefore(Plain):
    """The counter is set back by every loss that is lower than the one before it. A loss may be lower than the last one
    and far from the best: one comparison, with the best, decides about everything."""

    def step(self, loss, state):
        fell, waited = loss < self.last - self.min_delta, self.waited
        super().step(loss, state)
        self.waited = 0 if fell else waited + 1
        return self.enough()

@exercise.wrong(loses=(PATIENCE, DELTA, NAN), costs=1.25)
class NeitherBetterNorWorse(Plain):
    """A loss that is neither an improvement nor worse does not count toward the patience, so with equal losses, or with
    NaN, it waits longer. Every step that brings no improvement counts."""

    def step(self, loss, state):
        self.epoch += 1
        if loss < self.best_loss:
            self.waited = 0
            self.remember(loss, state)
        elif loss > self.best_loss + self.min_delta:
            self.waited += 1
        return self.enough()

@exercise.also(NeitherBetterNorWorse)
class NeitherBetterNorAboveTheBest(Plain):
    def step(self, loss, state):
        self.epoch += 1
        if self.improves(loss):
            self.waited = 0
            self.remember(loss, state)
        elif loss > self.best_loss:
            self.waited += 1
        return self.enough()

@exercise.wrong(loses=(DELTA, NAN), costs=1)
class MinDeltaForWhatIsWorse(Plain):
    """min_delta decides what counts as worse: every lower loss is an improvement, and a loss that is higher by less
    than min_delta, or NaN, does not count toward the patience. It should decide what counts as better, and every other
    step counts."""

    def step(self, loss, state):
        self.epoch += 1
        if loss < self.best_loss:
            self.waited = 0
            self.remember(loss, state)
        elif loss >= self.best_loss + self.min_delta:
            self.waited += 1
        return self.enough()

@exercise.wrong(loses=(PATIENCE, BEST), costs=1.5)
class LargerIsBetter(Plain):
    """A larger loss counts as better, as it would for an accuracy. Losses should fall."""

    def __init__(self, patience, min_delta=0.0):
        super().__init__(patience, min_delta)
        self.best_loss = -math.inf

    def improves(self, loss):
        return loss > self.best_loss + self.min_delta

@exercise.wrong(loses=BEST, costs=1.5)
class LastInsteadOfBest(Plain):
    """What is kept is that of the last step, not of the best one: loss, epoch and state were stored at every step. When
    the patience has run out, the last step is the one that nobody wants."""

    def __init__(self, patience, min_delta=0.0):
        super().__init__(patience, min_delta)
        self.lowest = math.inf

    def improves(self, loss):
        return loss < self.lowest - self.min_delta

    def step(self, loss, state):
        stop = super().step(loss, state)
        self.lowest = min(self.lowest, self.best_loss)
        self.best_loss, self.best_epoch, self.best_state = loss, self.epoch, self.keep(state)
        return stop

@exercise.wrong(loses=COPY, costs=1)
class NotACopy(Plain):
    """The state was kept without copying its tensors. Training goes on in these very tensors, so what was kept changes
    with them, and in the end the best state is the last one."""

    def keep(self, state):
        return dict(state)

@exercise.wrong(loses=COPY, costs=0.5)
class StateSharedByAllObjects(Plain):
    """Two objects share their best state, so each overwrites what the other one keeps: the dictionary belongs to the
    class, or to the notebook. Give every object its own."""

    shared = {}

    def keep(self, state):
        self.shared.update(copy.deepcopy(state))
        return self.shared

@exercise.wrong(loses=COPY, costs=0.75)
class StateOfEveryStep(Plain):
    """The state was stored at every step, so in the end it is that of the last one. Store it only when the loss
    improved."""

    def without(self, loss, state):
        self.best_state = self.keep(state)

@exercise.wrong(loses=COPY, costs=0.75)
class StateOfTheFirstStep(Plain):
    """The state is that of the first step: it was stored once and never replaced. Replace it whenever the loss
    improved."""

    def keep(self, state):
        return copy.deepcopy(state) if self.best_state is None else self.best_state

@exercise.wrong(loses=COPY, costs=0.75)
class StateOneStepLate(Plain):
    """The state that was kept is the one of the step after the best loss. The state that comes in with a loss is the
    one that has it."""

    def remember(self, loss, state):
        self.best_loss, self.best_epoch = loss, self.epoch
        self.best_state = self.keep(state) if self.best_state is None else self.best_state

    def without(self, loss, state):
        if self.waited == 1:
            self.best_state = self.keep(state)

@exercise.wrong(loses=BEST, costs=0.25)
class EpochsCountedFromOne(Plain):
    """The epochs are counted from one. The first step is epoch 0 here."""

    def remember(self, loss, state):
        super().remember(loss, state)
        self.best_epoch = self.epoch + 1

@exercise.wrong(loses=BEST, costs=0.5)
class ImprovementsCounted(Plain):
    """The number of improvements was counted, not that of the steps. Every step is an epoch, with or without an
    improvement."""

    def __init__(self, patience, min_delta=0.0):
        super().__init__(patience, min_delta)
        self.improvements = -1

    def remember(self, loss, state):
        super().remember(loss, state)
        self.improvements += 1
        self.best_epoch = self.improvements

@exercise.wrong(loses=BEST, costs=0.5)
class EpochOfTheLastStep(Plain):
    """The epoch is that of the last step. It should be the one in which the best loss was seen."""

    def without(self, loss, state):
        self.best_epoch = self.epoch

@exercise.wrong(loses=DELTA, costs=0.75)
class MinDeltaIgnored(Plain):
    """Every lower loss counts as an improvement: min_delta does not enter."""

    def improves(self, loss):
        return loss < self.best_loss

@exercise.wrong(loses=DELTA, costs=0.5)
class MinDeltaWithTheWrongSign(Plain):
    """min_delta makes an improvement easier instead of harder: even a loss that is a little higher counts. Its sign is
    wrong."""

    def improves(self, loss):
        return loss < self.best_loss + self.min_delta

@exercise.wrong(loses=DELTA, costs=0.25)
class ExactlyMinDeltaCounts(Plain):
    """An improvement of exactly min_delta counts. It should be more than that."""

    def improves(self, loss):
        return loss < self.best_loss if self.min_delta == 0 else loss <= self.best_loss - self.min_delta

@exercise.wrong(loses=DELTA, costs=0.5)
class MinDeltaAsAShare(Plain):
    """min_delta was taken as a share of the best loss. It is a difference of losses."""

    def improves(self, loss):
        return loss < self.best_loss * (1 - self.min_delta)

@exercise.wrong(loses=DELTA, costs=0.75)
class BestMovesWithEveryGain(Plain):
    """The best loss moves with every lower loss, while only large gains set the counter back. Then many small gains
    never add up to one that counts: the best values change only when an improvement counts."""

    def without(self, loss, state):
        if loss < self.best_loss:
            self.best_loss, self.best_epoch, self.best_state = loss, self.epoch, self.keep(state)

@exercise.wrong(loses=DELTA, costs=0.75)
class MinDeltaForTheCounterOnly(Plain):
    """The counter is set back by every lower loss, while the best values ask for min_delta. One and the same test
    decides about both."""

    def __init__(self, patience, min_delta=0.0):
        super().__init__(patience, min_delta)
        self.lowest = math.inf

    def without(self, loss, state):
        if loss < self.lowest:
            self.waited = 0
        self.lowest = min(self.lowest, loss)

    def remember(self, loss, state):
        super().remember(loss, state)
        self.lowest = min(self.lowest, loss)

@exercise.wrong(loses=NAN)
class NanBecomesTheBest(Plain):
    """NaN was taken for an improvement, and afterward nothing is better than it. Every comparison with NaN is false,
    so asking whether a loss is not worse says yes: ask whether it is better."""

    def improves(self, loss):
        return not loss >= self.best_loss - self.min_delta

@exercise.wrong(loses=(PATIENCE, DELTA), costs=1.5)
class BestReplacedBeforeTheComparison(Plain):
    """The best loss was replaced before it was compared with, so no loss is ever lower than the best, and the counter
    is never set back. Compare once, and let that decide about everything."""

    def improves(self, loss):
        return False

    def without(self, loss, state):
        if loss < self.best_loss:
            self.best_loss, self.best_epoch, self.best_state = loss, self.epoch, self.keep(state)

@exercise.wrong(loses=NAN, costs=0.25)
class NanAsTheFirstBest(Plain):
    """The first loss was taken for the best whatever it is. Where it is NaN, nothing is better afterward: start from a
    loss that every number beats."""

    def improves(self, loss):
        return self.best_state is None or super().improves(loss)

@exercise.wrong(loses=NAN, costs=0.25)
class NanNotCounted(Plain):
    """A step whose loss is NaN was passed over. It is a step without improvement like any other: it counts as an epoch
    and toward the patience."""

    def step(self, loss, state):
        return self.enough() if math.isnan(loss) else super().step(loss, state)

@exercise.also(NanNotCounted)
class NanCountsAsAnEpochOnly(Plain):
    def step(self, loss, state):
        if math.isnan(loss):
            self.epoch += 1
            return self.enough()
        return super().step(loss, state)

@exercise.wrong(loses=NAN, costs=0.25)
class NanStopsAtOnce(Plain):
    """A loss of NaN stops at once, or for good. It is a step without improvement like any other; patience decides."""

    def step(self, loss, state):
        return super().step(loss, state) or math.isnan(loss)

@exercise.both(NotACopy, EqualCountsAsBetter)
class EqualAndNotACopy(EqualCountsAsBetter):
    def keep(self, state):
        return dict(state)
