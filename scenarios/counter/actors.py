"""One actor that adds up what it is told."""

from __future__ import annotations

from perdure import Actor, message


@message
class Add:
    """Add this number."""

    number: int


@message
class Total:
    """That was all: end the run with the total."""


class Counter(Actor):
    """Its only state is the total. After each turn the ledger holds it."""

    total: int = 0

    async def on_receive(self, message: Add | Total) -> None:
        match message:
            case Add(number):
                self.total += number
            case Total():
                self.finish({"total": self.total})
