"""How often a message is tried, and how long it waits in between; pure."""

from __future__ import annotations

from typing import Any

from perdure.limits import ATTEMPTS_MAX, BACKOFF_FACTOR, BACKOFF_FIRST_SECONDS, BACKOFF_SECONDS_MAX

NS = 1_000_000_000
COMMITTED = ("committed",)


def backoff_ns(spec: dict[str, Any], attempt: int) -> int:
    """How long a message waits after its `attempt`-th failed try, in ns.

    >>> spec = {"backoff": {"first": 0.5, "factor": 2.0, "max": 3.0}}
    >>> [backoff_ns(spec, attempt) / NS for attempt in (1, 2, 3, 4)]
    [0.5, 1.0, 2.0, 3.0]
    """
    plan = spec.get("backoff") or {}
    first = plan.get("first", BACKOFF_FIRST_SECONDS)
    factor = plan.get("factor", BACKOFF_FACTOR)
    most = plan.get("max", BACKOFF_SECONDS_MAX)
    try:
        seconds = min(most, first * factor ** (attempt - 1))
    except OverflowError:
        seconds = most
    return int(seconds * NS)


def rungs_of(spec: dict[str, Any], falls: int) -> tuple[str, ...]:
    """The rungs of its ladder that an actor may take after that many crashes in a row, in order.

    The first one that can be taken is; none says that it goes on from what is committed.

    >>> spec = {"restore": ("committed", "mark:good", "fresh"), "restore_after": 2}
    >>> [rungs_of(spec, falls)[:1] for falls in (1, 2, 3, 4, 5, 6)]
    [(), ('mark:good',), (), ('fresh',), (), ('fresh',)]
    """
    ladder = spec.get("restore") or COMMITTED
    after = spec.get("restore_after") or ATTEMPTS_MAX
    if not falls or falls % after:
        return ()
    return tuple(ladder[min(falls // after, len(ladder) - 1) :]) if len(ladder) > 1 else ()


def attempts_max(spec: dict[str, Any]) -> int:
    """How many tries a message of this actor gets."""
    if spec.get("redelivery") == "none":
        return 1
    return int(spec.get("attempts_max") or ATTEMPTS_MAX)
