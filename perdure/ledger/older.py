"""Classes of older code, objects of which are still about: they can be written too."""

from __future__ import annotations

from perdure.ledger.messages import Names


def inherit(names: Names, older: Names) -> None:
    """Have the classes of older code be written by newer, as long as anybody has them."""
    names.older.update(list(older.older))
    for claims in list(older._claims.values()):
        names.older.update(claims.values())


def can_write(names: Names, cls: type, name: str) -> bool:
    """Whether `cls` is the class of that name, or was in older code."""
    return (name in names and names.get(name) is cls) or cls in names.older
