"""What a failure of a step is beside its class and its text: arguments and attributes, as bytes.

A handler may look at `error.code` or `error.args[0]`, and a later attempt at its message must see
the same there. What the codec cannot store (a response, a socket) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, NamedTuple, TypeVar

from perdure.caps.tool import CODE_PREFIX
from perdure.errors import PerdureError, UnknownName
from perdure.ledger.values import Codec

E = TypeVar("E", bound=BaseException)

_IN_C = (GetSetDescriptorType, MemberDescriptorType)


class Particulars(NamedTuple):
    """The arguments and attributes of a failure; `args` is None if none are known."""

    args: tuple[Any, ...] | None = None
    attributes: dict[str, Any] = {}  # noqa: RUF012 - nobody writes to it


NOTHING = Particulars()
TEXT = "the text that is recorded"
"""Where an exception that is given back has its text: no code has an attribute of that name."""


def recorded(error: BaseException, codec: Codec) -> bytes:
    """A failure as bytes: its class name, text, module, and the bytes of its particulars.

    The last are bytes within bytes: whoever only wants to know what kind of failure it is needs no
    class of a message that its attributes hold.
    """
    kind = type(error)
    module = kind.__module__ or ""
    if module.startswith(CODE_PREFIX):
        module = CODE_PREFIX  # it is named anew each time it is loaded
    head = (kind.__qualname__, str(error), module)
    if not isinstance(error, Exception):
        return codec.encode(head)  # its handler sees a stand-in for it, in the first attempt too
    try:
        return codec.encode((*head, codec.encode(tuple(_storable(error, codec)))))
    except PerdureError:  # all of it together is too large
        return codec.encode(head)


def read(value: bytes, codec: Codec) -> tuple[Any, ...]:
    """What `recorded` has made bytes of, or a failure without particulars."""
    said: tuple[Any, ...] = codec.decode(value)
    if len(said) != 4:
        return said  # without particulars, or what a `CallFailed` is made of
    try:
        return (*said[:3], Particulars(*codec.decode(said[3])))
    except UnknownName:  # the code has no such class any more: as if it could not be stored
        return said[:3]


def have(error: E, particulars: Particulars) -> E:
    """Give an exception the arguments and attributes of another."""
    if particulars.args is not None:
        error.args = particulars.args
    for name, value in particulars.attributes.items():
        try:
            object.__setattr__(error, name, value)
        except (AttributeError, TypeError):  # its class does not let it be set, or has another now
            vars(error)[name] = value
    return error


def _storable(error: Exception, codec: Codec) -> Iterator[Any]:
    """The arguments up to the first that cannot be stored, and the attributes that can."""
    args: list[Any] = []
    for arg in error.args:
        if not _can_store(arg, codec):
            break
        args.append(arg)
    yield tuple(args)
    yield {name: value for name, value in _attributes(error) if _can_store(value, codec)}


def _attributes(error: Exception) -> Iterator[tuple[str, Any]]:
    """Those in its dict, and those that its class keeps elsewhere: `errno`, or its slots."""
    for cls in type(error).__mro__:
        if cls not in (Exception, BaseException, object):
            for name, found in vars(cls).items():
                if isinstance(found, _IN_C) and not name.startswith("__"):
                    value = getattr(error, name, None)
                    if value is not None:
                        yield name, value
    yield from vars(error).items()


def _can_store(value: Any, codec: Codec) -> bool:
    try:
        codec.encode(value)
    except Exception:  # noqa: BLE001 - whatever a user's value raises, it is left out
        return False
    return True
