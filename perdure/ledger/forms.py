"""What a codec has learned of types: how each is lowered to msgpack, and lifted from it again."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from perdure.ledger import refusals
from perdure.ledger.messages import Names, registration
from perdure.ledger.older import can_write
from perdure.ledger.records import Row
from perdure.ledger.shapes import (
    Head,
    Lift,
    Lower,
    Shape,
    bridge,
    enum_lower,
    no_row,
    shape_of,
)
from perdure.ledger.wire import FROZENSET, LOWER, SCALARS, SET, TUPLE, Packers, Unfit
from perdure.limits import VALUE_DEPTH_MAX

packers = Packers()
only_scalars = SCALARS.issuperset
_only_keys = frozenset({str, int}).issuperset


class Forms(dict[type, Lower]):
    """How each type is lowered to what msgpack has; a run's own types are learned when met."""

    def __init__(self, names: Names) -> None:
        super().__init__(LOWER)
        self._names = names
        self.update(
            {
                list: self._list,
                tuple: self._tuple,
                dict: self._dict,
                set: self._set,
                frozenset: self._frozenset,
            }
        )

    def __missing__(self, cls: type) -> Lower:
        lower: Lower
        plain: Any = refusals.plain_type(cls)
        noted = registration(cls)
        if plain is not None:
            inner = self[plain]
            lower = lambda value, depth: inner(plain(value), depth)  # noqa: E731
        elif noted is None or not can_write(self._names, cls, noted.name):
            raise Unfit
        elif issubclass(cls, Enum):
            lower = enum_lower(noted)
        else:
            lower = self.shape(cls).lower
        self[cls] = lower
        return lower

    def shape(self, cls: type) -> Shape:
        """The shape of a registered class."""
        noted = registration(cls)
        if noted is None or issubclass(cls, Enum):
            raise ValueError(f"{cls.__qualname__} is no message class")
        return shape_of(cls, noted, self)

    def _items(self, values: Any, depth: int) -> list[Any]:
        if depth > VALUE_DEPTH_MAX:
            raise Unfit
        depth += 1
        return [v if type(v) in SCALARS else self[type(v)](v, depth) for v in values]

    def _list(self, values: list[Any], depth: int) -> object:
        if depth <= VALUE_DEPTH_MAX and only_scalars(map(type, values)):
            return values
        return self._items(values, depth)

    def _tuple(self, values: tuple[Any, ...], depth: int) -> object:
        if depth <= VALUE_DEPTH_MAX and only_scalars(map(type, values)):
            return {TUPLE: list(values)}
        return {TUPLE: self._items(values, depth)}

    def _set(self, values: set[Any], depth: int) -> object:
        return {SET: sorted(self._items(values, depth), key=packers.pack)}

    def _frozenset(self, values: frozenset[Any], depth: int) -> object:
        return {FROZENSET: sorted(self._items(values, depth), key=packers.pack)}

    def _dict(self, pairs: dict[Any, Any], depth: int) -> object:
        if depth > VALUE_DEPTH_MAX or not _only_keys(map(type, pairs)):
            raise Unfit
        if only_scalars(map(type, pairs.values())):
            return pairs
        depth += 1
        return {
            key: v if type(v) in SCALARS else self[type(v)](v, depth) for key, v in pairs.items()
        }


class Rows(dict[type, Callable[[Any], Row | None]]):
    """How a message of each type becomes its row; learned when met. Other types have none."""

    def __init__(self, forms: Forms) -> None:
        super().__init__()
        self._forms = forms

    def __missing__(self, cls: type) -> Callable[[Any], Row | None]:
        row: Callable[[Any], Row | None] = no_row
        try:
            self._forms[cls]  # raises for what this run may not write
            row = self._forms.shape(cls).row
        except (Unfit, ValueError):
            pass  # no message, or one that `encode` refuses and says why
        self[cls] = row
        return row


class Lifts(dict[str, Lift]):
    """How the values after each head become an object; heads are learned when first met."""

    def __init__(self, names: Names, forms: Forms) -> None:
        super().__init__()
        self._names = names
        self._forms = forms

    def __missing__(self, text: str) -> Lift:
        head = Head.parse(text)
        cls = self._names.get(head.name)
        shape, noted = self._forms.shape(cls), registration(cls)
        today = Head.parse(shape.head)
        if noted is None or (head.version, head.fields) == (today.version, today.fields):
            lift = shape.lift
        else:
            lift = bridge(cls, noted, head)
        self[text] = lift
        return lift
