from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from perdure.mailbox.ready import STALE_MIN, ReadySet


def ready_set(**units: float) -> ReadySet[str]:
    ready: ReadySet[str] = ReadySet()
    for unit, index in units.items():
        ready.push(unit, index)
    return ready


def drained(ready: ReadySet[str]) -> list[str]:
    found = []
    while (unit := ready.pop()) is not None:
        found.append(unit)
    return found


def test_the_greatest_index_is_taken_first() -> None:
    assert drained(ready_set(a=1.0, b=3.0, c=2.0)) == ["b", "c", "a"]


def test_units_of_one_index_are_taken_in_order_of_arrival() -> None:
    assert drained(ready_set(c=1.0, a=1.0, b=1.0)) == ["c", "a", "b"]


def test_nothing_is_taken_from_an_empty_set() -> None:
    assert ready_set().pop() is None


def test_a_unit_with_a_new_index_is_taken_once_at_its_new_place() -> None:
    ready = ready_set(a=9.0, b=5.0)
    ready.push("a", 1.0)
    assert len(ready) == 2
    assert drained(ready) == ["b", "a"]


def test_a_discarded_unit_is_not_taken() -> None:
    ready = ready_set(a=1.0, b=3.0)
    ready.discard("b")
    assert "b" not in ready
    assert drained(ready) == ["a"]


def test_discarding_what_is_not_there_changes_nothing() -> None:
    ready = ready_set(a=1.0)
    ready.discard("b")
    assert list(ready) == ["a"]


def test_a_unit_pushed_again_after_it_was_discarded_is_taken_once() -> None:
    ready = ready_set(a=1.0, b=2.0)
    ready.discard("a")
    ready.push("a", 3.0)
    assert drained(ready) == ["a", "b"]


def test_the_index_of_a_unit_is_its_latest() -> None:
    ready = ready_set(a=1.0)
    ready.push("a", 4.0)
    assert ready.index("a") == 4.0
    with pytest.raises(KeyError):
        ready.index("b")


def test_units_that_cannot_be_compared_share_an_index_in_peace() -> None:
    ready: ReadySet[object] = ReadySet()
    units = [object() for _ in range(3)]
    for unit in units:
        ready.push(unit, 1.0)
    assert [ready.pop() for _ in units] == units


def test_what_is_pushed_over_and_over_takes_no_more_room() -> None:
    ready = ready_set(a=1.0, b=3.0)
    for n in range(10_000):
        ready.push("a", float(n % 7))
    assert sum(len(queue) for queue in ready._queues.values()) <= STALE_MIN + 2
    assert drained(ready) == ["b", "a"]


def test_a_unit_pushed_again_with_the_index_that_it_has_keeps_its_place() -> None:
    ready = ready_set(a=1.0, b=1.0)
    ready.push("a", 1.0)
    assert drained(ready) == ["a", "b"]


class ReadyMachine(RuleBasedStateMachine):
    """The set against a plain list, searched from front to back."""

    def __init__(self) -> None:
        super().__init__()
        self.ready: ReadySet[int] = ReadySet()
        self.model: list[tuple[int, float]] = []

    @rule(unit=st.integers(0, 40), index=st.sampled_from([0.5, 1.0, 2.0, float("inf")]))
    def push(self, unit: int, index: float) -> None:
        self.ready.push(unit, index)
        if (unit, index) not in self.model:
            self.model = [entry for entry in self.model if entry[0] != unit] + [(unit, index)]

    @rule(unit=st.integers(0, 40))
    def discard(self, unit: int) -> None:
        self.ready.discard(unit)
        self.model = [entry for entry in self.model if entry[0] != unit]

    @rule()
    def pop(self) -> None:
        best = max(self.model, key=lambda entry: entry[1], default=None)
        assert self.ready.pop() == (None if best is None else best[0])
        if best is not None:
            self.model.remove(best)

    @invariant()
    def the_same_units_are_ready_in_the_same_order(self) -> None:
        order = [unit for unit, _ in sorted(self.model, key=lambda entry: -entry[1])]
        assert list(self.ready) == order
        assert len(self.ready) == len(order)


TestReadyMachine = ReadyMachine.TestCase
TestReadyMachine.settings = settings(max_examples=40)
