"""The classes that the tests of values store: one of each kind that a run can know by name."""

from __future__ import annotations

from dataclasses import field
from enum import Enum, Flag, IntEnum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, PrivateAttr, RootModel

from perdure.ledger.messages import Names, message
from perdure.ledger.values import Codec


class Colour(Enum):
    RED = 1
    BLUE = 2
    CRIMSON = 1  # noqa: PIE796


class Rank(IntEnum):
    LOW = 1
    HIGH = 2


class Right(Flag):
    READ = 1
    WRITE = 2


class Trip(BaseModel):
    page: str
    days: int = 3
    stops: list[tuple[int, ...]] = []
    _seen: int = PrivateAttr(default=0)


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    page: str = ""


class Pages(RootModel[list[str]]):
    pass


message(Colour)
message(Rank)
message("shelf.right")(Right)
message("shelf.trip")(Trip)
message(Open)
message(Pages)


@message
class Empty:
    pass


@message
class Box:
    held: Any
    label: str = "none"
    cost: ClassVar[float] = 4.0


@message("shelf.found", version=2, aliases=("Found",))
class Found:
    page: Any
    line: int
    notes: list[str] = field(default_factory=list)


@message
class Wide:
    """More fields than the shortest msgpack array header counts."""

    a: int
    b: int
    c: int
    d: int
    e: int
    f: int
    g: int
    h: int
    i: int
    j: int
    k: int
    l: int  # noqa: E741
    m: int
    n: int
    o: int
    p: int


NAMES = Names.of(globals())
CODEC = Codec(NAMES)


class TrackedList(list[Any]):
    __plain__ = list


class TrackedDict(dict[Any, Any]):
    __plain__ = dict


class TrackedSet(set[Any]):
    __plain__ = set
