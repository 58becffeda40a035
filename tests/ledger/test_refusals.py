"""A value that has no bytes is refused with the path to the part, what it is, and the way out."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter, OrderedDict, UserList, defaultdict, namedtuple
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import PurePosixPath
from threading import Lock
from typing import Any

import msgpack
import pytest
from pydantic import BaseModel

from perdure.errors import NotEncodable
from perdure.ids import MessageId, Ref
from perdure.ledger.messages import Names, message
from perdure.ledger.values import Codec
from perdure.limits import VALUE_DEPTH_MAX
from tests.ledger.shelf import CODEC, Box, Empty, Found, Open, Trip

Point = namedtuple("Point", "x y")


class Shade(Enum):
    DARK = 1


class Name(str):
    __slots__ = ()


class Moment(datetime):
    pass


class Bare(BaseModel):
    x: int = 1


@dataclasses.dataclass
class Plain:
    x: int = 1


class Client:
    pass


class Child(Box):
    """A subclass of a message that nobody registered."""


async def later() -> int:
    return 1


class Pretender(UserList[int]):
    __plain__ = list


HERE = __name__


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (object(), "object; keep it in an attribute that starts with '_'"),
        (Client(), f"{HERE}.Client; keep it"),
        (Lock(), "_thread.lock; keep it"),
        (Pretender([1]), f"{HERE}.Pretender; keep it"),
        (bytearray(b"x"), r"bytearray; store bytes\(it\)"),
        (memoryview(b"x"), r"memoryview; store bytes\(it\)"),
        (complex(1, 2), "complex; keep it"),
        (range(3), "range; keep it"),
        (date(2024, 1, 1), r"datetime\.date; store its isoformat\(\)"),
        (timedelta(1), r"datetime\.timedelta; store its total_seconds\(\)"),
        (Moment(2024, 1, 1, tzinfo=UTC), f"{HERE}.Moment; store a plain datetime"),
        (PurePosixPath("/a"), r"pathlib\.PurePosixPath; store str\(it\)"),
        (Shade.DARK, f"{HERE}.Shade; decorate its class with @message"),
        (Bare(), f"{HERE}.Bare; decorate its class with @message"),
        (Plain(), f"{HERE}.Plain; decorate its class with @message"),
        (Child(1), f"{HERE}.Child; decorate its class with @message"),
        (Point(1, 2), f"{HERE}.Point; decorate its class with @message"),
        (Name("x"), rf"{HERE}.Name; store str\(it\)"),
        (OrderedDict(a=1), r"collections\.OrderedDict; store dict\(it\)"),
        (defaultdict(list), r"collections\.defaultdict; store dict\(it\)"),
        (Counter("a"), r"collections\.Counter; store dict\(it\)"),
        (len, "builtin_function_or_method; store a name to look it up by"),
        (int, "type; store a name"),
        (msgpack.ExtType(1, b"x"), r"msgpack\.ext\.ExtType; decorate"),
        (msgpack.Timestamp(1), r"msgpack\.ext\.Timestamp; keep it"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda v: v, "value"),
        (lambda v: Box(v), r"Box\.held"),
        (lambda v: [1, {"k": (v,)}], r"value\[1\]\['k'\]\[0\]"),
    ],
    ids=["itself", "in a message", "in containers"],
)
def test_what_is_no_value_is_refused_by_path_type_and_way_out(
    value: Any, what: str, wrap: Any, path: str
) -> None:
    with pytest.raises(NotEncodable, match=rf"^{path} is a {what}"):
        CODEC.encode(wrap(value))


def path_of(value: object, what: str = "value") -> str:
    with pytest.raises(NotEncodable) as caught:
        CODEC.encode(value, what)
    return str(caught.value).partition(" is a ")[0]


def test_the_path_leads_through_fields_keys_indexes_and_sets() -> None:
    bad = Client()
    assert path_of(Found(Box(bad), 1)) == "shelf.found.page.held"
    assert path_of(Found([0, {"k": {2: bad}}], 1)) == "shelf.found.page[1]['k'][2]"
    assert path_of({Point(1, 2)}) == "an element of value"
    assert path_of(Open(page="x", more=[bad])) == "Open.more[0]"
    assert path_of(Box(bad), "the result of finish()") == "the result of finish().held"


def test_a_private_attribute_of_a_model_is_checked_too() -> None:
    trip = Trip(page="x")
    trip._seen = Client()  # type: ignore[assignment]
    assert path_of(trip) == "shelf.trip._seen"


def test_something_to_await_is_to_be_awaited_first() -> None:
    coroutine = later()
    with pytest.raises(NotEncodable, match="is a coroutine; await it first"):
        CODEC.encode([coroutine])
    assert asyncio.run(coroutine) == 1


def test_a_naive_datetime_is_refused_with_the_way_out() -> None:
    with pytest.raises(NotEncodable, match=r"^Box\.held is a datetime without time zone; use "):
        CODEC.encode(Box(datetime(2024, 1, 1)))  # noqa: DTZ001


@pytest.mark.parametrize("key", [(1, 2), 1.5, None, True, b"m", Name("x")], ids=repr)
def test_a_dict_has_keys_of_str_or_int_and_nothing_else(key: object) -> None:
    with pytest.raises(NotEncodable, match=r"^Box\.held has the key .*keys are str or int\. Store"):
        CODEC.encode(Box({key: 1}))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Ref(5), "is a Ref to 5; an address is a str"),  # type: ignore[arg-type]
        (MessageId(-1, 0), r"is the message id \(-1, 0\); both numbers are whole"),
        (MessageId(True, 2**64), "is the message id"),
    ],
)
def test_a_ref_or_id_that_holds_nonsense_is_refused(value: object, text: str) -> None:
    with pytest.raises(NotEncodable, match=text):
        CODEC.encode([value])


def test_a_value_that_contains_itself_is_refused_where_it_does() -> None:
    loop: list[Any] = [1]
    loop.append({"again": loop})
    with pytest.raises(NotEncodable, match=r"^value\[1\]\['again'\] contains itself"):
        CODEC.encode(loop)
    box = Box([])
    box.held.append(box)
    with pytest.raises(NotEncodable, match=r"^Box\.held\[0\] contains itself"):
        CODEC.encode(box)


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: (v,), lambda v: {"k": v}, Box])
def test_nesting_ends_at_its_limit(wrap: Any) -> None:
    value: Any = wrap(1)
    for _ in range(VALUE_DEPTH_MAX - 1):
        value = wrap(value)
    assert CODEC.decode(CODEC.encode(value)) == value
    with pytest.raises(NotEncodable, match=f"deeper than the {VALUE_DEPTH_MAX} levels"):
        CODEC.encode(wrap(value))


def test_a_field_without_a_value_is_named() -> None:
    @message
    class Half:
        n: int = dataclasses.field(init=False)

    names = Names()
    names.add(Half)
    with pytest.raises(NotEncodable, match=r"^Half\.n has no value"):
        Codec(names).encode(Half())


def test_a_message_that_the_run_does_not_know_is_refused_before_it_is_written() -> None:
    names = Names()
    names.add(Empty)
    with pytest.raises(NotEncodable, match=r"is a Box \(.*shelf\.py:\d+\), a message that"):
        Codec(names).encode([Box(1)])


def test_a_message_of_a_class_defined_again_is_refused_naming_both() -> None:
    def define() -> type[Any]:
        @message
        class Again:
            n: int

        return Again

    names = Names()
    old, new = define(), define()
    names.add(old)
    names.add(new)
    with pytest.raises(NotEncodable, match=r"is a Again of .*test_refusals\.py:\d+, but this run"):
        Codec(names).encode(old(1))
    assert Codec(names).decode(Codec(names).encode(new(1))) == new(1)
