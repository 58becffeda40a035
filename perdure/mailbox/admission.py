"""May this message enter that inbox, may this sender go on: pure decisions on lengths."""

from __future__ import annotations

from perdure.errors import InboxFull
from perdure.limits import INBOX_HARD_MAX, INBOX_SOFT_MAX


def admit(address: str, waiting: int, hard_max: int = INBOX_HARD_MAX) -> None:
    """Raise `InboxFull` when an inbox with that many messages can take no more."""
    if waiting >= hard_max:
        raise InboxFull(full(address, waiting, hard_max))


def full(address: str, waiting: int, hard_max: int) -> str:
    """Why an inbox with that many messages takes no more."""
    return (
        f"inbox of {address} is full: {waiting:,} of {hard_max:,} messages. "
        "Let it drain, or raise inbox_hard_max."
    )


def holds_senders(waiting: int, soft_max: int = INBOX_SOFT_MAX) -> bool:
    """Whether whoever sends to an inbox of that length must wait until it drains."""
    return waiting > soft_max


def releases_senders(waiting: int, soft_max: int = INBOX_SOFT_MAX) -> bool:
    """Whether an inbox has drained far enough; half, so that senders do not flap at the edge."""
    return waiting <= soft_max // 2
