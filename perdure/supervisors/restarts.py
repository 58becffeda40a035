"""How often a supervisor restarted lately: OTP's window of `intensity` restarts in `period`."""

from __future__ import annotations

_SECOND_NS = 1_000_000_000

Window = tuple[tuple[int, int], ...]
"""(whole second, restarts in it), oldest first. One entry a second keeps a supervisor's state small
however high its intensity is."""


def add_restart(
    window: Window, now_ns: int, *, intensity: int, period_seconds: float
) -> tuple[Window, bool]:
    """The window with one more restart at `now_ns` (ledger time), and whether it is allowed.

    As in OTP, time is whole seconds and a restart counts while its second is no older than
    `period_seconds`: at most `intensity` are allowed, the next one is refused.

    >>> window, allowed = add_restart((), 0, intensity=1, period_seconds=5.0)
    >>> window, allowed
    (((0, 1),), True)
    >>> add_restart(window, 5_999_999_999, intensity=1, period_seconds=5.0)
    (((0, 1), (5, 1)), False)
    """
    second = now_ns // _SECOND_NS
    oldest = second - period_seconds
    kept = tuple(entry for entry in window if entry[0] >= oldest)
    if kept and kept[-1][0] == second:
        kept = (*kept[:-1], (second, kept[-1][1] + 1))
    else:
        kept = (*kept, (second, 1))
    return kept, restarts_in(kept) <= intensity


def restarts_in(window: Window) -> int:
    """How many restarts a window holds.

    >>> restarts_in(((0, 2), (3, 1)))
    3
    """
    return sum(count for _, count in window)
