"""Why an actor is down, as its own last turn tells its supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.ledger.records import Lane, Send, Turn

if TYPE_CHECKING:
    from perdure.ledger.values import Codec


def why_down(body: Turn, codec: Codec) -> str:
    """The reason in the last message of a turn that says how its own actor ended."""
    for wire in reversed(body.sends):
        send = Send(*wire)
        if send.lane == Lane.CONTROL:
            message = codec.decode(send.body)
            if getattr(message, "child", None) == body.actor and hasattr(message, "reason"):
                return str(message.reason)
    return ""
