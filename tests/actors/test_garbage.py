"""The search for garbage cycles is rarer while runs last, and as it was afterwards."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from perdure.actors.garbage import Rarer
from perdure.limits import GARBAGE_OBJECTS_MIN


@pytest.fixture(autouse=True)
def _own_threshold() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_the_last_of_several_runs_puts_the_threshold_back() -> None:
    garbage = Rarer()
    gc.set_threshold(700, 9, 8)
    garbage.begin()
    garbage.begin()
    garbage.end()
    assert gc.get_threshold() == (GARBAGE_OBJECTS_MIN, 9, 8)
    garbage.end()
    assert gc.get_threshold() == (700, 9, 8)


@pytest.mark.parametrize("own", [0, GARBAGE_OBJECTS_MIN + 1])
def test_a_user_who_turned_it_off_or_further_up_is_left_alone(own: int) -> None:
    garbage = Rarer()
    gc.set_threshold(own, 9, 8)
    garbage.begin()
    assert gc.get_threshold() == (own, 9, 8)
    garbage.end()
    assert gc.get_threshold() == (own, 9, 8)


def test_what_a_user_sets_during_a_run_stays() -> None:
    garbage = Rarer()
    gc.set_threshold(700, 9, 8)
    garbage.begin()
    gc.set_threshold(123, 4, 5)
    garbage.end()
    assert gc.get_threshold() == (123, 4, 5)
