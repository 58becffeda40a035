"""Sends that a full inbox refused: they stand in the record of the turn that they were refused in.

How full an inbox was is in no record, and a handler may catch the refusal and go on: a replay must
refuse the same sends. Each is known by its place: how many the turn had sent before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from perdure.errors import InboxFull, Refused
from perdure.limits import TURN_INTENTS_MAX

if TYPE_CHECKING:
    from perdure.actors.turn import Turn


def place(turn: Turn) -> int:
    """How many messages and questions the turn has sent so far."""
    return len(turn.out) + (turn.taken or 0)


def refuse(turn: Turn, address: str, text: str) -> NoReturn:
    """Note that a send of the turn is refused, and raise `InboxFull` with that text."""
    turn.is_rare = True
    if turn.refused is None:
        turn.refused = []
    turn.refused.append((place(turn), address, text))
    if len(turn.refused) >= TURN_INTENTS_MAX:
        raise Refused(
            f"{TURN_INTENTS_MAX:,} messages of one turn of {turn.cell.address} met a full inbox. "
            "Let the turn crash, or tell yourself to go on later."
        )
    raise InboxFull(text)
