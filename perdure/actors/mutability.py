"""Whether a value can change in place, and so how its changes are found. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any
from uuid import UUID

from perdure.ids import MessageId, Ref

ATOMS = frozenset(
    {type(None), bool, int, float, str, bytes, Decimal, datetime, UUID, Ref, MessageId}
)
"""Types whose values nobody can change, found by one look-up."""

PLAIN = frozenset({list, dict, set})


class Mutability(IntEnum):
    """How the changes of a value are found: it has none, they are logged, or it is compared."""

    IMMUTABLE = 0
    CONTAINER = 1
    OPAQUE = 2


def is_container(value: Any) -> bool:
    """Whether a value is a list, dict or set, plain or tracked."""
    kind = type(value)
    return kind in PLAIN or "__plain__" in kind.__dict__


def mutability(value: Any) -> Mutability:
    """The mutability of a value with all that it holds. The value must be free of circles.

    >>> mutability({"pages": [1, 2]}).name
    'CONTAINER'
    >>> mutability(("a", [1])).name
    'OPAQUE'
    """
    if type(value) in ATOMS or isinstance(value, Enum):
        return Mutability.IMMUTABLE
    if is_container(value):
        parts = value.values() if isinstance(value, dict) else value
        opaque = any(type(v) not in ATOMS and mutability(v) == Mutability.OPAQUE for v in parts)
        return Mutability.OPAQUE if opaque else Mutability.CONTAINER
    return _of_frozen(value)


def _of_frozen(value: Any) -> Mutability:
    """A tuple, a frozenset or a message is as mutable as what it holds; the rest is opaque."""
    kind = type(value)
    parts: Iterable[Any]
    params = getattr(kind, "__dataclass_params__", None)
    if kind is tuple or kind is frozenset:
        parts = value
    elif params is not None and params.frozen:
        parts = (getattr(value, name) for name in kind.__dataclass_fields__)
    else:
        return Mutability.OPAQUE
    still = all(type(v) in ATOMS or mutability(v) == Mutability.IMMUTABLE for v in parts)
    return Mutability.IMMUTABLE if still else Mutability.OPAQUE


def separated(value: Any) -> Any:
    """A copy that shares nothing mutable, neither with other values nor between its own parts.

    Two names for one list are two lists after a reload: this makes them two at once.
    """
    if mutability(value) == Mutability.IMMUTABLE:
        return value
    if isinstance(value, dict):
        return {key: separated(part) for key, part in value.items()}
    if is_container(value) or type(value) is tuple:
        return getattr(type(value), "__plain__", type(value))(separated(part) for part in value)
    twin = copy.copy(value) if hasattr(value, "__dataclass_fields__") else copy.deepcopy(value)
    for name in getattr(twin, "__dataclass_fields__", ()):
        object.__setattr__(twin, name, separated(getattr(twin, name)))
    return twin
