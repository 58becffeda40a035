"""One message in memory: what the journal says of it, and where it stands in its inbox."""

from __future__ import annotations

from typing import Any

from perdure.ids import MessageId
from perdure.ledger.records import Lane, Send
from perdure.mailbox.index import COST_DEFAULT

ReplyTo = tuple[int, int, int, str]
"""(asker's id, seq and index of the message it is handling, step key): where an answer goes."""


class Envelope:
    """A message: first on its way out of a turn, then in an inbox.

    `seq` and `index` are set when the sending record is appended; `group` is the number of the
    commit group that holds it: consumed within that same group, the message touches no table.
    """

    seq = 0
    index = 0
    group = 0
    consumed = False
    plain = False  # nothing but recipient and body needs writing down
    lane: int = Lane.USER.value
    cost: float = COST_DEFAULT
    est: float | None = None
    reply: ReplyTo | None = None
    due: int | None = None  # a timer: ledger time in ns
    dead: tuple[str, str] | None = None  # (address, reason): a dead letter from the start
    steps: dict[str, Any] | None = None  # journaled by attempts at it so far, by step key

    def __init__(self, to: int, body: bytes, type: str, sender: int = 0, **rare: Any) -> None:
        # most messages are plain: what they share is kept once, on the class
        self.to = to
        self.body = body
        self.type = type
        self.sender = sender
        if rare:
            self.__dict__.update(rare)

    def wire(self, author: int) -> tuple[Any, ...]:
        """The message as the record of `author` holds it; see `records.Send`."""
        if self.plain:
            return (self.to, self.body)
        return (
            self.to,
            self.body,
            self.lane,
            self.cost,
            self.est,
            self.reply,
            self.due,
            self.dead,
            None if self.sender == author else self.sender,
        )

    @classmethod
    def read(cls, seq: int, index: int, send: Send, type: str, sender: int) -> Envelope:
        """The envelope of a message that a record of the journal sent."""
        envelope = cls(
            send.to,
            send.body,
            type,
            sender,
            lane=send.lane,
            cost=send.cost,
            est=send.est,
            reply=send.reply,
            due=send.due,
            dead=send.dead,
        )
        envelope.seq = seq
        envelope.index = index
        return envelope

    @property
    def id(self) -> MessageId:
        """The message's id."""
        return MessageId(self.seq, self.index)
