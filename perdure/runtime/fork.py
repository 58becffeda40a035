"""Forks: a new ledger that begins with another run's records, and goes its own way from there."""

from __future__ import annotations

from perdure.ledger.messages import Names
from perdure.ledger.values import Codec
from perdure.mailbox import control

CONTROL = Codec(Names.of(vars(control)))
"""Reads what supervisors are told, without a run's code."""


def last_words(body: bytes) -> str:
    """Why an actor ended, in words, from the message that told its supervisor."""
    return str(CONTROL.decode(body).reason)
