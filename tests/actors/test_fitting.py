"""Values against annotations."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NewType, Protocol, TypedDict

import pytest

from perdure import Actor, field
from perdure.actors.fitting import annotation_of, fits


class Colour(Enum):
    RED = 1


class Page(TypedDict):
    path: str


class Sized(Protocol):
    size: int


Count = NewType("Count", int)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (1, int), (True, int), (1, float), (None, None), (None, int | None), ("x", str | None),
        ([1, 2], list[int]), ([], list[int]), ((1, 2, 3), tuple[int, ...]),
        ((1, "x"), tuple[int, str]), ((), tuple[()]), ({"a": [1]}, dict[str, list[int]]),
        ({1}, set[int]), ([1], Sequence[int]),
        ((1,), Sequence[int]), ("a", Literal["a", "b"]), (1, Annotated[int, "pages"]), (2, Count),
        ({"path": "x"}, Page), (Colour.RED, Colour), (Decimal(1), Decimal), ("x", Any), (3, Sized),
        (object(), "a name that nobody knows"), ([object()], list),
    ],
)  # fmt: skip
def test_a_value_fits_what_its_annotation_says(value: Any, annotation: Any) -> None:
    assert fits(value, annotation)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        ("1", int), (1.5, int), ("x", float), (0, None), (1, str | None), ([1, "2"], list[int]),
        ((1, 2), list[int]), ((1,), tuple[int, str]), ((1, 2), tuple[int, str]), ((1,), tuple[()]),
        ({"a": [None]}, dict[str, list[int]]), ({1: 1}, dict[str, int]), ({"x"}, set[int]),
        (["x"], Sequence[int]), ("c", Literal["a", "b"]), (True, Literal[1]),
        ("x", Annotated[int, "pages"]), ("x", Count), ([], Page), (1, Colour),
    ],
)  # fmt: skip
def test_a_value_of_another_type_does_not(value: Any, annotation: Any) -> None:
    assert not fits(value, annotation)


def test_the_annotation_of_a_field_is_that_of_the_nearest_class() -> None:
    class Base(Actor, name="tests.fitting.base"):
        count: int = 0
        pages: list[str] = field(default_factory=list)

    class Derived(Base, name="tests.fitting.derived"):
        count: float = 0.0

    assert annotation_of(Derived, "count") is float
    assert annotation_of(Derived, "pages") == list[str]
    assert annotation_of(Derived, "nothing") is Any
