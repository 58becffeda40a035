"""The bytes under values: one packer a thread, the tags of containers, the codes of single values.

A value is one msgpack object. What msgpack does not have is written in two ways:

- containers: a map of one pair whose key is bytes (no dict of a user has such keys):
  `{b"t": [...]}` tuple, `{b"s": [...]}` set, `{b"f": [...]}` frozenset,
  `{b"m": [head, *fields]}` message or model, whose head is "name@version field,field";
- single values: an extension type of one of the codes below.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgpack import ExtType, Packer, unpackb

from perdure.errors import UnknownName
from perdure.ids import MessageId, Ref

SCALARS = frozenset({type(None), bool, int, float, str, bytes})
"""Types that msgpack packs as they are; they need no walk."""

MESSAGE, TUPLE, SET, FROZENSET = b"m", b"t", b"s", b"f"
MESSAGE_PREFIX = b"\x81\xc4\x01m"  # how the bytes of every message begin

INT, DECIMAL, UUID_, DATETIME, REF, MESSAGE_ID, ENUM = range(1, 8)

_SURROGATES = "surrogatepass"  # a str may hold half a surrogate pair; it comes back as it was
_MICROSECOND = timedelta(microseconds=1)


class Unfit(Exception):
    """Some part of a value has no bytes; `refusals.py` finds out which, and says so."""


def _big_int(value: object) -> ExtType:
    if type(value) is not int:
        raise Unfit
    return ExtType(INT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


class Packers(threading.local):
    """`pack(lowered) -> bytes`, its own in each thread: a Packer must not be shared, nor locked."""

    pack: Callable[[object], bytes]

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Take a new packer: the old one's buffer stays as large as its largest value."""
        self.pack = Packer(strict_types=True, default=_big_int).pack

    def allow_surrogates(self) -> None:
        """Take a slower packer that takes any str."""
        self.pack = Packer(strict_types=True, default=_big_int, unicode_errors=_SURROGATES).pack


def unpacker(
    object_hook: Callable[[dict[Any, Any]], object], ext_hook: Callable[..., object]
) -> Callable[[bytes], Any]:
    """`unpack(data) -> value`, lifted by the hooks. It raises whatever msgpack finds wrong."""
    return partial(
        unpackb,
        object_hook=object_hook,
        ext_hook=ext_hook,
        strict_map_key=False,
        unicode_errors=_SURROGATES,
    )


# --- single values: to an extension type, and back


def _lower_datetime(value: datetime, _depth: int) -> ExtType:
    offset = value.utcoffset()
    if offset is None:
        raise Unfit
    key = value.tzinfo.key if isinstance(value.tzinfo, ZoneInfo) else None
    zone = key or f"{offset // _MICROSECOND:+d}"
    local = value.replace(tzinfo=None, fold=0).isoformat()
    return ExtType(DATETIME, f"{local};{value.fold};{zone}".encode())


def _lift_datetime(data: bytes) -> datetime:
    local, fold, zone = data.decode().split(";")
    if zone[0] in "+-":
        tz: timezone | ZoneInfo = timezone(int(zone) * _MICROSECOND)
    else:
        try:
            tz = ZoneInfo(zone)
        except ZoneInfoNotFoundError as error:
            raise UnknownName(
                f"this machine has no time zone {zone!r}. Install the tzdata package."
            ) from error
    return datetime.fromisoformat(local).replace(tzinfo=tz, fold=int(fold))


def _lower_ref(value: Ref, _depth: int) -> ExtType:
    if type(value.address) is not str:
        raise Unfit
    return ExtType(REF, value.address.encode("utf-8", _SURROGATES))


def _lower_message_id(value: MessageId, _depth: int) -> ExtType:
    if type(value.seq) is not int or type(value.index) is not int:
        raise Unfit
    try:
        return ExtType(MESSAGE_ID, struct.pack(">QQ", *value))
    except struct.error:
        raise Unfit from None


LOWER: dict[type, Callable[[Any, int], ExtType]] = {
    datetime: _lower_datetime,
    Decimal: lambda value, _depth: ExtType(DECIMAL, str(value).encode()),
    UUID: lambda value, _depth: ExtType(UUID_, value.bytes),
    Ref: _lower_ref,
    MessageId: _lower_message_id,
}
"""What becomes of a single value that msgpack does not have."""

LIFT: dict[int, Callable[[bytes], object]] = {
    INT: lambda data: int.from_bytes(data, "big", signed=True),
    DECIMAL: lambda data: Decimal(data.decode()),
    UUID_: lambda data: UUID(bytes=data),
    DATETIME: _lift_datetime,
    REF: lambda data: Ref(data.decode("utf-8", _SURROGATES)),
    MESSAGE_ID: lambda data: MessageId(*struct.unpack(">QQ", data)),
}
"""The way back, by extension code; enums are lifted by the codec, which knows their names."""
