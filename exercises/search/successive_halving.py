"""Successive halving: many short runs, of which few become long (Jamieson, Talwalkar 2016)."""

import itertools

import numpy as np
import torch

from autograder.exercise import Case, Exercise, one_of
from exercises.draws import uniform
from exercises.search.shared import tensor

WRONG_WINNERS = []
"""Mistakes in the winner, which curves have to tell from one another."""

exercise = Exercise(
    "successive-halving",
    "successive_halving(curves, rungs, eta)",
    returns=("winner", "epochs"),
    dtype="a place and a count are whole numbers",
)
WINNER = exercise.criterion("the winner", 2, cases=("by hand", "many*", "few*"), outputs="winner")
EPOCHS = exercise.criterion("the epochs spent", 2, cases=("by hand", "many*", "few*"), outputs="epochs")
KEEPS = exercise.criterion("keeps one run at least", 0.75, cases="more than*")

@exercise.cases
def cases(g):
    def curves(n, total):
        """Curves that cross often, (n, total): from a random start to a random end, with much noise."""
        ends = torch.stack([torch.randperm(n, generator=g) for _ in range(2)]).double() / n
        share = torch.linspace(0, 1, total).double() if total > 1 else torch.zeros(1).double()
        trend = 0.1 * ends[0][:, None] * (1 - share) + 0.2 * ends[1][:, None] * share
        return trend + uniform(g, 0.1, 0.7, n, total)

    def case(n, rungs, eta, total):
        return Case({"curves": curves(n, total), "rungs": list(rungs), "eta": eta})

    def telling(*shapes):
        """Cases on which every mistake finds another winner than the right one, and no two the same everywhere."""
        while True:
            found = [case(*shape) for shape in shapes]
            right, *wrong = ([answer(*c.inputs.values())[0] for c in found] for answer in [race_winner, *WRONG_WINNERS])
            told = [tuple(w) for w in wrong if w != right]
            if min(right) > 1 and len(set(told)) == len(WRONG_WINNERS):
                return found

    rows = [0.1, 0.2, 0.3, 0.9], [0.5, 0.6, 0.4, 0.45], [0.4, 0.3, 0.7, 0.2], [0.6, 0.55, 0.8, 0.35]
    order = torch.randperm(3, generator=g).tolist()
    small = tensor(rows[0], *(rows[i + 1] for i in order))
    yield "by hand", {"curves": small, "rungs": [1, 2, 4], "eta": 2}
    n, eta = one_of(g, (18, 3), (21, 3), (32, 4))
    found = telling(
        (n, (1, 3, 9), eta, 10),
        # Rounded down, up and to the nearest differ at one of the cuts.
        (one_of(g, 13, 15, 19), (2, 4, 6, 9), 2, 9),
        (one_of(g, 9, 11, 13), (2, 5), 2, 8),
    )
    yield "many, a third or a quarter", found[0]
    yield "many, an odd number", found[1]
    yield "few rungs, the last before the end", found[2]
    n = one_of(g, 8, 10, 12)
    yield "few rungs, a single one", case(n, (one_of(g, 3, 4),), 3, 6)
    n = one_of(g, 5, 6, 7)
    yield "more than eta are not left", case(n, (1, 2, 5), one_of(g, 4, 5), 6)

@exercise.reference
def one_epoch_after_another(curves, rungs, eta):
    alive, spent = list(range(len(curves))), 0
    for epoch in range(1, rungs[-1] + 1):
        spent += len(alive)
        if epoch in rungs and epoch != rungs[-1]:
            alive.sort(key=lambda i: -float(curves[i, epoch - 1]))
            alive = alive[: max(1, len(alive) // eta)]
    return max(alive, key=lambda i: float(curves[i, rungs[-1] - 1])), spent

@exercise.right
def topk_of_tensors(curves, rungs, eta):
    left, spent = torch.arange(len(curves)), len(curves) * rungs[0]
    for rung, following in itertools.pairwise(rungs):
        left = left[curves[left, rung - 1].topk(max(1, len(left) // eta)).indices]
        spent += len(left) * (following - rung)
    return left[curves[left, rungs[-1] - 1].argmax()], spent

@exercise.right
def masked_scores(curves, rungs, eta):
    """Those that are out get a score below every other."""
    n, before, spent = len(curves), 0, torch.tensor(0)
    out = torch.zeros(n, dtype=torch.bool)
    for i, rung in enumerate(rungs):
        spent = spent + (~out).sum() * (rung - before)
        scores = curves[:, rung - 1].masked_fill(out, -1e9)
        keep = max(1, int((~out).sum()) // eta) if i < len(rungs) - 1 else 1
        out = torch.ones(n, dtype=torch.bool)
        out[scores.argsort(descending=True)[:keep]] = False
        before = rung
    return int((~out).nonzero()), spent

@exercise.right
def numpy_from_the_counts(curves, rungs, eta):
    counts = [len(curves)]
    for _ in rungs[1:]:
        counts.append(max(1, counts[-1] // eta))
    alive = np.arange(counts[0])
    for count, rung in zip([*counts[1:], 1], rungs, strict=True):
        alive = alive[np.argsort(curves.numpy()[alive, rung - 1])[-count:]]
    return int(alive[0]), int(np.dot(counts, np.diff([0, *rungs])))

def race(curves, rungs, eta, keep=lambda n, eta: max(1, n // eta), score=lambda row, rung: row[rung - 1]):
    """The rows that are left at the last rung, best first, and how many ran up to each rung."""
    rows = curves.tolist()
    left, counts = list(range(len(rows))), [len(rows)]
    for rung in rungs[:-1]:
        left = sorted(left, key=lambda i: -score(rows[i], rung))[: keep(len(left), eta)]
        counts.append(len(left))
    return sorted(left, key=lambda i: -score(rows[i], rungs[-1])), counts

def kept(curves, rungs, eta):
    """The rows that are left after the last cut, best first at that rung; in their own order if there was none."""
    left = list(range(len(curves)))
    for rung in rungs[:-1]:
        left = sorted(left, key=lambda i, rung=rung: -float(curves[i, rung - 1]))[: max(1, len(left) // eta)]
    return left

def race_winner(curves, rungs, eta):
    return race(curves, rungs, eta)[0][0], None

def resumed(counts, rungs):
    return sum(n * (b - a) for n, a, b in zip(counts, [0, *rungs], rungs, strict=False))

def played(**rules):
    def answer(curves, rungs, eta):
        left, counts = race(curves, rungs, eta, **rules)
        return left[0], resumed(counts, rungs)

    return answer

def spending(count):
    """A mistake in the epochs alone."""
    def answer(curves, rungs, eta):
        left, counts = race(curves, rungs, eta)
        return left[0], count(counts, rungs, curves)

    answer.__name__, answer.__doc__ = count.__name__, count.__doc__
    return answer

@exercise.wrong(loses=EPOCHS, costs=0.75)
@spending
def restarted_at_every_rung(counts, rungs, curves):
    """Every run that goes on was counted from its first epoch again. It is resumed: only the epochs since the rung
    before are new."""
    return sum(n * rung for n, rung in zip(counts, rungs, strict=True))

@exercise.wrong(loses=EPOCHS, costs=1)
@spending
def all_runs_to_the_end(counts, rungs, curves):
    """The epochs are those of training every run to the last rung. Those that were stopped cost less, which is the
    point."""
    return counts[0] * rungs[-1]

@exercise.wrong(loses=EPOCHS, costs=0.5)
@spending
def epochs_to_the_last_column(counts, rungs, curves):
    """The winner was counted as if it ran to the last column of the curves. Nothing runs beyond the last rung."""
    return resumed(counts, rungs) + curves.shape[1] - rungs[-1]

@exercise.wrong(loses=EPOCHS, costs=0.75)
@spending
def first_rung_not_counted(counts, rungs, curves):
    """The epochs up to the first rung are missing. All runs take part in them, so they cost most."""
    return resumed(counts, rungs) - counts[0] * rungs[0]

@exercise.wrong(loses=EPOCHS, costs=0.75)
@spending
def counted_after_the_cut(counts, rungs, curves):
    """At each rung only those that go on were counted. Those that are stopped there have run so far as well."""
    return resumed([*counts[1:], 1], rungs)

@exercise.also(counted_after_the_cut)
@spending
def counted_after_the_cut_without_one_at_the_end(counts, rungs, curves):
    return resumed([*counts[1:], counts[-1]], rungs)

@exercise.wrong(loses=EPOCHS, costs=0.75)
@spending
def last_stretch_not_counted(counts, rungs, curves):
    """The epochs from the last cut to the last rung are missing. Those that are left run that far."""
    return resumed(counts[:-1], rungs[:-1])

@exercise.wrong(loses=EPOCHS, costs=1)
@spending
def rungs_for_epochs(counts, rungs, curves):
    """The runs at each rung were added up. From one rung to the next a run takes several epochs."""
    return sum(counts)

@exercise.wrong(loses=EPOCHS, costs=1)
@spending
def epochs_of_the_winner(counts, rungs, curves):
    """These are the epochs of the winner alone. All others ran too, some of them briefly."""
    return rungs[-1]

def mistaken(costs):
    """A mistake in the winner."""
    def add(answer):
        WRONG_WINNERS.append(answer)
        return exercise.wrong(loses=WINNER, costs=costs)(answer)

    return add

def another_way_to(known):
    """The same mistake in the winner, with other numbers that curves have to tell."""
    def add(answer):
        WRONG_WINNERS.append(answer)
        return exercise.also(known)(answer)

    return add

def winning(costs, **rules):
    """A mistake in who goes on; the function that it decorates carries name and hint."""
    def add(named):
        answer = played(**rules)
        answer.__name__, answer.__doc__ = named.__name__, named.__doc__
        return mistaken(costs)(answer)

    return add

@winning(1, score=lambda row, rung: -row[rung - 1])
def worst_go_on():
    """The runs with the lowest scores go on. A larger score is better here."""

@winning(0.75, score=lambda row, rung: row[min(rung, len(row) - 1)])
def score_one_epoch_late():
    """The scores were read one epoch too late. After r epochs the score stands in column r - 1, since columns count
    from 0."""

exercise.also(score_one_epoch_late)(played(score=lambda row, rung: row[rung]))

@winning(0.75, score=lambda row, rung: sum(row[:rung]) / rung)
def mean_over_the_epochs():
    """The runs were ranked by the mean of their scores so far. The score at the rung is what counts: slow starters
    are punished enough."""

@winning(0.75, score=lambda row, rung: row[-1])
def score_of_the_last_column():
    """The runs were ranked by a score that they have not reached yet, or never will: the last column. At a rung, only
    the epochs so far are known."""

@another_way_to(score_of_the_last_column)
def winner_by_the_last_column(curves, rungs, eta):
    left, counts = race(curves, rungs, eta)
    return max(left, key=lambda i: float(curves[i, -1])), resumed(counts, rungs)

@mistaken(1)
def best_of_all_at_the_end(curves, rungs, eta):
    """The winner was sought among all runs at the last rung. Those that were stopped before never got there."""
    _, counts = race(curves, rungs, eta)
    return int(curves[:, rungs[-1] - 1].argmax()), resumed(counts, rungs)

@mistaken(1)
def best_at_the_first_rung(curves, rungs, eta):
    """The winner is the one that leads at the first rung. Those that went on have scores at later rungs, and the last
    one decides."""
    _, counts = race(curves, rungs, eta)
    best = int(curves[:, rungs[0] - 1].argmax())
    return best, resumed(counts, rungs)

@mistaken(1)
def first_of_those_left(curves, rungs, eta):
    """The winner is the one that led at the rung before the last. Of those that are left, the score at the last rung
    decides."""
    _, counts = race(curves, rungs, eta)
    left, _ = race(curves, rungs[:-1] or rungs, eta)
    return left[0], resumed(counts, rungs)

@exercise.also(first_of_those_left)
def first_in_the_list(curves, rungs, eta):
    _, counts = race(curves, rungs, eta)
    return kept(curves, rungs, eta)[0], resumed(counts, rungs)

@mistaken(0.75)
def place_among_those_left(curves, rungs, eta):
    """A place among those that are left at a rung was taken for a row. The row of the winner in the curves is asked
    for."""
    left, counts = race(curves, rungs, eta)
    return sorted(left).index(left[0]), resumed(counts, rungs)

@another_way_to(place_among_those_left)
def place_among_those_left_best_first(curves, rungs, eta):
    left, counts = race(curves, rungs, eta)
    return kept(curves, rungs, eta).index(left[0]), resumed(counts, rungs)

@another_way_to(place_among_those_left)
def place_among_those_left_best_last(curves, rungs, eta):
    left, counts = race(curves, rungs, eta)
    ranked = kept(curves, rungs, eta)
    # Without a cut they stand in their own order.
    return (ranked if len(rungs) == 1 else ranked[::-1]).index(left[0]), resumed(counts, rungs)

@another_way_to(place_among_those_left)
def place_in_the_last_order(curves, rungs, eta):
    """The curves themselves were sorted and cut, so the winner stands first."""
    return 0, resumed(race(curves, rungs, eta)[1], rungs)

@another_way_to(place_among_those_left)
def places_not_mapped_back(curves, rungs, eta):
    _, counts = race(curves, rungs, eta)
    left = torch.arange(len(curves))
    for rung, keep in zip(rungs, [*counts[1:], 1], strict=True):
        left = curves[left, rung - 1].topk(keep).indices
    return int(left[0]), resumed(counts, rungs)

@exercise.wrong(loses=EPOCHS, costs=0.5)
def rounded_up(curves, rungs, eta):
    """The number of runs that go on was rounded up, or to the nearest whole number. Round it down, but keep one."""
    return played(keep=lambda n, eta: -(-n // eta))(curves, rungs, eta)

@exercise.also(rounded_up)
def rounded_to_the_nearest(curves, rungs, eta):
    return played(keep=lambda n, eta: max(1, round(n / eta)))(curves, rungs, eta)

@exercise.wrong(loses=EPOCHS, costs=1)
def one_in_eta_dropped(curves, rungs, eta):
    """At each rung one run in eta was stopped. One in eta goes on, the others are stopped."""
    return played(keep=lambda n, eta: max(1, n - n // eta))(curves, rungs, eta)

@exercise.wrong(loses=EPOCHS, costs=0.5)
def always_halved(curves, rungs, eta):
    """Half of the runs go on at every rung. eta says how many do."""
    return played(keep=lambda n, eta: max(1, n // 2))(curves, rungs, eta)

@exercise.wrong(loses=KEEPS)
def none_left(curves, rungs, eta):
    """With fewer runs than eta, none is left after a rung. One run at least should go on."""
    return played(keep=lambda n, eta: n // eta)(curves, rungs, eta)

@exercise.both(restarted_at_every_rung, rounded_up)
def restarted_and_rounded_up(curves, rungs, eta):
    left, counts = race(curves, rungs, eta, keep=lambda n, eta: -(-n // eta))
    return left[0], sum(n * rung for n, rung in zip(counts, rungs, strict=True))

@exercise.also(none_left)
def largest_of_none(curves, rungs, eta):
    left, counts = race(curves, rungs, eta, keep=lambda n, eta: n // eta)
    return max(left[:1]), resumed(counts, rungs)

@exercise.both(rounded_up, none_left)
def rounded_to_the_nearest_and_none_left(curves, rungs, eta):
    return played(keep=lambda n, eta: round(n / eta))(curves, rungs, eta)

@exercise.wrong(loses=(WINNER, EPOCHS), costs=0.5)
def results_in_wrong_order(curves, rungs, eta):
    """The two results are in the wrong order: the winner should come first, then the epochs."""
    winner, epochs = one_epoch_after_another(curves, rungs, eta)
    return epochs, winner
