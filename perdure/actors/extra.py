"""Attributes of turns that few turns have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from perdure.actors.turn import Turn

T = TypeVar("T")


class Extra(Generic[T]):
    """An attribute that is None for most turns: it takes no place in those, and no time."""

    def __set_name__(self, owner: type[Turn], name: str) -> None:
        self._name = name

    def __get__(self, turn: Turn, owner: type[Turn]) -> T | None:
        return None if turn.extras is None else turn.extras.get(self._name)

    def __set__(self, turn: Turn, value: T | None) -> None:
        if turn.extras is None:
            turn.extras = {}
        turn.extras[self._name] = value
