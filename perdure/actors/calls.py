"""Calls in words, for where a recorded and an attempted one are shown side by side."""

from __future__ import annotations

import reprlib
from hashlib import blake2b
from typing import Any, NamedTuple

from perdure.caps.tool import Tool
from perdure.errors import PerdureError
from perdure.ledger.standins import StandInCodec
from perdure.limits import CALL_CHARS_MAX, STEP_ASKED_BYTES_MAX

_codec = StandInCodec()
_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 120
_short.maxdict = _short.maxlist = _short.maxtuple = _short.maxset = 12


class Asked(NamedTuple):
    """What a handler asks of a tool: `encoded` are the arguments, and `digest` is of them."""

    key: str
    tool: Tool
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    encoded: bytes
    digest: bytes

    @classmethod
    def of(
        cls, key: str, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any], encoded: bytes
    ) -> Asked:
        """The call of a tool under a step key."""
        return cls(key, tool, args, kwargs, encoded, blake2b(encoded, digest_size=16).digest())

    @property
    def words(self) -> str:
        """The call as people read it."""
        return in_words(self.tool.name, self.encoded)


def kept(asked: bytes) -> bytes:
    """The encoded arguments of a step as its record holds them: long ones as their start."""
    if len(asked) <= STEP_ASKED_BYTES_MAX:
        return asked
    args, kwargs = _codec.decode(asked)
    return _codec.encode(_listed(args, kwargs))


def in_words(name: str, asked: bytes | None) -> str:
    """A call from its encoded arguments.

    >>> from perdure.ledger.values import Codec
    >>> in_words("net.read", Codec().encode((("a",), {"depth": 2})))
    "net.read('a', depth=2)"
    """
    if asked is None:
        return f"{name}(…)"
    try:
        found: Any = _codec.decode(asked)
    except PerdureError:
        return f"{name}(…)"
    text = found if isinstance(found, str) else _listed(*found)
    text = " ".join(text.split())
    return f"{name}({text if len(text) <= CALL_CHARS_MAX else text[:CALL_CHARS_MAX] + '…'})"


def said_in_words(name: str, body: bytes) -> str:
    """An ask from its encoded message, as `in_words` has calls."""
    return f"{name}({' '.join(_short.repr(_codec.decode(body)).split())})"


def _listed(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    parts = [_short.repr(arg) for arg in args]
    parts += [f"{name}={_short.repr(value)}" for name, value in kwargs.items()]
    return ", ".join(parts)
