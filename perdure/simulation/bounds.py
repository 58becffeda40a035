"""Bounds of the runtime as a small world needs them: so low that they are reached in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from types import ModuleType
from typing import Any

from perdure.actors import barrier, group, kernel, pacing, suspension
from perdure.actors.timers import NS

BOUNDS: list[tuple[ModuleType, str, tuple[Any, ...]]] = [
    (kernel, "ACTORS_LOADED_MAX", (2, 6, 4_096)),
    (barrier, "GROUP_RECORDS_MAX", (8, 4_096)),
    (pacing, "GROUP_RECORDS_BEHIND", (16, 8_192)),
    (suspension, "SUSPEND_NS", (NS // 100, NS, 10 * NS)),
    (group, "STATE_ROW_BYTES_MAX", (300, 4_096)),
]
"""Where a bound is looked up, its name, and what a world may have."""


@contextmanager
def small(chance: Random) -> Iterator[None]:
    """Bounds that chance takes, for one world."""
    before = [(module, name, getattr(module, name)) for module, name, _ in BOUNDS]
    for module, name, values in BOUNDS:
        setattr(module, name, chance.choice(values))
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
