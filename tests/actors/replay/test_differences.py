"""What differs between a turn and its record is shown, both sides, at the first such turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from perdure import Actor, Child, field
from tests.kit import program
from tests.replaying import lived_by, replayed

EFFECTS: list[str] = []


def noted(what: str) -> int:
    """A step with an effect that shows."""
    EFFECTS.append(what)
    return len(what)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    EFFECTS.clear()


def edited(**actors: type[Actor]) -> Any:
    """The program again, with other code for its actors."""
    return program(*(Child(name, cls) for name, cls in actors.items()))


# --- what differs


class Before(Actor, name="tests.replay.edited"):
    total: int = 0
    words: list[str] = field(default_factory=list)

    async def on_receive(self, message: str) -> int:
        self.total += await self.once(noted, message)
        self.words.append(message)
        self.tell("/r/b", message)
        await self.artifact("words.txt", message)
        return self.total


class Sink(Actor, name="tests.replay.sink"):
    def on_receive(self, message: str) -> None:
        return


def variant(change: Callable[[Any, str], Any]) -> type[Actor]:
    """`Before` as somebody edited it."""

    class After(Actor, name="tests.replay.edited"):
        total: int = 0
        words: list[str] = field(default_factory=list)

        async def on_receive(self, message: str) -> Any:
            return await change(self, message)

    return After


async def _asks_otherwise(actor: Any, message: str) -> None:
    await actor.once(noted, message + "!")


async def _asks_more(actor: Any, message: str) -> None:
    await Before.on_receive(actor, message)
    await actor.once(noted, message)


async def _asks_nothing(actor: Any, message: str) -> None:
    actor.total += 3


async def _counts_otherwise(actor: Any, message: str) -> None:
    await Before.on_receive(actor, message)
    actor.total += 1


async def _tells_otherwise(actor: Any, message: str) -> None:
    await Before.on_receive(actor, message)
    actor.tell("/r/b", "more")


async def _writes_otherwise(actor: Any, message: str) -> None:
    await Before.on_receive(actor, message)
    await actor.artifact("more.txt", message)


async def _crashes(actor: Any, message: str) -> None:
    raise ValueError("edited")


async def _waits_for_ever(actor: Any, message: str) -> None:
    await actor.once(noted, message)
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("change", "what", "recorded", "now"),
    [
        (_asks_otherwise, "step tests.actors.replay.test_differences.noted#1", "record", "'one!'"),
        (
            _asks_more,
            "step tests.actors.replay.test_differences.noted#2",
            "not begun",
            "noted('one')",
        ),
        (_asks_nothing, "step tests.actors.replay.test_differences.noted#1", "begun", "not come"),
        (_counts_otherwise, "total", "3", "4"),
        (_tells_otherwise, "message 2 of 1", "none", "'more' to /r/b"),
        (_writes_otherwise, "artifacts", "words.txt, 3 bytes", "more.txt"),
        (_crashes, "how the turn ends", "closed", "ValueError: edited"),
        (_waits_for_ever, "the end of the turn", "turn", "waits for"),
    ],
)
def test_an_edited_handler_diverges_at_its_first_turn_and_both_sides_are_shown(
    change: Callable[[Any, str], Any], what: str, recorded: str, now: str
) -> None:
    _, store = lived_by("one", "two", a=Before, b=Sink)
    EFFECTS.clear()
    found = replayed(edited(a=variant(change), b=Sink), store)
    first = found.differences[0]
    assert first.what.startswith(what)
    assert recorded in first.recorded
    assert now in first.replayed
    assert found.at is not None
    assert found.at.message == "one"
    assert EFFECTS == []


class Asking(Actor, name="tests.replay.edited"):
    total: int = 0
    words: list[str] = field(default_factory=list)

    async def on_receive(self, message: str) -> None:
        await self.ask("/r/b", "x" * 10_000)


async def _asks_something_else(actor: Any, message: str) -> None:
    await actor.ask("/r/b", "y" * 10_000)


def test_a_large_question_that_differs_is_shown_as_it_begins() -> None:
    _, store = lived_by("one", a=Asking, b=Sink)
    found = replayed(edited(a=variant(_asks_something_else), b=Sink), store)
    first = found.differences[0]
    assert "ask /r/b('xxx" in first.recorded
    assert "ask /r/b('yyy" in first.replayed


def test_a_field_that_differs_is_shown_with_what_it_was_before() -> None:
    _, store = lived_by("one", "two", a=Before, b=Sink)

    async def from_the_second_on(actor: Any, message: str) -> int:
        total: int = await Before.on_receive(actor, message)
        if message == "two":
            actor.words.append("three")
        return total

    found = replayed(edited(a=variant(from_the_second_on), b=Sink), store)
    shown = [(each.what, each.before, each.recorded, each.replayed) for each in found.differences]
    assert shown == [("words", "['one']", "['one', 'two']", "['one', 'two', 'three']")]


def test_a_crash_that_does_not_come_again_is_a_difference() -> None:
    class Crashing(Actor, name="tests.replay.crashing"):
        def on_receive(self, message: str) -> None:
            raise ValueError("no such page")

    class Mended(Actor, name="tests.replay.crashing"):
        def on_receive(self, message: str) -> None:
            return

    _, store = lived_by("x", a=Crashing)
    (difference,) = replayed(edited(a=Mended), store).differences
    assert difference[:3] == ("how the turn ends", "ValueError: no such page", "the turn closes")


def test_what_a_handler_reads_past_its_verbs_shows_as_a_difference() -> None:
    class Peeking(Actor, name="tests.replay.peeking"):
        at: int = 0

        def on_receive(self, message: str) -> None:
            self.at = time.monotonic_ns()

    tree, store = lived_by("x", a=Peeking)
    assert [each.what for each in replayed(tree, store).differences] == ["at"]


def test_turns_of_a_class_that_is_gone_are_skipped_and_named() -> None:
    class Gone(Actor, name="tests.replay.gone"):
        def on_receive(self, message: str) -> None:
            self.tell("/r/b", message)

    tree, store = lived_by("x", a=Gone, b=Sink)
    del tree.classes["tests.replay.gone"]
    found = replayed(tree, store)
    assert found.differences == []
    assert found.skipped == ["there is no actor class 'tests.replay.gone' in the code."]
    assert found.turns == 2


def test_one_actor_alone_can_be_replayed() -> None:
    _, store = lived_by("one", a=Before, b=Sink)
    tree = edited(a=variant(_crashes), b=Sink)
    assert replayed(tree, store, actor="/r/b").differences == []
    assert replayed(tree, store, actor="/r/a").differences != []
