"""One message in memory: what the journal says of it, and where it stands in its inbox."""

from __future__ import annotations

from typing import Any

from perdure.ids import MessageId
from perdure.ledger.records import Row, Send
from perdure.mailbox.index import COST_DEFAULT

ReplyTo = tuple[int, int, int, str]
"""(asker's id, seq and index of the message it is handling, step key): where an answer goes."""


class Envelope:
    """A message: first on its way out of a turn, then in an inbox.

    `seq` and `index` are set when the sending record is appended; `group` is the number of the
    commit group that holds it: consumed within that same group, the message touches no table.
    """

    __slots__ = (
        "body", "cost", "dead", "due", "est", "group", "index", "lane", "plain",
        "reply", "row", "sender", "seq", "steps", "to", "type",
    )  # fmt: skip

    def __init__(
        self,
        to: int,
        body: bytes,
        type: str,
        sender: int = 0,
        *,
        lane: int = 1,
        cost: float = COST_DEFAULT,
        est: float | None = None,
        reply: ReplyTo | None = None,
        due: int | None = None,
        dead: tuple[str, str] | None = None,
        plain: bool = False,
    ) -> None:
        self.to = to
        self.body = body
        self.type = type
        self.sender = sender
        self.lane = lane
        self.cost = cost
        self.est = est
        self.reply = reply
        self.due = due  # a timer: ledger time in ns
        self.dead = dead  # (address, reason): a dead letter from the start
        self.row: Row | None = None  # what `body` holds, if it need not be read: see Codec.draft
        self.plain = plain  # nothing but recipient and body needs writing down
        self.seq = 0
        self.index = 0
        self.group = 0
        self.steps: dict[str, Any] | None = None  # journaled by attempts at it, by step key

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


def plain_envelope(to: int, body: bytes, row: Row | None, type: str, sender: int) -> Envelope:
    """`Envelope(to, body, type, sender, plain=True)`, which most are, without the call of a class.

    It costs half as much, and each message pays for it.
    """
    env = _new(Envelope)
    env.to = to
    env.body = body
    env.row = row
    env.type = type
    env.sender = sender
    env.lane = 1
    env.cost = COST_DEFAULT
    env.est = env.reply = env.due = env.dead = env.steps = None
    env.plain = True
    env.seq = env.index = env.group = 0
    return env


_new = object.__new__
