from __future__ import annotations

from typing import Any

import pytest

from perdure.ids import MessageId
from perdure.ledger.records import Lane, Send
from perdure.mailbox.envelope import Envelope
from perdure.mailbox.index import COST_DEFAULT

AUTHOR = 7


def kept(envelope: Envelope) -> dict[str, Any]:
    """What must survive being written down."""
    names = ("to", "body", "type", "sender", "lane", "cost", "est", "reply", "due", "dead")
    return {name: getattr(envelope, name) for name in names}


def read(wire: tuple[Any, ...]) -> Envelope:
    send = Send(*wire)
    sender = AUTHOR if send.sender is None else send.sender
    return Envelope.read(4, 1, send, "Read", sender)


ENVELOPES = {
    "ordinary": Envelope(9, b"body", "Read", AUTHOR),
    "control": Envelope(9, b"body", "Read", AUTHOR, lane=Lane.CONTROL),
    "priced": Envelope(9, b"body", "Read", AUTHOR, cost=100.0, est=0.25),
    "an ask": Envelope(9, b"body", "Read", AUTHOR, reply=(7, 3, 0, "ask /a#1")),
    "a timer": Envelope(9, b"body", "Read", AUTHOR, due=1_700_000_000_000_000_000),
    "dead": Envelope(0, b"body", "Read", AUTHOR, dead=("/nobody", "no such actor")),
    "another's": Envelope(9, b"body", "Read", 3),
}


@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES)
def test_a_message_is_read_back_as_it_was_sent(envelope: Envelope) -> None:
    assert kept(read(envelope.wire(AUTHOR))) == kept(envelope)


def test_a_plain_message_is_two_values_on_disk_and_the_same_when_read() -> None:
    plain = Envelope(9, b"body", "Read", AUTHOR, plain=True)
    assert plain.wire(AUTHOR) == (9, b"body")
    assert kept(read(plain.wire(AUTHOR))) == kept(plain)


def test_the_sender_is_written_only_when_it_is_not_the_author_of_the_record() -> None:
    envelope = Envelope(9, b"body", "Read", AUTHOR, lane=Lane.CONTROL)
    assert Send(*envelope.wire(AUTHOR)).sender is None
    assert Send(*envelope.wire(3)).sender == AUTHOR


def test_a_message_costs_the_default_unless_it_says_otherwise() -> None:
    assert Envelope(9, b"body", "Read").cost == COST_DEFAULT == Send(9, b"body").cost


def test_a_message_is_known_by_the_record_that_sent_it_and_its_place_there() -> None:
    assert read((9, b"body")).id == MessageId(4, 1)
