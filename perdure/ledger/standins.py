"""Values where their classes are missing: stand-ins of the same name, with the same fields.

A ledger must be readable without the code that wrote it: to be shown, and to be audited.
"""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any

from perdure.ledger.jsonform import to_json
from perdure.ledger.messages import Names, Registered
from perdure.ledger.shapes import Head, Lift
from perdure.ledger.values import Codec
from perdure.ledger.wire import ENUM

_MARK = "__message__"


class StandInCodec(Codec):
    """A codec that knows no class: messages, models and enums come back as stand-ins.

    A stand-in has the name and fields that the bytes say, in their own version, and no behaviour.
    `decode` raises `LedgerDamaged` for what is no value; it never raises `UnknownName` for a class.

    >>> from perdure.ledger.messages import message
    >>> @message("doc.read")
    ... class Read:
    ...     path: str
    >>> StandInCodec().decode(Codec().encode(Read("a.txt")))
    doc.read(path='a.txt')
    """

    def __init__(self) -> None:
        super().__init__(Names())
        self._lifts = _StandIns()  # type: ignore[assignment]
        self._members: dict[bytes, Enum] = {}

    def form(self, data: bytes) -> Any:
        """The JSON form of encoded bytes: `{"$": "doc.read", "path": "a.txt"}`."""
        return to_json(self.decode(data))

    def _single(self, code: int, data: bytes) -> object:
        if code != ENUM:
            return super()._single(code, data)
        if data not in self._members:
            name, _, member = data.decode().partition(" ")
            kind: Any = Enum(name, {member: member})  # type: ignore[misc]
            _register(kind, Head(name, 1, ()))
            self._members[data] = kind[member]
        return self._members[data]


class _StandIns(dict[str, Lift]):
    """How the values after each head become a stand-in; classes are made when first met."""

    def __init__(self) -> None:
        super().__init__()
        self._classes: dict[tuple[str, tuple[str, ...]], type[Any]] = {}

    def __missing__(self, text: str) -> Lift:
        head = Head.parse(text)
        end = 1 + len(head.fields)

        def lift(row: list[Any]) -> object:
            # a pydantic model's row goes on with its extra fields, which ones were given, and more
            extra = row[end] if len(row) > end and isinstance(row[end], dict) else {}
            values = dict(zip(head.fields, row[1:end], strict=True)) | extra
            return self._class(text, head, tuple(values))(*values.values())

        self[text] = lift
        return lift

    def _class(self, text: str, head: Head, fields: tuple[str, ...]) -> type[Any]:
        kind = self._classes.get((text, fields))
        if kind is None:
            kind = dataclasses.make_dataclass(head.name, fields, frozen=True, slots=True)
            _register(kind, head)
            self._classes[text, fields] = kind
        return kind


def _register(kind: type[Any], head: Head) -> None:
    setattr(kind, _MARK, Registered(head.name, head.version, (), "?", 0, head.name))
