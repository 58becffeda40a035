from __future__ import annotations

from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import LedgerDamaged
from perdure.ledger import records
from perdure.ledger.group import RawRecord
from perdure.ledger.journal import (
    pack_payload,
    pack_plain,
    read_record,
    send_of,
    sender_of,
    unpack_payload,
)
from perdure.ledger.records import BODIES, Kind, Lane, Send

PLAIN = (9, b"body")
PRICED = (9, b"body", 1, 100.0, 0.5, (7, 3, 0, "ask /a#1"), None, None, 4)


class Count(int):
    """An int that is not quite one."""


class Size(IntEnum):
    LARGE = 2**40


edges = st.sampled_from([0, 1, 31, 32, 127, 128, 255, 256, 2**15, 2**16, 2**31, 2**32, 2**63])
lengths = st.sampled_from([15, 16, 31, 32, 255, 256, 65_535, 65_536])
plain = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        edges | edges.map(lambda edge: -edge),
        st.floats(),
        st.text(),
        st.binary(),
        lengths.map(lambda length: "é" * length),
        lengths.map(bytes),
        lengths.map(lambda length: (0,) * length),
        st.integers(0, 9).map(Count),
        st.just(Size.LARGE),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple),
    max_leaves=12,
)


def fields(kind: int) -> tuple[Any, ...]:
    """Some value for each field of a record's class."""
    names = BODIES[kind]._fields
    return (2**62, (PLAIN, PRICED), *(f"{name} of it" for name in names[2:]))


@pytest.mark.parametrize("kind", sorted(BODIES), ids=lambda kind: Kind(kind).name)
def test_a_record_is_read_back_as_it_was_written(kind: int) -> None:
    body = unpack_payload(4, kind, pack_payload(fields(kind)))
    assert tuple(body) == fields(kind)
    assert type(body) is BODIES[kind]


@given(st.lists(plain, max_size=6).map(tuple))
def test_plain_data_has_the_same_bytes_in_the_quick_way(values: tuple[Any, ...]) -> None:
    assert pack_plain(values) == pack_payload(values)


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1])
def test_a_number_that_a_record_has_no_room_for_is_refused_either_way(value: int) -> None:
    for pack in (pack_payload, pack_plain):
        with pytest.raises(OverflowError):
            pack((value,))


@pytest.mark.parametrize("kind", sorted(BODIES), ids=lambda kind: Kind(kind).name)
def test_every_record_begins_with_its_time_and_what_it_sends(kind: int) -> None:
    assert BODIES[kind]._fields[:2] == ("time", "sends")


def test_a_turn_without_a_supervisors_fields_is_read_with_none() -> None:
    whole = records.Turn._fields
    short = tuple(range(whole.index("lives")))
    body = unpack_payload(1, Kind.TURN, pack_payload(short))
    assert body[len(short) :] == tuple(records.Turn._field_defaults.values())
    assert not any(body[len(short) :])


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (99, pack_payload((1, ()))),
        (Kind.OPEN, b""),
        (Kind.OPEN, b"\xc1"),
        (Kind.OPEN, pack_payload((1, ()))),
        (Kind.OPEN, pack_payload((1,) * 40)),
        (Kind.OPEN, pack_payload(fields(Kind.OPEN))[:-1]),
    ],
)
def test_what_is_no_record_is_damage_and_names_the_seq(kind: int, payload: bytes) -> None:
    with pytest.raises(LedgerDamaged, match="record 41") as damaged:
        unpack_payload(41, kind, payload)
    assert damaged.value.seq == 41


def test_a_record_keeps_its_place_and_its_hash() -> None:
    raw = RawRecord(7, Kind.OPEN, pack_payload(fields(Kind.OPEN)), b"h" * 16)
    record = read_record(raw)
    assert (record.seq, record.hash) == (7, b"h" * 16)
    assert isinstance(record.body, records.Open)


def test_a_message_of_two_values_has_the_defaults_of_all_others() -> None:
    body = unpack_payload(4, Kind.POST, pack_payload(fields(Kind.POST)))
    assert send_of(body, 0) == Send(9, b"body", Lane.USER, 3.0, None, None, None, None, None)
    assert send_of(body, 1) == Send(*PRICED)


def test_the_sender_of_a_message_is_the_actor_of_the_record_unless_it_says_another() -> None:
    turn = unpack_payload(4, Kind.TURN, pack_payload((1, (PLAIN, PRICED), 12, *range(13))))
    assert sender_of(turn, send_of(turn, 0)) == 12
    assert sender_of(turn, send_of(turn, 1)) == 4


def test_what_comes_from_outside_or_off_a_timer_has_no_sender_but_the_kernel() -> None:
    for kind in (Kind.POST, Kind.TIMER):
        body = unpack_payload(4, kind, pack_payload(fields(kind)))
        assert sender_of(body, send_of(body, 0)) == 0


def test_the_sender_of_a_birth_records_message_is_the_supervisor() -> None:
    birth = records.Birth(1, (PLAIN,), "/a/b", "Reader", 1, 5, {}, b"", 0)
    assert sender_of(birth, send_of(birth, 0)) == 5
