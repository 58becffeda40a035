"""What perdure predicts, against what happened: claims that a run can show to be wrong; pure.

A prediction is made of what was known before: of the estimate that a turn was dispatched by, or of
the turns of its kind that were over. Nothing is predicted from itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush, heapreplace
from math import sqrt
from typing import NamedTuple

from perdure.ledger.records import Record
from perdure.limits import STATS_REORDERED_MAX
from perdure.mailbox.estimates import REPUBLISH
from perdure.mailbox.index import SERVICE_SECONDS_MIN, SERVICE_SECONDS_PRIOR
from perdure.runtime.sketch import Series
from perdure.runtime.stats import Attempt, Kind, Stats

LEARNT_MIN = 5  # attempts of a kind before anything is predicted from them
TERMS_MIN = 10  # predictions of which something can be said
HOLDS, WRONG, OPEN = "holds", "does not hold", "too few to say"
ENDS_MAX = 65_536  # turns whose end in the model is kept, for what they sent


class Line(NamedTuple):
    """A claim and what came of it: it holds if the difference is within the error."""

    claim: str
    unit: str
    terms: int
    predicted: float
    measured: float
    error: float
    verdict: str
    text: str


@dataclass(slots=True)
class Learnt:
    """What is known of a kind of turn so far."""

    firsts: int = 0  # first tries
    firsts_ok: int = 0
    attempts: int = 0
    work: int = 0  # ns of all attempts
    service_seconds: float = SERVICE_SECONDS_PRIOR  # S when one was last dispatched

    @property
    def success(self) -> float:
        return self.firsts_ok / self.firsts

    @property
    def variance(self) -> float:
        """Of the next outcome, also where none was other than the rest so far."""
        chance = (self.firsts_ok + 0.5) / (self.firsts + 1.0)
        return chance * (1.0 - chance) * (1.0 + 1.0 / self.firsts)

    @property
    def seconds(self) -> float:
        return self.work / self.attempts / 1e9


@dataclass(slots=True)
class Sums:
    """The two sides of a claim, and the series of what is between them."""

    predicted: float = 0.0
    measured: float = 0.0
    variance: float = 0.0  # of what is predicted, where the prediction itself says it
    between: Series = field(default_factory=Series)

    def add(self, predicted: float, measured: float, variance: float = 0.0) -> None:
        self.predicted += predicted
        self.measured += measured
        self.variance += variance
        self.between.add(measured - predicted)

    def line(self, claim: str, unit: str, error: float, text: str) -> Line:
        """The claim with its verdict."""
        off = abs(self.measured - self.predicted)
        verdict = HOLDS if off <= error else WRONG
        if self.between.count < TERMS_MIN:
            verdict = OPEN
        sides = (self.between.count, self.predicted, self.measured, error)
        return Line(claim, unit, *sides, verdict, text)


class Falsifier:
    """Takes the attempts of a run in order; `lines` are its claims at the end."""

    def __init__(self, concurrency: int) -> None:
        self._learnt: dict[Kind, Learnt] = {}
        self._firsts, self._retries, self._work = Sums(), Sums(), Sums()
        self._predicted: dict[int, float] = {}  # actor -> work of the message it is at, seconds
        self._order = Order(concurrency)

    def add(self, attempt: Attempt) -> None:
        """Predict, compare, and only then learn."""
        learnt = self._learnt.get(attempt.kind)
        if learnt is None:
            learnt = self._learnt[attempt.kind] = Learnt()
        if attempt.seconds:
            learnt.service_seconds = attempt.seconds
        known = learnt.firsts >= LEARNT_MIN
        self._order.add(attempt, _expected(attempt, learnt, known=known))
        if known:
            sums = self._firsts if attempt.number == 1 else self._retries
            sums.add(learnt.success, attempt.closed, learnt.variance)
        self._compare_work(attempt, learnt, known=known)
        if attempt.number == 1:
            learnt.firsts += 1
            learnt.firsts_ok += attempt.closed
        learnt.attempts += 1
        learnt.work += attempt.ended - attempt.began

    def _compare_work(self, attempt: Attempt, learnt: Learnt, *, known: bool) -> None:
        actor = attempt.actor
        if attempt.number == 1:
            self._predicted.pop(actor, None)  # of a message that died without an attempt more
            if known:
                most = attempt.attempts_max
                self._predicted[actor] = learnt.seconds * tries(learnt.success, most)
        if attempt.over and actor in self._predicted:
            self._work.add(self._predicted.pop(actor), attempt.work / 1e9)

    def lines(self) -> list[Line]:
        """Each claim with its two sides, its error, and the verdict."""
        completion = self._order.finish()
        firsts, retries = self._firsts, self._retries
        shared = 1.0 + retries.between.count / max(firsts.between.count, 1)  # p is of so few
        slack = REPUBLISH * completion.predicted
        rates = f"{_rate(retries)} of retries closed, and {_rate(firsts)} of first tries"
        return [
            completion.line(
                "weighted completion time", "cost x s", completion.between.error + slack,
                "sum of c x (end - sending), had every turn taken its S",
            ),
            firsts.line(
                "success of first tries", "turns", 2 * sqrt(firsts.variance),
                "as often as those of their kind before",
            ),
            retries.line(
                "success of retries", "turns", 2 * sqrt(retries.variance * shared),
                f"as often as first tries: failures are independent. {rates}",
            ),
            self._work.line(
                "work", "s", self._work.between.error + REPUBLISH * self._work.predicted,
                "sum of w / p, up to attempts_max: the step is retried, never the run",
            ),
        ]  # fmt: skip


def tries(success: float, most: int) -> float:
    """How many attempts a message takes on average: 1 / p, cut off at the most it gets.

    >>> tries(0.5, 3), tries(0.0, 4), round(tries(0.5, 1_000), 6)
    (1.75, 4.0, 2.0)
    """
    return (1.0 - (1.0 - success) ** most) / success if success else float(most)


def _expected(attempt: Attempt, learnt: Learnt, *, known: bool) -> float:
    """How long an attempt was to take: S; below its floor, what was learnt of its kind."""
    seconds = learnt.service_seconds
    return learnt.seconds if known and seconds <= SERVICE_SECONDS_MIN else seconds


def _rate(sums: Sums) -> str:
    return f"{sums.measured / sums.between.count:.0%}" if sums.between.count else "none"


class Job(NamedTuple):
    """An attempt as the model of the scheduler sees it; `seconds` is what it was to take."""

    began: int
    place: int
    attempt: Attempt
    seconds: float


class Order:
    """A model of the scheduler: so many slots, turns in the order in which they began, each its S.

    Messages of turns are sent when the model has these end, others when they were. Whenever the run
    had nothing under way, the model starts again from there. Records come as turns end: those that
    began before others are put in front, as far as `STATS_REORDERED_MAX` turns go back.
    """

    def __init__(self, concurrency: int) -> None:
        self._jobs: list[Job] = []
        self._count = 0
        self._slots = [0.0] * max(concurrency, 1)
        self._free: dict[int, tuple[float, int]] = {}  # actor -> its last end here, and measured
        self._ends: dict[int, float] = {}  # record of a turn -> its end here
        self._sent: dict[int, float] = {}  # actor -> when the message it is at was sent, here
        self._busy_until = 0  # measured
        self._sums = Sums()

    def add(self, attempt: Attempt, seconds: float) -> None:
        """Take one more attempt, which was to take so long."""
        self._count += 1
        heappush(self._jobs, Job(attempt.began, self._count, attempt, seconds))
        if len(self._jobs) > STATS_REORDERED_MAX:
            self._serve(heappop(self._jobs))

    def finish(self) -> Sums:
        """The weighted completion times of all, as predicted and as measured."""
        while self._jobs:
            self._serve(heappop(self._jobs))
        return self._sums

    def _serve(self, job: Job) -> None:
        attempt = job.attempt
        since = attempt.sent if attempt.number == 1 else attempt.ready
        if since >= self._busy_until:
            self._slots = [float(since)] * len(self._slots)
            self._free.clear()
            self._ends.clear()
        self._busy_until = max(self._busy_until, attempt.ended)
        actor, end = attempt.actor, self._start(attempt) + job.seconds * 1e9
        heapreplace(self._slots, end)
        self._free[actor] = (end, attempt.ended)
        self._ends[attempt.seq] = end
        if len(self._ends) > ENDS_MAX:
            del self._ends[next(iter(self._ends))]
        if attempt.closed:
            predicted = attempt.cost * (end - self._sent[actor]) / 1e9
            self._sums.add(predicted, attempt.cost * (attempt.ended - attempt.sent) / 1e9)

    def _start(self, attempt: Attempt) -> float:
        """When an attempt begins: it is sent, its actor is free, and a slot is."""
        actor = attempt.actor
        free, measured = self._free.get(actor, (0.0, attempt.ready))
        if attempt.number == 1 or actor not in self._sent:
            self._sent[actor] = self._ends.get(attempt.sent_by, float(attempt.sent))
            return max(self._sent[actor], free, self._slots[0])
        pause = float(attempt.ready - measured)  # its back-off, and its actor's restart
        return max(free + pause if free else attempt.ready, self._slots[0])


def survey(found: Iterable[Record], stats: Stats) -> list[Line]:
    """The claims of a run, from its records in order, of which `stats` takes the figures."""
    falsifier = Falsifier(stats.concurrency)
    for record in found:
        attempt = stats.add(record)
        if attempt is not None:
            falsifier.add(attempt)
    return falsifier.lines()
