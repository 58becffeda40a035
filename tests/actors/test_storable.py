"""Annotations: what is known to have no bytes is found, everything else is let through."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    Protocol,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import pytest
from pydantic import BaseModel

from perdure.actors.storable import annotations_of, is_class_var, unstorable
from perdure.ids import Ref
from perdure.ledger.messages import message

T = TypeVar("T")
Name = NewType("Name", str)
Thread = NewType("Thread", threading.Thread)


class Colour(Enum):
    RED = 1


class Shape: ...


@message
class Square(Shape):
    side: int


class Model(BaseModel):
    name: str


class Point(NamedTuple):
    x: int


class Row(TypedDict):
    x: int


class Named(Protocol):
    name: str


@pytest.mark.parametrize(
    "annotation",
    [
        *(None, int, "Unknown", Any, object, datetime, Decimal, UUID, Ref, Colour, Square, Model),
        *(list[int], dict[str, list[Square]], dict[int | str, int], dict[Name, int], set[str]),
        *(tuple[int, ...], int | None, Optional[Ref], Literal["a", 1]),  # noqa: UP045
        *(
            Annotated[int, "pages"],
            T,
            Name,
            Shape,
            Row,
            Named,
            Sequence[int],
            Mapping[str, int],
            dict[Any, Any],
        ),
    ],
)
def test_what_may_be_stored_is_let_through(annotation: Any) -> None:
    assert unstorable(annotation) == ""


@pytest.mark.parametrize(
    ("annotation", "part"),
    [
        (threading.Thread, "threading.Thread"),
        (threading.Lock, "_thread.allocate_lock"),
        (list[Path], "pathlib.Path"),
        (int | timedelta, "datetime.timedelta"),
        (dict[str, deque[int]], "collections.deque"),
        (OrderedDict[str, int], "collections.OrderedDict"),
        (Callable[[], None], "collections.abc.Callable"),
        (type[int], "type"),
        (Point, f"{__name__}.Point"),
        (Thread, "threading.Thread"),
        (Annotated[bytearray, "raw"], "bytearray"),
        (dict[Colour, int], f"a dict key of type {__name__}.Colour"),
    ],
)
def test_what_has_no_bytes_is_named(annotation: Any, part: str) -> None:
    assert unstorable(annotation) == part


def test_annotations_are_resolved_one_by_one() -> None:
    class Local:
        known: Path
        unknown: Missing  # type: ignore[name-defined]  # noqa: F821

    assert annotations_of(Local) == {"known": Path, "unknown": "Missing"}


@pytest.mark.parametrize("text", ["ClassVar", "ClassVar[Missing]", "typing.ClassVar[int]"])
def test_a_class_variable_is_known_even_unresolved(text: str) -> None:
    assert is_class_var(text)
    assert not is_class_var("int")
