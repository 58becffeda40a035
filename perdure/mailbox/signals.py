"""What processes say to each other about their ends: exit signals, and what comes of them."""

from __future__ import annotations

from perdure.ledger.messages import message
from perdure.mailbox.control import Reason

KILL = "kill"
"""The reason of an exit signal that nobody can trap."""


@message("perdure.signal")
class Signal:
    """To an actor's `incarnation`: an exit signal of `sender`, an address."""

    incarnation: int
    sender: str
    reason: Reason


@message("perdure.exited")
class Exited:
    """An exit signal, as one that traps exits gets it: from whom (an address), and why.

    `reason` is text, like that of `self.stop`: "normal", "shutdown", "killed", "OSError: …".
    """

    address: str
    reason: str


@message("perdure.down")
class Down:
    """A life that was monitored has ended: the monitor's id, whose life it was, and why."""

    id: str
    address: str
    reason: str


@message("perdure.replace")
class Replace:
    """To an actor: have these fields be your state, between two turns."""

    state: dict[str, object]
