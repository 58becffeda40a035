from __future__ import annotations

from itertools import pairwise

import pytest

from perdure.mailbox.estimates import REPUBLISH, Estimates
from perdure.mailbox.index import SERVICE_SECONDS_PRIOR

READ = ("Reader", "Read")


def observed(*seconds: float) -> Estimates:
    estimates = Estimates()
    for each in seconds:
        estimates.observe(READ, each)
    return estimates


def test_before_the_first_turn_the_estimate_is_the_prior() -> None:
    assert Estimates().seconds(READ) == SERVICE_SECONDS_PRIOR


def test_the_first_turn_replaces_the_prior() -> None:
    assert observed(0.7).seconds(READ) == 0.7


def test_each_kind_of_turn_is_learned_by_itself() -> None:
    estimates = observed(0.7)
    estimates.observe(("Reader", "Scan"), 2.0)
    estimates.observe(("Editor", "Read"), 3.0)
    assert estimates.seconds(READ) == 0.7


def test_an_estimate_comes_close_to_what_turns_take_now() -> None:
    estimates = observed(1.0, *[3.0] * 60)
    assert estimates.seconds(READ) == pytest.approx(3.0, rel=2 * REPUBLISH)


def test_an_estimate_stands_still_while_the_mean_moves_little() -> None:
    estimates = observed(1.0)
    published = set()
    for n in range(200):
        estimates.observe(READ, 1.05 if n % 2 else 0.95)
        published.add(estimates.seconds(READ))
    assert published == {1.0}


def test_a_mean_that_creeps_is_published_in_steps_of_more_than_a_tenth() -> None:
    estimates = observed(1.0)
    published = [1.0]
    for n in range(2_000):
        estimates.observe(READ, 1.0 + n / 1_000)
        if estimates.seconds(READ) != published[-1]:
            published.append(estimates.seconds(READ))
    steps = [b / a for a, b in pairwise(published)]
    assert len(steps) > 5
    assert min(steps) == pytest.approx(1 + REPUBLISH, rel=0.01)


def test_turns_shorter_than_the_prior_count_as_long_as_it() -> None:
    assert observed(0.0, 0.0).seconds(READ) == SERVICE_SECONDS_PRIOR
