"""Durability levels: what waits for the disk, and how often a commit flushes."""

from __future__ import annotations

from typing import NamedTuple

from perdure.errors import UsageError


class Durability(NamedTuple):
    """One level; whatever it is, a ledger stays whole, and what was committed outlives the process.

    `waits`: no turn begins before all that have closed are durable. `is_relaxed`: a commit flushes
    once, and a power cut may undo the last.
    """

    name: str
    waits: bool = False
    is_relaxed: bool = False


GROUP = Durability("group")
EACH = Durability("each", waits=True)
RELAXED = Durability("relaxed", is_relaxed=True)

LEVELS = {level.name: level for level in (GROUP, EACH, RELAXED)}


def level(name: object) -> Durability:
    """The level of that name. Raises `UsageError`, which names all that there are.

    >>> level("each").waits
    True
    >>> level("often")
    Traceback (most recent call last):
    perdure.errors.UsageError: there is no durability 'often'. Give one of group, each, relaxed.
    """
    if not isinstance(name, str) or name not in LEVELS:  # a list could not even be looked for
        raise UsageError(f"there is no durability {name!r}. Give one of {', '.join(LEVELS)}.")
    return LEVELS[name]
