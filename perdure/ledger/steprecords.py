"""The early records of a turn: what it asked of the outside, and what came back.

They are read like those of `records.py`, which has their kinds.
"""

from __future__ import annotations

from typing import Any, NamedTuple

CANCELLED = "StepCancelled"
"""A step that was cancelled before it began, or that is simply made again."""

ABANDONED = "StepAbandoned"
"""An effect that was cancelled while it was under way: nobody knows whether it happened."""

UNASKED = "StepUnasked"
"""A step that had begun, and whose message ended before anybody asked for it again."""

REFUTED = "DidNotHappen"
"""What a person's verdict makes of an effect in doubt."""


class Intent(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    actor: int
    incarnation: int
    attempt: int
    message: tuple[int, int]
    key: str
    name: str  # tool or function
    digest: bytes  # of the arguments
    effect: str
    tokens: int  # reserved
    asked: bytes  # encoded (args, kwargs); past STEP_ASKED_BYTES_MAX, the start of their text
    redone: bool  # made again, with the same key, when nobody knows whether it happened


class Result(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    actor: int
    incarnation: int
    attempt: int
    message: tuple[int, int]
    key: str
    name: str
    digest: bytes
    ok: bool
    value: bytes  # the encoded value, or (class name, text, module) of the failure
    tokens: int  # spent
    reserved: int  # released
    took: int
    asked: bytes | None = None  # as in Intent; None if an intent has it, or there were none
    intent: int = 0  # the record that it was about to happen; 0 if it needed none
    begun: int = 0  # the last record when it was begun, if it needed no intent
    tries: int = 1  # executions of this step so far, over all attempts at the message
    again: bool = False  # a failure that the step's own policy does not leave at that
    missed: int = 0  # the record of an outcome whose handler was cancelled before it got it; if ok,
    # it gets it after all


class Ask(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    actor: int
    incarnation: int
    attempt: int
    message: tuple[int, int]
    key: str
    digest: bytes
