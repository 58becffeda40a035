"""Records to bytes and back: the payloads of the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack
import msgspec

from perdure.errors import LedgerDamaged
from perdure.ledger.records import BODIES, Birth, Body, Record, Send

Pack = Callable[[tuple[Any, ...]], bytes]

_packer = msgpack.Packer(use_bin_type=True)
pack_payload: Pack = _packer.pack
"""The payload of a record's fields, given as one tuple. Kernel thread only: one packer."""

pack_exact: Callable[[object], bytes] = msgspec.msgpack.Encoder().encode
"""msgpack's bytes of scalars, and of lists, tuples and dicts of them, at a third of its price; from
any thread. It raises `OverflowError` for an int of more than 64 bits.

It takes some types that msgpack refuses, dates and sets and dataclasses: so it is for what is known
to be of exactly these types, and for nothing else.
"""


pack_plain: Pack = msgspec.msgpack.Encoder(enc_hook=lambda v: msgspec.Raw(_packer.pack(v))).encode
"""`pack_payload` at a third of its price, the same bytes: see `pack_exact` for what it is for. What
msgspec refuses, a subclass of int say, msgpack writes.
"""


def unpack_payload(seq: int, kind: int, payload: bytes) -> Body:
    """What a payload says; raises `LedgerDamaged` naming the seq when it is no such record."""
    try:
        body: Body = BODIES[kind](*msgpack.unpackb(payload, use_list=False, strict_map_key=False))
    except (KeyError, ValueError, TypeError, msgpack.UnpackException) as error:
        raise LedgerDamaged(f"record {seq} of kind {kind} cannot be read: {error}.", seq) from error
    return body


def read_record(raw: Any) -> Record:
    """The record in a store's raw record (seq, kind, payload, hash)."""
    return Record(raw.seq, raw.hash, unpack_payload(raw.seq, raw.kind, raw.payload))


def send_of(body: Body, index: int) -> Send:
    """The message that a record sends at `index`."""
    return Send(*body.sends[index])


def sender_of(body: Body, send: Send) -> int:
    """The actor that sends a message; 0 for the kernel and the outside."""
    if send.sender is not None:
        return send.sender
    return body.parent if isinstance(body, Birth) else getattr(body, "actor", 0)
