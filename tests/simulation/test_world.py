"""One seed is one world, and worlds have everything in them; in none does anything break."""

from __future__ import annotations

import pytest

from perdure.ledger.records import Kind
from perdure.simulation.world import Outcome, simulate

SEEDS = range(1, 31)
ELSEWHERE = {Kind.FORK, Kind.LIVE, Kind.RELOAD, Kind.KEEP}  # of verbs that no world has yet
TOLD = "from perdure.simulation.world import simulate; print(simulate(5).digest)"


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return [simulate(seed) for seed in SEEDS]


def test_nothing_that_must_hold_is_violated(outcomes: list[Outcome]) -> None:
    assert {each.seed: each.violations for each in outcomes if each.violations} == {}
