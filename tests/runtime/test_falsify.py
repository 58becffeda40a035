"""Predictions are compared with what happened, and are found wrong when they are."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from perdure.limits import STATS_REORDERED_MAX
from perdure.runtime.falsify import HOLDS, OPEN, WRONG, Falsifier, Line, tries
from perdure.runtime.stats import Attempt, Kind

KIND = Kind("Reader", "Read")
NS = 1_000_000_000
ATTEMPTS_MAX = 3


def history(
    seed: int, messages: int, success: float, *, correlation: float = 0.0, said: float = 1.0
) -> Iterator[Attempt]:
    """Messages for one actor, one after the other, each tried up to three times.

    With a chance of `correlation` a message that failed fails again whatever is tried; each turn
    takes a second on average, and the scheduler had said `said` seconds.
    """
    chance, now = random.Random(seed), 0
    for _ in range(messages):
        sent, work, doomed = now, 0, False
        for number in range(1, ATTEMPTS_MAX + 1):
            began, took = now, int(chance.uniform(0.5, 1.5) * NS)
            now, work = now + took, work + took
            closed = chance.random() < success and not doomed
            doomed = doomed or (not closed and chance.random() < correlation)
            over = closed or number == ATTEMPTS_MAX
            yield Attempt(
                now, 0, KIND, 1, number, closed, over, sent, began, began, now, 3.0,
                said if closed else 0.0, work, ATTEMPTS_MAX,
            )  # fmt: skip
            if over:
                break


def verdicts(attempts: Iterator[Attempt]) -> dict[str, Line]:
    falsifier = Falsifier(1)
    for attempt in attempts:
        falsifier.add(attempt)
    return {line.claim: line for line in falsifier.lines()}


def test_independent_failures_and_right_estimates_are_borne_out() -> None:
    lines = verdicts(history(7, 2_000, 0.7))
    assert {claim: line.verdict for claim, line in lines.items()} == dict.fromkeys(lines, HOLDS)
    work = lines["work"]
    assert work.predicted == pytest.approx(2_000 * tries(0.7, ATTEMPTS_MAX), rel=0.05)
    assert work.measured == pytest.approx(work.predicted, rel=0.05)


def test_an_honest_claim_is_called_wrong_one_time_in_twenty_at_most() -> None:
    wrong = sum(
        verdicts(history(seed, 300, 0.7))["success of retries"].verdict == WRONG
        for seed in range(100)
    )
    assert wrong <= 10


def test_retries_that_fail_as_their_first_tries_did_falsify_independence() -> None:
    lines = verdicts(history(7, 2_000, 0.7, correlation=0.9))
    assert lines["success of first tries"].verdict == HOLDS
    retries = lines["success of retries"]
    assert retries.verdict == WRONG
    assert retries.measured < retries.predicted / 3
    assert "of retries closed, and 70% of first tries" in retries.text
    assert lines["work"].measured > lines["work"].predicted  # 1 / p was too few tries


@pytest.mark.parametrize(("said", "verdict"), [(1.0, HOLDS), (2.0, WRONG), (0.5, WRONG)])
def test_a_completion_time_is_only_as_good_as_the_estimate_it_was_made_of(
    said: float, verdict: str
) -> None:
    line = verdicts(history(7, 1_000, 1.0, said=said))["weighted completion time"]
    assert line.verdict == verdict
    assert line.measured == pytest.approx(3.0 * 1_000, rel=0.05)
    assert line.predicted == pytest.approx(3.0 * 1_000 * said, rel=0.6)


def test_turns_in_several_slots_are_predicted_side_by_side() -> None:
    def two_at_once() -> Iterator[Attempt]:
        for number in range(200):
            began = number // 2 * NS
            times = (0, 0, began, began + NS)
            yield Attempt(number + 1, 0, KIND, number, 1, True, True, *times, 1.0, 1.0, NS, 3)

    for slots, verdict in ((2, HOLDS), (1, WRONG)):
        falsifier = Falsifier(slots)
        for attempt in two_at_once():
            falsifier.add(attempt)
        line = falsifier.lines()[0]
        assert line.verdict == verdict
        assert line.measured == sum(number // 2 + 1 for number in range(200))


def test_of_a_few_turns_nothing_is_said() -> None:
    lines = verdicts(history(7, 9, 0.5))
    assert {line.verdict for line in lines.values()} == {OPEN}
    assert {line.verdict for line in verdicts(iter(())).values()} == {OPEN}


def test_turns_that_are_not_in_order_yet_are_bounded() -> None:
    falsifier = Falsifier(1)
    for attempt in history(7, STATS_REORDERED_MAX + 500, 1.0):
        falsifier.add(attempt)
    assert len(falsifier._order._jobs) == STATS_REORDERED_MAX
    assert len(falsifier._predicted) <= 1
