"""Large values are blobs: a replay compares their references, and hands out the values."""

from __future__ import annotations

from perdure import Actor, field
from perdure.limits import BLOB_BYTES_MIN
from tests.replaying import assert_identical, lived_by, replayed

LARGE = "x" * (2 * BLOB_BYTES_MIN)


def page(word: str) -> str:
    """A large step result."""
    return word * (2 * BLOB_BYTES_MIN)


class Keeper(Actor, name="tests.replay.keeper"):
    text: str = ""
    pages: list[str] = field(default_factory=list)

    async def on_receive(self, message: str) -> str:
        self.text = await self.once(page, message)
        self.pages.append(message * 2 * BLOB_BYTES_MIN)
        self.tell("/r/b", self.text)
        self.text += await self.ask("/r/b", self.text)
        self.spawn(Child_, message, init={"text": self.text})
        return self.text


class Child_(Actor, name="tests.replay.large_child"):  # noqa: N801
    text: str = ""

    def on_start(self) -> None:
        self.text += "!"


class Echo(Actor, name="tests.replay.large_echo"):
    def on_receive(self, message: str) -> str:
        return message


def test_large_values_everywhere_replay_identically() -> None:
    tree, store = lived_by("a", "b", a=Keeper, b=Echo)
    assert assert_identical(tree, store).turns == 6


def test_a_large_value_that_differs_is_shown() -> None:
    tree, store = lived_by("a", a=Keeper, b=Echo)

    class Other(Keeper, name="tests.replay.keeper"):
        async def on_receive(self, message: str) -> str:
            await super().on_receive(message)
            self.text += "?"
            return self.text

    tree.classes["tests.replay.keeper"] = Other
    found = replayed(tree, store)
    assert [each.what for each in found.differences] == ["text"]
    assert found.differences[0].replayed.endswith("?'")
