"""Why a value has no bytes: the path to the part that has none, what it is, and the way out.

Encoding only notices that something is wrong. This walks the value again, slowly, to say what.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any

from perdure.errors import NotEncodable
from perdure.ids import MessageId, Ref
from perdure.ledger.messages import Names, is_model, registration
from perdure.ledger.older import can_write
from perdure.ledger.shapes import fields_of
from perdure.ledger.wire import LOWER, SCALARS
from perdure.limits import VALUE_DEPTH_MAX

_CONTAINERS = (list, tuple, dict, set, frozenset)
_KEYS = (str, int)
_WAYS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    ((Enum,), "decorate its class with @message"),
    ((bytearray, memoryview), "store bytes(it)"),
    (PurePath, "store str(it)"),
    (datetime, "store a plain datetime"),
    ((date, time), "store its isoformat(), or an aware datetime"),
    (timedelta, "store its total_seconds()"),
    *(((base,), f"store {base.__name__}(it)") for base in (str, bytes, int, float)),
)


def plain_type(cls: type) -> type | None:
    """list, dict or set, if `cls` is a subclass that asks through `__plain__` to be stored so."""
    plain = getattr(cls, "__plain__", None)
    return plain if plain in (list, dict, set) and issubclass(cls, plain) else None


def name_of(value: object, what: str = "value") -> str:
    """What a text calls the whole value: `what`, or a message's name if nothing better was said."""
    noted = registration(type(value))
    return noted.name if noted and what == "value" else what


def explain(value: object, what: str, names: Names) -> NotEncodable | None:
    """The error for the first part of `value` that has no bytes; None if there is none."""
    try:
        _walk(value, name_of(value, what), (), names)
    except NotEncodable as error:
        return error
    return None


def _walk(value: Any, path: str, above: tuple[int, ...], names: Names) -> None:
    kind = type(value)
    if kind in SCALARS:
        return
    if id(value) in above:
        raise NotEncodable(f"{path} contains itself. Store the name of what it points to.")
    complaint = _complaint(value, names)
    if complaint:
        raise NotEncodable(f"{path} {complaint}.")
    if kind in LOWER or isinstance(value, Enum):
        return
    if len(above) >= VALUE_DEPTH_MAX:
        raise NotEncodable(
            f"{path[:200]}… is nested deeper than the {VALUE_DEPTH_MAX} levels a value may have. "
            "Store it flat, or as an artifact."
        )
    for part_path, part in _parts(value, path):
        _walk(part, part_path, (*above, id(value)), names)


def _parts(value: Any, path: str) -> Iterator[tuple[str, object]]:
    """What is inside a container or message, each with its path."""
    if isinstance(value, dict):
        for key, part in dict(value).items():
            if type(key) not in _KEYS:
                raise NotEncodable(
                    f"{path} has the key {key!r}, a {_type_text(type(key))}; keys are str or int. "
                    "Store a list of pairs."
                )
            yield f"{path}[{key!r}]", part
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            yield f"{path}[{index}]", part
    elif isinstance(value, (set, frozenset)):
        for part in value:
            yield f"an element of {path}", part
    else:
        yield from _fields(value, path)


def _fields(value: Any, path: str) -> Iterator[tuple[str, object]]:
    for field in fields_of(type(value)):
        try:
            yield f"{path}.{field}", getattr(value, field)
        except AttributeError:
            raise NotEncodable(
                f"{path}.{field} has no value. Give the field one when you make the object."
            ) from None
    if is_model(type(value)):
        state = value.__getstate__()
        for part in ("__pydantic_extra__", "__pydantic_private__"):
            for name, found in (state.get(part) or {}).items():
                yield f"{path}.{name}", found


def _complaint(value: Any, names: Names) -> str:
    """What is wrong with the value itself, whatever it holds; '' if nothing is."""
    kind = type(value)
    if kind in _CONTAINERS or plain_type(kind):
        return ""
    if kind is datetime and value.utcoffset() is None:
        return "is a datetime without time zone; use datetime.now(timezone.utc), or add one"
    if kind is Ref and type(value.address) is not str:
        return f"is a Ref to {value.address!r}; an address is a str like '/survey/editor'"
    if kind is MessageId and not all(type(n) is int and 0 <= n < 1 << 64 for n in value):
        return f"is the message id {tuple(value)!r}; both numbers are whole, from 0 to 2**64 - 1"
    if kind in LOWER:
        return ""
    noted = registration(kind)
    if noted is None:
        return f"is a {_type_text(kind)}; {_way_out(value)}"
    if can_write(names, kind, noted.name):
        return ""
    if noted.name not in names:
        return (
            f"is a {noted.name} ({noted.where}), a message that this run does not know; "
            "import its class into the module of the actors"
        )
    other = registration(names.get(noted.name))
    return (
        f"is a {noted.name} of {noted.where}, but this run knows the {noted.name} of "
        f"{other.where if other else '?'}; load that module once"
    )


def _type_text(kind: type) -> str:
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _way_out(value: object) -> str:
    kind = type(value)
    if is_model(kind) or dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        return "decorate its class with @message"
    for types, way in _WAYS:
        if isinstance(value, types):
            return way
    for base in _CONTAINERS:
        if isinstance(value, base):
            return f"store {base.__name__}(it)"
    if inspect.isawaitable(value):
        return "await it first"
    if isinstance(value, type) or callable(value):
        return "store a name to look it up by"
    return "keep it in an attribute that starts with '_' and store the data it is made from"
