"""What an actor named in `dead_letters_to` receives."""

from __future__ import annotations

from perdure.ledger.messages import message


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
