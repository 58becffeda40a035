"""Values survive bytes with their type; what is unknown or damaged is told as that."""

from __future__ import annotations

import sys
import threading
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from perdure.errors import LedgerDamaged, NameClash, TooLarge, UnknownName
from perdure.ids import MessageId, Ref
from perdure.ledger.messages import Names, message, registration
from perdure.ledger.shapes import fields_of
from perdure.ledger.values import Codec
from perdure.ledger.wire import SCALARS
from perdure.limits import MESSAGE_BYTES_MAX, ROW_BYTES_MAX, VALUE_DEPTH_MAX
from tests.ledger.shelf import (
    CODEC,
    Box,
    Colour,
    Empty,
    Found,
    Open,
    Pages,
    Rank,
    Right,
    TrackedDict,
    TrackedList,
    TrackedSet,
    Trip,
    Wide,
)

any_text = st.text(st.characters(exclude_categories=[]))  # half surrogate pairs too
offsets = st.integers(-86_399, 86_399).map(lambda seconds: timezone(timedelta(seconds=seconds)))
zones = st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")])
hashable_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**80), 2**80),
    st.floats(),
    any_text,
    st.binary(),
    st.decimals(allow_nan=False) | st.just(Decimal("nan")),
    st.uuids(),
    st.datetimes(timezones=offsets | zones),
    st.sampled_from([*Colour, *Rank, *Right, Right.READ | Right.WRITE, Right(0)]),
    any_text.map(Ref),
    st.builds(MessageId, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)),
    st.just(Empty()),
    st.builds(Box, st.integers()),
)
hashables = st.recursive(
    hashable_leaves,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
models = st.builds(
    Trip, page=st.text(), days=st.integers(), stops=st.just([(1, 2), ()])
) | st.builds(Pages, st.lists(st.text(), max_size=2))
values = st.recursive(
    hashables | models,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(any_text | st.integers(-(2**70), 2**70), inner, max_size=4),
        st.sets(hashables, max_size=4),
        st.builds(Box, inner, any_text),
        st.builds(Found, inner, st.integers(), st.lists(st.text(), max_size=2)),
        st.builds(lambda part: Open(page="p", more=part), inner),
    ),
    max_leaves=12,
)


def shown(value: Any) -> Any:
    """A value as text that tells apart all that `==` does not: 1, True and 1.0, -0.0, nan."""
    kind = type(value)
    name = kind.__name__
    if isinstance(value, dict):
        return name, [(shown(key), shown(part)) for key, part in value.items()]
    if kind in (list, tuple):
        return name, [shown(part) for part in value]
    if isinstance(value, (set, frozenset)):
        return name, sorted(repr(shown(part)) for part in value)
    if kind is datetime:
        return name, value.replace(tzinfo=None), value.fold, value.utcoffset()
    if hasattr(kind, "model_fields"):
        return name, [shown(part) for part in value.__getstate__().values()]
    if registration(kind) and not hasattr(kind, "__members__"):
        return name, [shown(getattr(value, field)) for field in fields_of(kind)]
    return name, repr(value)


@given(values)
def test_every_value_comes_back_as_the_same_type_with_the_same_parts(value: Any) -> None:
    data = CODEC.encode(value)
    assert shown(CODEC.decode(data)) == shown(value)
    assert CODEC.encode(CODEC.decode(data)) == data


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        2**64,
        -(2**63) - 1,
        -(2**64),
        2**10_000,
        float("nan"),
        float("-inf"),
        -0.0,
        "\ud800 half a pair",
        {"\udfff": {2**64: ()}},
        {True, 1.5, "x", (1, "\ud800")},
        Decimal("-0E-7"),
        Decimal("sNaN12"),
        datetime(2000, 1, 1, tzinfo=timezone(timedelta(microseconds=-1))),
        UUID(int=7),
        Ref("/survey/editor"),
        MessageId(4, 1),
        Colour.RED,
        Rank.HIGH,
        Right.READ | Right.WRITE,
        Empty(),
        Wide(*range(16)),
        Trip(page="x"),
        Open(page="x", more=(1,)),
        Pages(["a"]),
        {"only": b"m"},
        {0: {1: {2: ()}}},
    ],
    ids=lambda value: str(shown(value))[:60],
)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert shown(CODEC.decode(CODEC.encode(value))) == shown(value)


def test_an_enum_of_two_names_for_one_value_comes_back_as_its_first() -> None:
    assert CODEC.decode(CODEC.encode(Colour.CRIMSON)) is Colour.RED


def test_a_datetime_comes_back_in_its_zone_and_on_its_side_of_the_clock_change() -> None:
    twice = datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)
    back = CODEC.decode(CODEC.encode(twice))
    assert (back.tzinfo, back.fold, back.utcoffset()) == (twice.tzinfo, 1, timedelta(hours=1))


def test_a_model_of_one_root_value_comes_back_whole() -> None:
    back = CODEC.decode(CODEC.encode(Pages(["a"])))
    assert back == Pages(["a"])
    assert back.model_copy(deep=True).model_dump() == ["a"]


def test_a_model_comes_back_with_its_private_attributes_and_what_was_set() -> None:
    trip = Trip(page="x")
    trip._seen = 5
    back = CODEC.decode(CODEC.encode(trip))
    assert (back, back._seen, back.model_fields_set) == (trip, 5, {"page"})


@given(st.lists(hashables, max_size=6, unique_by=lambda v: repr(shown(v))), st.randoms())
def test_equal_sets_have_equal_bytes_in_whatever_order_they_were_filled(
    parts: list[Any], random: Any
) -> None:
    first = set(parts)
    second = list(first)
    random.shuffle(second)
    assert CODEC.encode(first) == CODEC.encode(set(second))
    assert CODEC.encode(frozenset(first)) == CODEC.encode(frozenset(second))


def test_what_was_set_in_a_model_is_stored_in_one_order() -> None:
    data = CODEC.encode(Trip(page="x", days=1, stops=[]))
    assert b"\xa4days\xa4page\xa5stops" in data


def test_sets_that_iterate_in_different_orders_have_equal_bytes() -> None:
    one, other = set(), set()
    one.update([0, 8])
    other.update([8, 0])
    assert list(one) != list(other)
    assert CODEC.encode(one) == CODEC.encode(other)


def test_dicts_keep_their_order_in_bytes() -> None:
    assert CODEC.encode({"a": 1, "b": 2}) != CODEC.encode({"b": 2, "a": 1})
    assert list(CODEC.decode(CODEC.encode({"b": 2, "a": 1}))) == ["b", "a"]


@pytest.mark.parametrize(
    ("tracked", "plain"),
    [
        (TrackedList([1, "a"]), [1, "a"]),
        (TrackedList([(1,), TrackedSet({2})]), [(1,), {2}]),
        (TrackedDict({"a": TrackedList([()])}), {"a": [()]}),
        (TrackedSet({3, 1}), {1, 3}),
        ([TrackedList([1])], [[1]]),
    ],
)
def test_a_tracked_container_is_stored_as_the_plain_one(tracked: Any, plain: Any) -> None:
    assert CODEC.encode(tracked) == CODEC.encode(plain)
    assert shown(CODEC.decode(CODEC.encode(tracked))) == shown(plain)


def test_two_decodings_share_nothing_that_can_change() -> None:
    data = CODEC.encode(Found({"k": [1]}, 2, ["n"]))
    one, other = CODEC.decode(data), CODEC.decode(data)
    one.page["k"].append(2)
    one.notes.clear()
    assert other == CODEC.decode(data) == Found({"k": [1]}, 2, ["n"])


def test_decoding_runs_no_code_of_the_class() -> None:
    @message
    class Counted:
        n: int

        def __post_init__(self) -> None:
            made.append(self.n)

    made: list[int] = []
    names = Names()
    names.add(Counted)
    data = Codec(names).encode(Counted(1))
    assert Codec(names).decode(data) == Counted(1)
    assert made == [1, 1]  # the two made here by hand


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Found("x", 1), "shelf.found"),
        (Wide(*range(16)), "Wide"),
        (Trip(page="x"), "shelf.trip"),
        (Right.READ, "shelf.right"),
        ([1], "list"),
        ((1,), "tuple"),
        (None, "NoneType"),
        (Ref("/a"), "Ref"),
    ],
)
def test_type_name_reads_the_name_from_the_bytes(value: Any, name: str) -> None:
    assert CODEC.type_name(CODEC.encode(value)) == name


def test_type_name_of_an_unknown_message_is_what_the_bytes_say() -> None:
    data = CODEC.encode(Found("x", 1))
    assert Codec(Names()).type_name(data) == "shelf.found"


def test_decoding_an_unknown_message_names_it_and_the_nearest() -> None:
    names = Names()
    names.add(Empty)
    with pytest.raises(UnknownName, match=r"'Box' in this run.* knows Empty\..*aliases=\('Box',\)"):
        Codec(names).decode(CODEC.encode(Box(1)))


def test_decoding_a_member_that_is_gone_names_those_that_are_there() -> None:
    data = CODEC.encode(Colour.BLUE).replace(b"BLUE", b"PINK")
    with pytest.raises(UnknownName, match=r"Colour has no member 'PINK'.*RED, BLUE, CRIMSON"):
        CODEC.decode(data)


def test_a_value_of_just_the_deepest_nesting_comes_back() -> None:
    value: Any = 1
    for _ in range(VALUE_DEPTH_MAX // 4):
        value = Box([{"k": (value,)}])
    assert CODEC.decode(CODEC.encode(value)) == value


def test_a_value_of_the_largest_size_is_taken_and_one_byte_more_is_not() -> None:
    header = 5
    largest = b"x" * (MESSAGE_BYTES_MAX - header)
    assert len(CODEC.encode(largest)) == MESSAGE_BYTES_MAX
    with pytest.raises(TooLarge, match=r"notes has 16,777,217 of at most 16,777,216 bytes.*artif"):
        CODEC.encode(largest + b"x", "notes")
    for write in (CODEC.encode, CODEC.draft):
        with pytest.raises(TooLarge, match=r"^Box has "):
            write(Box(largest))


def test_a_thread_does_not_keep_the_memory_of_a_large_value() -> None:
    large = b"x" * (MESSAGE_BYTES_MAX // 2)

    def work() -> None:
        CODEC.encode(large)
        kept, _ = tracemalloc.get_traced_memory()
        assert kept < len(large) // 8

    tracemalloc.start()
    try:
        assert hammer(work, threads=1) == []
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x92\x01",
        b"\x01\x01",
        b"\xa1\xff",
        b"\x81\xc4\x01z\x90",  # no such container
        b"\x81\xc4\x01m\x90",  # a message without a head
        b"\x81\xc4\x01m\x91\xa3Box",  # a head without a version
        b"\x81\xc4\x01m\x92\xadBox@1 held,lab\x01",
        b"\x81\xc4\x01m\x92\xb0Box@1 held,label\x01",  # a field short
        b"\x81\xc4\x01m\x91\xaaColour@1 a",
        b"\x81\xc4\x01s\x91\x90",  # a list in a set
        b"\xd4\x09x",  # no such extension
        b"\xd4\x02x",  # not a decimal
        b"\xd4\x04x",  # not a datetime
        b"\xd4\x06x",  # not the id of a message
        b"\x81\x90\x01",  # a list as key
    ],
)
def test_damaged_bytes_are_told_as_damage(data: bytes) -> None:
    with pytest.raises((LedgerDamaged, UnknownName)) as caught:
        CODEC.decode(data)
    if b"held,lab\x01" not in data:  # that head can be read: it is another Box
        assert isinstance(caught.value, LedgerDamaged)
        assert f"{len(data)} bytes" in str(caught.value)
        assert "perdure verify" in str(caught.value)


def test_a_message_that_became_a_model_is_told_as_such() -> None:
    old, new = Names(), Names()

    @message("tests.values.turncoat")
    class Turncoat:
        x: int

    old.add(Turncoat)
    data = Codec(old).encode(Turncoat(1))

    @message("tests.values.turncoat")
    class Model(BaseModel):
        x: int

    new.add(Model)
    with pytest.raises(UnknownName, match="a message became a pydantic model"):
        Codec(new).decode(data)


@given(values, st.data())
def test_a_flipped_bit_never_shows_an_error_that_is_not_ours(value: Any, data: Any) -> None:
    good = bytearray(CODEC.encode(value))
    bit = data.draw(st.integers(0, len(good) * 8 - 1))
    good[bit // 8] ^= 1 << bit % 8
    for read in (CODEC.decode, CODEC.type_name):
        try:
            read(bytes(good))
        except (LedgerDamaged, UnknownName):
            pass


def test_a_message_cut_in_its_head_is_damage_to_type_name() -> None:
    with pytest.raises(LedgerDamaged):
        CODEC.type_name(CODEC.encode(Empty())[:5])


def test_a_class_of_the_same_name_from_elsewhere_is_refused_naming_both_places() -> None:
    @message("Box")
    class Other:
        held: int

    both = Names()
    both.note(Box)
    both.note(Other)
    with pytest.raises(NameClash, match=r"Box.*shelf\.py:\d+.*Other.*test_values\.py:\d+"):
        Codec(both).encode(Box(1))


def hammer(work: Callable[[], None], threads: int = 4) -> list[BaseException]:
    """Run `work` in threads that switch as often as the interpreter can; what it raised."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the test shows it
            raised.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        running = [threading.Thread(target=guarded) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    return raised


def test_threads_encode_and_decode_side_by_side() -> None:
    examples = [
        Found({"k": (1, 2)}, 3, ["a"]),
        {"\ud800": {2**70, (1,)}},
        Box({Colour.RED, Ref("/a")}, "x" * 500),
        [Decimal(1), {1, 2}, 2**64],
    ]
    expected = [CODEC.encode(value) for value in examples]

    def work() -> None:
        for _ in range(300):
            for value, data in zip(examples, expected, strict=True):
                assert CODEC.encode(value) == data
                assert CODEC.decode(data) == value
            try:
                CODEC.encode(Box(object()))
            except TypeError:
                continue
            raise AssertionError("an object was encoded")

    assert hammer(work) == []


def test_a_refused_value_leaves_nothing_behind_for_the_next() -> None:
    expected = CODEC.encode([1, 2])
    for bad in ([1, object()], {"a": "\ud800", "b": object()}, {object()}, [2**64, bytearray(1)]):
        with pytest.raises(TypeError):
            CODEC.encode(bad)
        assert CODEC.encode([1, 2]) == expected


@given(values | st.builds(Box, hashable_leaves, any_text))
def test_the_row_that_stands_for_a_messages_bytes_is_what_they_hold(value: Any) -> None:
    data, row = CODEC.draft(value)
    assert data == CODEC.encode(value)
    if row is not None:
        made = CODEC.remake(row)
        assert made is not value
        assert shown(made) == shown(CODEC.decode(data)) == shown(value)


@pytest.mark.parametrize(
    ("value", "has_row"),
    [
        (Box(7, "x"), True),
        (Empty(), True),
        (Box(2**80, "\ud800"), False),  # what the fast packer refuses is written the slow way
        (Box(b"x" * ROW_BYTES_MAX, "x"), False),
        (Box([7], "x"), False),  # what can change is never handed on as it is
        (Box(Empty(), "x"), False),
        (Trip(page="x", days=1, stops=[]), False),
        (Colour.RED, False),
        (7, False),
    ],
)
def test_only_a_small_message_of_nothing_but_scalars_has_a_row(value: Any, has_row: bool) -> None:
    assert (CODEC.draft(value)[1] is not None) is has_row


def test_what_needs_no_walk_is_exactly_what_msgpack_packs_by_itself() -> None:
    assert {type(None), bool, int, float, str, bytes} == SCALARS
