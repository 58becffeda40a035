from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.clock import NS, FakeClock, LedgerClock, RealClock


class MovableWall(FakeClock):
    """A clock whose wall time is set by hand, as an operator or NTP does."""

    wall = 1_000 * NS

    def wall_ns(self) -> int:
        return self.wall


def test_a_fake_clock_stands_still_until_it_is_moved() -> None:
    clock = FakeClock()
    assert clock.monotonic_ns() == clock.monotonic_ns() == 0
    clock.advance(1.5)
    assert clock.monotonic_ns() == 1_500_000_000
    assert clock.wall_ns() - FakeClock().wall_ns() == 1_500_000_000


def test_a_fake_clock_does_not_go_back() -> None:
    clock = FakeClock()
    clock.advance(5)
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)
    clock.jump_to(3 * NS)
    assert clock.monotonic_ns() == 5 * NS


def test_a_real_clock_is_the_machines_and_does_not_jump() -> None:
    clock = RealClock()
    before = time.monotonic_ns()
    assert before <= clock.monotonic_ns() <= time.monotonic_ns()
    assert abs(clock.wall_ns() - time.time_ns()) < 60 * NS
    assert not clock.jumps
    with pytest.raises(RuntimeError, match="jump"):
        clock.jump_to(0)


def test_ledger_time_begins_at_wall_time() -> None:
    clock = FakeClock()
    assert LedgerClock(clock).now_ns() == clock.wall_ns()


def test_ledger_time_goes_on_from_the_last_record_when_the_wall_clock_is_behind_it() -> None:
    clock = FakeClock()
    last = clock.wall_ns() + 3_600 * NS
    ledger = LedgerClock(clock, last)
    assert ledger.now_ns() == last
    clock.advance(2)
    assert ledger.now_ns() == last + 2 * NS


def test_ledger_time_is_raised_to_wall_time_at_the_start() -> None:
    clock = FakeClock()
    assert LedgerClock(clock, clock.wall_ns() - 3_600 * NS).now_ns() == clock.wall_ns()


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(-10_000, 10_000)), max_size=30))
def test_ledger_time_never_decreases_whatever_the_wall_clock_does(
    moves: list[tuple[float, int]],
) -> None:
    clock = MovableWall()
    ledger = LedgerClock(clock)
    seen = [ledger.now_ns()]
    for elapsed, jump in moves:
        clock.advance(elapsed)
        clock.wall += jump * NS
        seen.append(ledger.now_ns())
    assert seen == sorted(seen)
    assert seen[-1] - seen[0] == clock.monotonic_ns()


def test_a_leap_brings_ledger_time_to_where_it_was_asked() -> None:
    clock = FakeClock()
    clock.advance(7)
    ledger = LedgerClock(clock, clock.wall_ns() + 99 * NS)
    due = ledger.now_ns() + 60 * NS
    ledger.jump_to(due)
    assert ledger.now_ns() == due
