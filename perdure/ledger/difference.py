"""The delta that turns one committed state into another; pure."""

from __future__ import annotations

from collections.abc import Mapping

from perdure.ledger.images import Delta, Entry, Image


def difference(before: Mapping[str, Image], after: Mapping[str, Image]) -> Delta:
    """What makes the images `before` those of `after`; nothing, if they are the same bytes.

    >>> difference({"a": Image(b"1", []), "b": Image(b"2", [])}, {"a": Image(b"3", [])})
    (('b', '-'), ('a', '=', b'3'))
    """
    delta: list[Entry] = [(name, "-") for name in before if name not in after]
    for name, image in after.items():
        if name not in before or before[name][:2] != image[:2]:
            delta.append((name, "=", image.base))
            delta += [(name, *op) for op in image.ops]
    return tuple(delta)
