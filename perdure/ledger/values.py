"""Values to bytes and back: what a message, a state field or a step's result may hold.

None, bool, int of any size, float, str, bytes, list, tuple, dict with str or int keys, set,
frozenset, aware datetime, Decimal, UUID, `Ref`, `MessageId`, and the messages, enums and pydantic
models that a run knows by name. A value comes back as the same type; a datetime comes back in its
`ZoneInfo`, or at its offset. Equal bytes mean equal values: sets are sorted by the encoding of
their elements, dicts keep their order.
"""

from __future__ import annotations

import struct
from typing import Any

from msgpack import UnpackException

from perdure.errors import LedgerDamaged, NotEncodable, PerdureError, TooLarge, UnknownName
from perdure.ledger import jsonform, refusals
from perdure.ledger.blobs import ReadBlob, fetch, is_reference
from perdure.ledger.forms import Forms, Lifts, Rows, only_scalars, packers
from perdure.ledger.journal import pack_exact
from perdure.ledger.messages import Names, registration
from perdure.ledger.records import Row
from perdure.ledger.shapes import member_of, misfit
from perdure.ledger.wire import (
    ENUM,
    FROZENSET,
    LIFT,
    MESSAGE,
    MESSAGE_PREFIX,
    SCALARS,
    SET,
    TUPLE,
    Unfit,
    unpacker,
)
from perdure.limits import MESSAGE_BYTES_MAX, ROW_BYTES_MAX

_LARGE = MESSAGE_BYTES_MAX // 64  # past it a thread's packer is renewed, or it keeps the memory
_ENCODE_FAULTS = (
    Unfit, TypeError, ValueError, LookupError, AttributeError, RuntimeError, OverflowError,
)  # fmt: skip
_DECODE_FAULTS = (
    UnpackException, TypeError, ValueError, LookupError, AttributeError, ArithmeticError,
    struct.error,
)  # fmt: skip


class Codec:
    """The values of one run: `encode` and `decode`, from any thread.

    A class that is defined again (see `Names.add`) needs a new codec.

    >>> codec = Codec()
    >>> codec.decode(codec.encode({"pages": (1, 2), "seen": {3}}))
    {'pages': (1, 2), 'seen': {3}}
    """

    def __init__(self, names: Names | None = None) -> None:
        self.names = Names.everything() if names is None else names
        self._forms = Forms(self.names)
        self._lifts = Lifts(self.names, self._forms)
        self._rows = Rows(self._forms)
        self._unpack = unpacker(self._container, self._single)
        self.read_blob: ReadBlob = lambda digest: None
        self._types: dict[bytes, str] = {}
        self._containers: dict[bytes, Any] = {
            TUPLE: tuple,
            SET: set,
            FROZENSET: frozenset,
        }

    def encode(self, value: object, what: str = "value") -> bytes:
        """The bytes of `value`; `what` names it in errors. Raises `NotEncodable`, `TooLarge`."""
        kind = type(value)
        try:
            if kind in SCALARS:
                data = pack_exact(value)
            else:
                data = packers.pack(self._forms[kind](value, 1))
        except _ENCODE_FAULTS as fault:
            data = self._encode_odd(value, what, fault)
        if len(data) > _LARGE:
            _check_size(data, refusals.name_of(value, what))
        return data

    def encode_call(self, args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> bytes:
        """`encode` of (args, kwargs), the arguments of what is called `name`."""
        if only_scalars(map(type, args)) and only_scalars(map(type, kwargs.values())):
            try:
                data = pack_exact({TUPLE: ({TUPLE: args}, kwargs)})
            except _ENCODE_FAULTS:
                data = b""  # said below, where the same fault is met again
            if 0 < len(data) <= _LARGE:
                return data
        return self.encode((args, kwargs), f"the arguments of {name}")

    def draft(self, value: object) -> tuple[bytes, Row | None]:
        """`encode`, and of a small message of nothing but scalars the row that the bytes hold.

        `remake(row)` is what `decode` would make of the bytes, without reading them.
        """
        row = self._rows[type(value)](value)
        if row is None:
            return self.encode(value), None
        try:
            data = MESSAGE_PREFIX + pack_exact(row)
        except _ENCODE_FAULTS:
            return self.encode(value), None
        if len(data) <= ROW_BYTES_MAX:
            return data, row
        if len(data) > _LARGE:
            _check_size(data, refusals.name_of(value, "value"))
        return data, None

    def remake(self, row: Row) -> Any:
        """The message of a row. Raises `UnknownName`, also for a class that is of another kind."""
        try:
            return self._lifts[row[0]](row)
        except (TypeError, ValueError) as fault:
            raise misfit(row) or fault from fault

    def decode(self, data: bytes) -> Any:
        """The value of these bytes, shared with nobody. Raises `LedgerDamaged`, `UnknownName`."""
        try:
            if data[:4] == MESSAGE_PREFIX:  # without a call back for the map
                return self.remake(self._unpack(data[4:]))
            return self._unpack(data)
        except _DECODE_FAULTS as fault:
            if isinstance(fault, PerdureError):
                raise
            if is_reference(data):
                return self.decode(fetch(data, self.read_blob))
            raise _damaged(data, fault) from fault

    def type_name(self, data: bytes) -> str:
        """The registered name of a message from its bytes, or the type name of another value."""
        if is_reference(data):
            data = fetch(data, self.read_blob)
        if data[:4] != MESSAGE_PREFIX:
            kind = type(self.decode(data))
            noted = registration(kind)
            return noted.name if noted else kind.__name__
        head = _head_bytes(data)
        try:
            return self._types[head]
        except KeyError:
            return self._learn_type(head)

    def to_json(self, value: object) -> Any:
        """The form that people and JSON use: `{"$": "Found", "page": "x"}`. Raises as `encode`."""
        self.encode(value)
        return jsonform.to_json(value)

    def from_json(self, form: object) -> Any:
        """The value of a JSON form. Raises `UsageError`, naming the nearest right word."""
        return jsonform.from_json(form, self.names)

    def _encode_odd(self, value: object, what: str, fault: Exception) -> bytes:
        """Encode text that the fast packer refuses, half surrogate pairs; or say what is wrong."""
        if isinstance(fault, PerdureError) and not isinstance(fault, UnknownName):
            raise fault
        if isinstance(fault, OverflowError) and type(value) is int:
            return packers.pack(value)
        if isinstance(fault, UnicodeEncodeError):
            packers.allow_surrogates()
            try:
                kind = type(value)
                return packers.pack(value if kind in SCALARS else self._forms[kind](value, 1))
            except _ENCODE_FAULTS as second:
                fault = second
            finally:
                packers.renew()
        reason = refusals.explain(value, what, self.names) or NotEncodable(
            f"{refusals.name_of(value, what)} has no bytes: {type(fault).__name__}: {fault}. "
            "Store a copy if another thread changes it."
        )
        raise reason from None

    def _container(self, found: dict[Any, Any]) -> object:
        if len(found) == 1:
            (tag,) = found
            if tag == MESSAGE:
                row = found[tag]
                return self._lifts[row[0]](row)
            if type(tag) is bytes:
                return self._containers[tag](found[tag])
        return found

    def _single(self, code: int, data: bytes) -> object:
        if code != ENUM:
            return LIFT[code](data)
        name, _, member = data.decode().partition(" ")
        return member_of(self.names.get(name), member)

    def _learn_type(self, head: bytes) -> str:
        name = head.decode("utf-8", "replace").partition("@")[0]
        if name not in self.names:
            return name
        noted = registration(self.names.get(name))
        self._types[head] = name = noted.name if noted else name
        return name


def _head_bytes(data: bytes) -> bytes:
    """The head of a message, cut out of its bytes without reading the rest."""
    try:
        at = {0xDC: 7, 0xDD: 9}.get(data[4], 5)  # past the header of the array
        first = data[at]
        if first < 0xC0:
            start, size = at + 1, first & 0x1F
        elif first == 0xD9:
            start, size = at + 2, data[at + 1]
        else:
            start, size = at + 3, int.from_bytes(data[at + 1 : at + 3], "big")
        return data[start : start + size]
    except IndexError as fault:
        raise _damaged(data, fault) from fault


def _damaged(data: bytes, fault: Exception) -> LedgerDamaged:
    return LedgerDamaged(
        f"{len(data):,} bytes that begin with {bytes(data[:16]).hex(' ')} are not a value: "
        f"{type(fault).__name__}: {fault}. `perdure verify` names the first bad record."
    )


def _check_size(data: bytes, name: str) -> None:
    packers.renew()
    if len(data) > MESSAGE_BYTES_MAX:
        raise TooLarge(
            f"{name} has {len(data):,} of at most {MESSAGE_BYTES_MAX:,} bytes. "
            "Put it into an artifact and send its path, or send it in parts."
        )
