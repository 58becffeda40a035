"""How often a message is tried, and how long it waits in between; pure."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from perdure.limits import ATTEMPTS_MAX, BACKOFF_FACTOR, BACKOFF_FIRST_SECONDS, BACKOFF_SECONDS_MAX

NS = 1_000_000_000
COMMITTED = ("committed",)
SUPERVISOR = "supervisor"
"""The last rung of a ladder: state stays, and the supervisor gives up, as if restarts had."""


def backoff_ns(spec: dict[str, Any], attempt: int, chance: float = 0.0) -> int:
    """How long a message waits after its `attempt`-th failed try, in ns.

    `chance` is in [0, 1): how much of its jitter is taken away.

    >>> spec = {"backoff": {"first": 0.5, "factor": 2.0, "max": 3.0}}
    >>> [backoff_ns(spec, attempt) / NS for attempt in (1, 2, 3, 4)]
    [0.5, 1.0, 2.0, 3.0]
    >>> backoff_ns({"backoff": {"first": 2.0, "jitter": 0.5}}, 1, chance=0.5) / NS
    1.5
    """
    plan = spec.get("backoff") or {}
    first = plan.get("first", BACKOFF_FIRST_SECONDS)
    factor = plan.get("factor", BACKOFF_FACTOR)
    most = plan.get("max", BACKOFF_SECONDS_MAX)
    try:
        seconds = min(most, first * factor ** (attempt - 1))
    except OverflowError:
        seconds = most
    return int(seconds * (1.0 - plan.get("jitter", 0.0) * chance) * NS)


def chance_of(seed: int, actor: int, message: tuple[int, int], attempt: int) -> float:
    """Chance in [0, 1) that is the same for the same attempt, in every process.

    >>> chance_of(7, 3, (10, 0), 1) == chance_of(7, 3, (10, 0), 1) != chance_of(7, 4, (10, 0), 1)
    True
    """
    what = f"{seed}/{actor}/{message[0]}.{message[1]}/{attempt}"
    return int.from_bytes(blake2b(what.encode(), digest_size=4).digest(), "big") / 2**32


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


def escalates(spec: dict[str, Any], falls: int) -> bool:
    """Whether that many crashes in a row are more than a supervisor is to deal with.

    >>> spec = {"restore": ("committed", "fresh", "supervisor"), "restore_after": 2}
    >>> [escalates(spec, falls) for falls in (2, 3, 4, 5, 6)]
    [False, False, True, False, True]
    """
    return rungs_of(spec, falls)[:1] == (SUPERVISOR,)


def deadline_ns(spec: dict[str, Any]) -> int:
    """How long one attempt of this actor may take, in ns; 0 is without limit."""
    return int((spec.get("deadline") or 0) * NS)


def breaker_trips(spec: dict[str, Any], falls: int) -> bool:
    """Whether an actor is parked after that many crashes in a row.

    >>> [breaker_trips({"breaker": 3}, falls) for falls in (2, 3, 4)], breaker_trips({}, 99)
    ([False, True, True], False)
    """
    breaker = spec.get("breaker")
    return breaker is not None and falls >= breaker


def attempts_max(spec: dict[str, Any]) -> int:
    """How many tries a message of this actor gets."""
    if spec.get("redelivery") == "none":
        return 1
    return int(spec.get("attempts_max") or ATTEMPTS_MAX)
