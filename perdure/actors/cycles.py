"""Wait-for cycles: actors each of which waits, within a turn, for an answer of the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def closed_by(asker: int, asked: int, waits_for: Callable[[int], Iterable[int]]) -> list[int]:
    """The cycle that an ask closes, from the asker back to it; empty when there is none.

    `waits_for` says for whose answers an actor's turn waits. A turn that waits for several needs
    them all before it can close, so one of them in the cycle is enough. Costs what hangs on the
    asked actor, which mostly is nothing.

    >>> facts = {2: [3, 4], 3: [], 4: [1]}
    >>> closed_by(1, 2, lambda actor: facts.get(actor, []))
    [1, 2, 4, 1]
    >>> closed_by(5, 2, lambda actor: facts.get(actor, []))
    []
    """
    came_from = {asked: asker}
    to_visit = [asked]
    while to_visit:
        actor = to_visit.pop()
        if actor == asker:
            return _path(asker, came_from)
        for other in waits_for(actor):
            if other not in came_from:
                came_from[other] = actor
                to_visit.append(other)
    return []


def _path(asker: int, came_from: dict[int, int]) -> list[int]:
    path = [asker]
    actor = came_from[asker]
    while actor != asker:
        path.append(actor)
        actor = came_from[actor]
    return [*path, asker][::-1]
