"""Stand-ins: values are read where their classes are missing, and look as they do with them."""

from __future__ import annotations

from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from perdure.errors import LedgerDamaged
from perdure.ids import MessageId, Ref
from perdure.ledger.messages import message
from perdure.ledger.standins import StandInCodec
from perdure.ledger.values import Codec


@message("standins.found", version=3)
class Found:
    page: object
    line: int = 1


@message
class Hue(Enum):
    RED = 1


@message("standins.box")
class Box(BaseModel):
    model_config = {"extra": "allow"}
    side: int


KNOWING, NOT_KNOWING = Codec(), StandInCodec()


def both(value: object) -> tuple[object, object]:
    data = KNOWING.encode(value)
    return NOT_KNOWING.form(data), KNOWING.to_json(value)


@pytest.mark.parametrize(
    "value",
    [
        Found("x", 2),
        Found({"in": [Found("deep")]}),
        {Found("a"), Found("b")},
        {3: Hue.RED},
        (Hue.RED, Ref("/a"), MessageId(4, 1), b"raw", float("nan")),
    ],
)
def test_the_form_is_the_same_as_with_the_classes(value: object) -> None:
    form, known = both(value)
    assert repr(form) == repr(known)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)


@given(values, st.integers())
def test_any_value_in_a_message_has_the_same_form(value: object, line: int) -> None:
    form, known = both(Found(value, line))
    assert repr(form) == repr(known)


def test_a_model_shows_its_extra_fields_too() -> None:
    assert NOT_KNOWING.form(KNOWING.encode(Box(side=1, lid="oak"))) == {
        "$": "standins.box",
        "side": 1,
        "lid": "oak",
    }


def test_a_stand_in_is_written_as_a_call() -> None:
    assert (
        repr(NOT_KNOWING.decode(KNOWING.encode(Found("x")))) == "standins.found(page='x', line=1)"
    )


def test_equal_messages_have_equal_stand_ins() -> None:
    one, other = (NOT_KNOWING.decode(KNOWING.encode(Found("x"))) for _ in range(2))
    assert one == other


def test_bytes_that_are_no_value_are_damage() -> None:
    with pytest.raises(LedgerDamaged):
        NOT_KNOWING.decode(b"\xc1")
