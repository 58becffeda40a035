"""The interpreter's switch interval is short while a commit writes, and what it was after that."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from perdure.ledger.gil import ShortWaits
from perdure.limits import COMMIT_SWITCH_SECONDS


@pytest.fixture(autouse=True)
def interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.003)
    yield
    sys.setswitchinterval(before)


def test_threads_take_turns_faster_inside_and_as_before_after() -> None:
    inside = 0.0
    try:
        with ShortWaits():
            inside = sys.getswitchinterval()
            raise KeyError
    except KeyError:
        assert inside == pytest.approx(COMMIT_SWITCH_SECONDS)
    assert inside
    assert sys.getswitchinterval() == pytest.approx(0.003)


def test_contexts_that_overlap_put_back_what_was_before_the_first() -> None:
    waits = ShortWaits()
    waits.__enter__()
    waits.__enter__()
    waits.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(COMMIT_SWITCH_SECONDS)
    waits.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(0.003)


def test_a_shorter_interval_is_left_alone() -> None:
    sys.setswitchinterval(COMMIT_SWITCH_SECONDS / 2)
    with ShortWaits():
        assert sys.getswitchinterval() < COMMIT_SWITCH_SECONDS
