"""What can change in place decides how changes are found."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel

from perdure.actors.mutability import Mutability, mutability, separated
from perdure.ids import Ref
from perdure.ledger.messages import message


class Colour(Enum):
    RED = 1


@message
class Point:
    x: int
    path: Any = ()


class Model(BaseModel):
    pages: list[int]


@pytest.mark.parametrize(
    "value",
    [None, 1, "a", Decimal(1), Colour.RED, Ref("/a"), (1, ("a",)), frozenset({1}), Point(1)],
)
def test_atoms_and_what_is_made_of_them_is_immutable(value: object) -> None:
    assert mutability(value) == Mutability.IMMUTABLE
    assert separated(value) is value


@pytest.mark.parametrize("value", [[], {}, set(), [[1]], {"a": {"b": {1}}}, [Point(1), (1,)]])
def test_containers_of_what_can_be_tracked_are_tracked(value: object) -> None:
    assert mutability(value) == Mutability.CONTAINER


@pytest.mark.parametrize(
    "value", [([],), Point(1, [2]), Model(pages=[]), [([],)], {"a": [Point(1, {})]}, object()]
)
def test_what_hides_a_change_makes_all_around_it_opaque(value: object) -> None:
    assert mutability(value) == Mutability.OPAQUE


def test_a_separated_value_is_equal_and_shares_nothing() -> None:
    shared = [1]
    value = {"pair": (shared, shared), "point": Point(1, shared), "model": Model(pages=shared)}
    twin = separated(value)
    assert twin == value
    shared.append(2)
    twin["pair"][0].append(3)
    assert twin["pair"] == ([1, 3], [1])
    assert twin["point"].path == [1]
    assert twin["model"].pages == [1]
