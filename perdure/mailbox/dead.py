"""What an actor named in `dead_letters_to` receives."""

from __future__ import annotations

from perdure.ledger.messages import message
from perdure.ledger.records import Dead


@message("perdure.dead_letter")
class DeadLetter:
    """A message that will not be handled: its id, whom it was for, and why.

    It is sent in the same record that makes the message a dead letter, so none is missed and none
    is told twice. `attempts` is 0 for a message that no handler ever saw.
    """

    id: str
    to: str
    message: object
    reason: str
    attempts: int


def crashed_ask(dead: Dead) -> tuple[str, str]:
    """What whoever asked with a message that died gets: the kind of the failure, and its text."""
    text = f"message {dead.seq}.{dead.index} to {dead.to} is a dead letter: {dead.reason}"
    return "Crashed", text
