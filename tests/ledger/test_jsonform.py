"""The JSON form is what people write and read; what is wrong in it is told by its place."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from pydantic import BaseModel, Field

from perdure.errors import NotEncodable, UnknownName, UsageError
from perdure.ids import MessageId, Ref
from perdure.ledger.messages import Names, message
from perdure.ledger.values import Codec
from perdure.limits import VALUE_DEPTH_MAX
from tests.ledger.shelf import CODEC, Box, Colour, Empty, Found, Open, Right, Trip
from tests.ledger.test_values import shown, values

FORMS = [
    (Found("x", 1), {"$": "shelf.found", "page": "x", "line": 1, "notes": []}),
    (Box(Empty()), {"$": "Box", "held": {"$": "Empty"}, "label": "none"}),
    (Trip(page="x", days=4, stops=[]), {"$": "shelf.trip", "page": "x", "days": 4, "stops": []}),
    ([1, None, True, "a", 1.5], [1, None, True, "a", 1.5]),
    ({"a": {"b": []}}, {"a": {"b": []}}),
    ({1: "a", "b": 2}, {"$dict": [[1, "a"], ["b", 2]]}),
    ({"$": 1}, {"$dict": [["$", 1]]}),
    ({"$tuple": 1}, {"$dict": [["$tuple", 1]]}),
    ((1, (2,)), {"$tuple": [1, {"$tuple": [2]}]}),
    ({5}, {"$set": [5]}),
    (frozenset({5}), {"$frozenset": [5]}),
    (b"hi", {"$bytes": "aGk="}),
    (float("-inf"), {"$float": "-inf"}),
    (Decimal("1.50"), {"$decimal": "1.50"}),
    (UUID(int=1), {"$uuid": "00000000-0000-0000-0000-000000000001"}),
    (datetime(2024, 5, 1, 12, tzinfo=UTC), {"$datetime": "2024-05-01T12:00:00+00:00"}),
    (
        datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        {"$datetime": "2024-10-27T02:30:00+01:00[Europe/Berlin]"},
    ),
    (Ref("/survey/editor"), {"$ref": "/survey/editor"}),
    (MessageId(4, 1), {"$id": "4.1"}),
    (Colour.RED, {"$enum": "Colour.RED"}),
    (Right.READ | Right.WRITE, {"$enum": "shelf.right.3"}),
]


@pytest.mark.parametrize(("value", "form"), FORMS, ids=lambda part: repr(part)[:40])
def test_a_value_has_its_form_and_the_form_its_value(value: Any, form: Any) -> None:
    assert CODEC.to_json(value) == form
    assert shown(CODEC.from_json(json.loads(json.dumps(form)))) == shown(value)


@given(values)
def test_every_value_comes_back_from_json_text(value: Any) -> None:
    text = json.dumps(CODEC.to_json(value), allow_nan=False)
    back = CODEC.from_json(json.loads(text))
    assert CODEC.to_json(back) == json.loads(text)


def test_the_form_of_a_set_is_the_same_in_whatever_order_it_was_filled() -> None:
    assert list({0, 8}) != list({8, 0})
    assert CODEC.to_json({0, 8}) == CODEC.to_json({8, 0}) == {"$set": [0, 8]}


def test_fields_with_defaults_may_be_left_out() -> None:
    assert CODEC.from_json({"$": "Found", "page": "x", "line": 2}) == Found("x", 2)
    assert CODEC.from_json({"$": "Box", "held": [1]}) == Box([1])


def test_a_model_is_validated_and_takes_more_only_if_it_says_so() -> None:
    assert CODEC.from_json({"$": "shelf.trip", "page": "x", "days": "4"}) == Trip(page="x", days=4)
    assert CODEC.from_json({"$": "Open", "page": "x", "more": 1}) == Open(page="x", more=1)


def test_a_model_with_an_alias_is_written_by_its_field_name() -> None:
    @message("aliased")
    class Aliased(BaseModel):
        page: str = Field(alias="pageName")

    names = Names()
    names.add(Aliased)
    made = Aliased(pageName="x")
    assert Codec(names).to_json(made) == {"$": "aliased", "page": "x"}
    assert Codec(names).from_json({"$": "aliased", "page": "x"}) == made


def test_an_aware_datetime_of_toml_is_taken_as_it_is() -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    assert CODEC.from_json({"$": "Box", "held": moment}) == Box(moment)


LISTING = r"It knows Box, Colour, Empty, Open, Pages, Rank, Wide, shelf\.found, shelf\.right, "


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"$": "Bxo"}, rf"^\$ names the message 'Bxo', .* Did you mean 'Box'\? {LISTING}"),
        ([{"a": {"$": 5}}], r"^\$\[0\]\.a names the message 5, which"),
        ({"$": "Box", "hled": 1}, r"^\$: Box has no field 'hled'\. Did you mean 'held'\? Its fi"),
        ({"$": "Empty", "x": 1}, r"Empty has no field 'x'\. Its fields: none\."),
        ({"$": "Box"}, r"^\$: Box needs 'held'\. Its fields: held, label\."),
        ({"$": "shelf.found"}, r"needs 'page', 'line'\. Its fields: page, line, notes\."),
        ({"$": "shelf.trip", "page": "x", "dyas": 1}, r"no field 'dyas'\. Did you mean 'days'\?"),
        ({"$": "shelf.trip", "page": "x", "days": "z"}, r"shelf\.trip refuses these fields: "),
        ({"$": "Box", "held": {"$": "Box"}}, r"^\$\.held: Box needs 'held'"),
        ({"$": "Colour"}, r'Colour is an enum\. Write \{"\$enum": "Colour\.MEMBER"\}'),
        ({"$enum": "Colour.PINK"}, "Colour has no member 'PINK'.*RED, BLUE, CRIMSON"),
        ({"$enum": 5}, r"^\$\.\$enum cannot be 5"),
        ({"$tupel": []}, r"has the key '\$tupel'\. Did you mean '\$tuple'\?.*\$dict"),
        ({"$set": [1], "more": 2}, r"has the key '\$set'\..*the only key"),
        ({"$set": [[1]]}, r"^\$\.\$set cannot be \[\[1\]\]: unhashable"),
        ({"$set": 5}, r"^\$\.\$set cannot be 5"),
        ({"$bytes": "?"}, r"^\$\.\$bytes cannot be '\?'"),
        ({"$decimal": "x"}, r"^\$\.\$decimal cannot be 'x'"),
        ({"$datetime": "2024-01-01"}, r"it has no time zone; end it with Z"),
        ({"$dict": [[1.5, 1]]}, r"the key 1\.5 is neither text nor a whole number"),
        ({"$id": "4"}, r"'4' is not a message id"),
        (b"x", r"^\$ is a bytes; write null"),
        (datetime(2024, 1, 1), r"^\$ is a datetime; .* a datetime with its offset"),  # noqa: DTZ001
    ],
    ids=lambda part: repr(part)[:40],
)
def test_a_wrong_form_is_refused_with_its_place_and_the_right_words(form: Any, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        CODEC.from_json(form)


def test_an_unknown_message_is_an_unknown_name() -> None:
    with pytest.raises(UnknownName, match=r"It knows none\."):
        Codec(Names()).from_json({"$": "Found"})


def test_a_form_nested_too_deep_is_refused() -> None:
    form: Any = 1
    for _ in range(VALUE_DEPTH_MAX + 1):
        form = [form]
    with pytest.raises(UsageError, match=f"deeper than the {VALUE_DEPTH_MAX} levels"):
        CODEC.from_json(form)


def test_what_has_no_bytes_has_no_form() -> None:
    with pytest.raises(NotEncodable, match=r"^Box\.held is a object"):
        CODEC.to_json(Box(object()))
