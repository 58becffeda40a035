"""The kernel's loop: when it looks around."""

from __future__ import annotations

import pytest

from perdure.actors import loop as loops


def test_a_busy_loop_looks_around_from_the_end_of_its_sleep_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the first round after each sleep is a look, and hands over half a group."""
    times = [0.0, 5.0, 5.0, 5.0001, 5.1, 5.1]
    monkeypatch.setattr(loops, "monotonic", lambda: times.pop(0))
    looks: list[float] = []
    loop = loops.Loop()
    try:
        loop.on_busy = lambda: looks.append(times[0])
        selector = loop._selector
        selector.select(0.001)  # it sleeps from 0 to 5
        selector.select(0)
        assert looks == []
        selector.select(0)
        assert looks == [5.1]
    finally:
        loop.close()
