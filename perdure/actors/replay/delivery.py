"""Messages of a journal, put where they wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.ledger.journal import sender_of
from perdure.ledger.records import Body, Dead, Send
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.replay.past import Past


def deliver(past: Past, seq: int, body: Body) -> None:
    """Put the messages of a record where they wait; the dead ones are buried."""
    author = sender_of(body, Send(0, b""))
    for index, wire in enumerate(body.sends):
        if len(wire) == 2:
            env = Envelope(wire[0], wire[1], "", author)
        else:
            send = Send(*wire)
            env = Envelope.read(seq, index, send, "", sender_of(body, send))
            if env.dead is not None:
                past.bury(seq, body, Dead(seq, index, *env.dead, 0), env)
                continue
            if env.due is not None or not env.to:
                continue  # when it is due, another record sends it
        env.seq, env.index = seq, index
        past.messages[seq, index] = env
