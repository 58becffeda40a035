"""News of a run for whoever watches it: shown only once what they tell of is durable (G3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Event(NamedTuple):
    """One thing that happened: crashed, start_failed, restarted, dead, stalled, artifact, report;
    reloaded, refused (a reload), kept (old code, by an actor that cannot be loaded with new);
    ingress: something is odd in the spool of posts; `reason` names the file;
    reader: a process has had a read transaction open for long; `reason` names it;
    housekeeping: old history could not be dropped; `reason` says why.

    `time` is ledger time in ns; `message` is the message type and its text, '' without one;
    `count` and `limit` are attempts made and allowed, or the incarnation.
    """

    kind: str
    time: int
    address: str
    message: str = ""
    message_id: str = ""
    reason: str = ""
    count: int = 0  # type: ignore[assignment]  # hides tuple.count, which nobody calls on it
    limit: int = 0


Observer = Callable[[Event], None]
"""Called on the kernel thread: quick, and never blocking."""


def nobody(event: Event) -> None:
    """The observer of a run that nobody watches."""


SHOWN_CHARS_MAX = 80


def shown(message: object) -> str:
    """A message in a line for people: its class and what it holds, cut short."""
    text = repr(message)
    return text if len(text) <= SHOWN_CHARS_MAX else text[: SHOWN_CHARS_MAX - 1] + "…"
