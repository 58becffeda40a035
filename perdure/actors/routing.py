"""Messages to supervisors: requests wait in the control lane, and others are not for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perdure.actors.cell import Cell
from perdure.errors import UnknownName
from perdure.ledger.records import Lane
from perdure.mailbox.envelope import Envelope
from perdure.mailbox.requests import REQUESTS


def route(env: Envelope, cell: Cell, decode: Callable[[bytes], Any]) -> None:
    """Have a message to a supervisor wait behind the exits that came before it.

    Without a life there is nobody to take it. What is no request is a dead letter.
    """
    env.plain = False
    if not is_request(env.body, decode):
        env.dead, env.to = (cell.address, NO_REQUEST), 0
    elif cell.is_alive:
        env.lane = int(Lane.CONTROL)
    else:
        env.dead, env.to = (cell.address, "not running"), 0


def is_request(body: bytes, decode: Callable[[bytes], Any]) -> bool:
    """Whether a message is one that a supervisor answers."""
    try:
        return type(decode(body)) in REQUESTS
    except UnknownName:
        return False


NO_REQUEST = (
    "a supervisor takes only the requests of perdure.supervisors (StartChild, WhichChildren, …). "
    "Send to one of its children"
)
