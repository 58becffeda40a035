"""Plots: what a message has its handler do, drawn by chance before it is sent.

A plot is a list of moves, plain values that a message can hold. What a move sends has a plot of
its own, so one message from outside is the root of a tree that ends.
"""

from __future__ import annotations

from random import Random
from typing import Any

from perdure.simulation.tools import HOWS, TOOLS

Plot = list[Any]

MESSAGES_MAX = 14  # that one from outside leads to
MOVES_MAX = 4

WEIGHTS = {
    "tell": 8, "ask": 6, "after": 3, "sleep": 2, "call": 7, "once": 4, "both": 2, "group": 2,
    "timeout": 2, "now": 1, "mark": 1, "artifact": 2, "crash": 3, "reject": 1, "spawn": 2,
    "watch": 2, "exit": 1, "stop": 1, "random": 1, "burn": 1, "large": 1, "ring": 2,
    "press": 3,
}  # fmt: skip


class Plots:
    """Draws plots for the actors of one world."""

    def __init__(self, chance: Random, addresses: list[str]) -> None:
        self.chance = chance
        self.addresses = addresses
        self._left = 0

    def root(self) -> Plot:
        """The plot of a message from outside."""
        self._left = self.chance.randint(2, MESSAGES_MAX)
        return self.plot()

    def plot(self) -> Plot:
        """Some moves."""
        names, weights = zip(*WEIGHTS.items(), strict=True)
        number = self.chance.randint(0, MOVES_MAX)
        return [self._move(name) for name in self.chance.choices(names, weights, k=number)]

    def _move(self, name: str) -> Plot:
        return [name, *getattr(self, f"_{name}", self._nothing)()]

    def _nothing(self) -> Plot:
        return []

    def _to(self) -> str:
        return self.chance.choice(self.addresses)

    def _sent(self) -> Plot:
        """Somebody, and what he is to do: nothing once the tree is large enough."""
        self._left -= 1
        return [self._to(), self.plot() if self._left > 0 else []]

    def _how(self) -> str:
        return self.chance.choice(HOWS)

    def _seconds(self) -> float:
        return self.chance.choice((0.0, 0.001, 0.02, 0.3, 2.0, 12.0)) * (0.5 + self.chance.random())

    _tell = _sent
    _spawn = _sent
    _press = _sent

    def _ask(self) -> Plot:
        timeout = self.chance.choice((None, None, 0.005, 0.1, 1.0, 15.0))
        return [timeout, self.chance.random() < 0.5, *self._sent()]

    def _after(self) -> Plot:
        return [self._seconds(), *self._sent()]

    def _sleep(self) -> Plot:
        return [self._seconds()]

    def _call(self) -> Plot:
        return [self.chance.choice(list(TOOLS)), self._how()]

    def _once(self) -> Plot:
        return [self.chance.choice(("look", "gaze")), self._how()]

    def _both(self) -> Plot:
        return [self._call(), self._once()]

    def _group(self) -> Plot:
        return [self._call(), self._once(), self._ask()]

    def _timeout(self) -> Plot:
        return [self._seconds(), self._call()]

    def _mark(self) -> Plot:
        return [f"m{self.chance.randint(1, 3)}"]

    def _artifact(self) -> Plot:
        return [f"a{self.chance.randint(1, 5)}.txt", self.chance.choice((20, 20, 9_000))]

    def _crash(self) -> Plot:
        return [self.chance.choice((1, 1, 2, 99))]

    def _watch(self) -> Plot:
        return [self.chance.choice(("link", "monitor", "unlink")), self._to()]

    def _exit(self) -> Plot:
        return [self._to(), self.chance.choice(("normal", "broken", "kill"))]

    def _stop(self) -> Plot:
        return [self.chance.choice(("normal", "shutdown", "tired"))]

    def _burn(self) -> Plot:
        return [self.chance.choice((0.01, 0.2, 3.0))]

    def _large(self) -> Plot:
        return [self._to(), self.chance.choice((5_000, 30_000))]

    def _ring(self) -> Plot:
        return [self.chance.randint(3, 25)]
