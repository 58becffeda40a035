from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.supervisors.restarts import Window, add_restart, restarts_in

SECOND = 1_000_000_000


def add_all(times_ns: list[int], intensity: int, period: float) -> tuple[Window, list[bool]]:
    window: Window = ()
    allowed = []
    for now_ns in times_ns:
        window, ok = add_restart(window, now_ns, intensity=intensity, period_seconds=period)
        allowed.append(ok)
    return window, allowed


def test_intensity_zero_allows_no_restart() -> None:
    assert add_all([0], 0, 5.0)[1] == [False]


def test_intensity_restarts_are_allowed_and_the_next_is_not() -> None:
    assert add_all([0, 1, 2, 3], 3, 5.0)[1] == [True, True, True, False]


@pytest.mark.parametrize(
    ("second_restart_ns", "allowed"),
    [
        (5 * SECOND, False),  # as old as the period: still counts
        (6 * SECOND - 1, False),  # whole seconds: up to a second more counts too
        (6 * SECOND, True),
    ],
)
def test_the_window_is_whole_seconds_and_its_edge_is_inside(
    second_restart_ns: int, allowed: bool
) -> None:
    assert add_all([0, second_restart_ns], 1, 5.0)[1] == [True, allowed]


def test_the_window_slides() -> None:
    times = [0, 4 * SECOND, 6 * SECOND, 9 * SECOND, 10 * SECOND]
    assert add_all(times, 2, 5.0)[1] == [True, True, True, False, False]


def test_a_period_below_a_second_counts_the_same_second_only() -> None:
    assert add_all([0, SECOND - 1, SECOND], 1, 0.5)[1] == [True, False, True]


def test_a_window_of_many_restarts_in_few_seconds_stays_small() -> None:
    window, allowed = add_all([n * SECOND // 1000 for n in range(3000)], 3000, 5.0)
    assert all(allowed)
    assert len(window) == 3
    assert restarts_in(window) == 3000


@given(
    steps=st.lists(st.integers(0, 3 * SECOND), max_size=60),
    intensity=st.integers(0, 5),
    period=st.integers(1, 6),
)
def test_it_decides_as_otps_list_of_seconds_does(
    steps: list[int], intensity: int, period: int
) -> None:
    """supervisor.erl: prepend now, keep `R >= Now - Period`, more than intensity is too many."""
    now_ns, restarts = 0, list[int]()
    window: Window = ()
    for step in steps:
        now_ns += step
        now = now_ns // SECOND
        restarts = [now, *(r for r in restarts if r >= now - period)]
        window, allowed = add_restart(window, now_ns, intensity=intensity, period_seconds=period)
        assert allowed == (len(restarts) <= intensity)
        assert restarts_in(window) == len(restarts)
        assert len(window) <= period + 1
