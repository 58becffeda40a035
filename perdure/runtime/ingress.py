"""Speaking to a run from another process: a post is put into its spool, and its owner takes it.

What the owner made of a post is in the ledger, durable before anybody can see it. A run that no
process is at takes its posts when it is resumed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from perdure.actors import doorbell
from perdure.errors import (
    AskFailed,
    LedgerInUse,
    NotTaken,
    Outcome,
    Refused,
    Unanswered,
    UsageError,
)
from perdure.ledger import records
from perdure.ledger.environment import find_ledger
from perdure.ledger.keys import posted_key
from perdure.ledger.presence import is_owned, owner_pid
from perdure.ledger.rows import PostedRow, unpack_row
from perdure.ledger.spool import FOLDER, Post, withdraw, write_post
from perdure.limits import DOOR_ANSWER_SECONDS_MAX, POST_LOOK_SECONDS_MAX, POST_WAIT_SECONDS
from perdure.runtime.view import View

R = TypeVar("R")

OVER = ("finishing", "finished", "failed")
"""The statuses of a run that takes no more posts."""

_LOOK_SECONDS_FIRST = 0.002


class Posted(NamedTuple):
    """A post in a spool; `path` is its file until the owner has taken it."""

    id: str
    path: Path


def post(directory: str | Path, verb: str, fields: Mapping[str, Any]) -> Posted:
    """Ask something of a run: one of its owner's verbs (`perdure.runtime.doorverbs`), with fields.

    Returns when the post is durable in the spool; the owner takes it once, soon, or when the run
    is resumed. Raises `NotALedger`, `TooLarge`, `Refused` for a full spool, `LedgerError`, and
    `UsageError` for a run that is over.
    """
    run = find_ledger(directory)
    with View(run) as view:
        status = view.status.status
    if status in OVER:
        raise UsageError(
            f"the run is {status}: nothing would take what is posted to it. "
            "`perdure fork RUN --at RECORD --to DIR` goes on from one of its records."
        )
    asked = Post(os.urandom(16).hex(), verb, dict(fields))
    posted = Posted(asked.id, write_post(run, asked, time.time_ns()))
    doorbell.ring(run)
    return posted


def outcome(
    directory: str | Path, posted: Posted, *, timeout: float = POST_WAIT_SECONDS
) -> dict[str, Any] | Any:
    """What became of a post, once that is durable: what the verb said, or the answer to an ask.

    An answer comes as stand-ins: the run's own classes are not needed. Raises `NotTaken` and
    `Unanswered` after `timeout` seconds, `Refused` with the owner's reason, `AskFailed` for a
    question that has no answer, and `UsageError` when the run was over before it was taken.
    """
    until = time.monotonic() + timeout
    pause = _LOOK_SECONDS_FIRST
    with View(directory) as view:
        while True:
            was_owned = is_owned(directory)  # before the look: who leaves has made all durable
            row = _row(view, posted.id)
            if row is not None and row.ok is not None:
                return _told(view, row)
            if row is None and view.status.status in OVER and not was_owned:
                _too_late(view, posted)
            left = until - time.monotonic()
            if left <= 0 or not was_owned:
                raise _late(directory, posted, row, timeout, was_owned)
            time.sleep(min(pause, left))
            pause = min(2 * pause, POST_LOOK_SECONDS_MAX)


def through_the_door(
    directory: Path, verb: str, fields: Mapping[str, Any], alone: Callable[[], R]
) -> tuple[bool, R | Any]:
    """Have a live run do something; do it `alone` if no process is at the run.

    Returns whether the run is live, and what its verb said, or what `alone` returned. Raises as
    `post`, `outcome` and `alone` do.
    """
    if not is_owned(directory):
        try:
            return False, alone()
        except LedgerInUse:
            if not is_owned(directory):  # it was there for a moment only
                return False, alone()
    return True, outcome(directory, post(directory, verb, fields))


def census(directory: str | Path) -> dict[str, Any] | None:
    """Who is at work in a live run now, as its owner says; None if it does not say."""
    if not is_owned(directory):
        return None
    found = doorbell.ask(Path(directory), "census", DOOR_ANSWER_SECONDS_MAX)
    return found if found is not None and "turns" in found else None


def _row(view: View, post_id: str) -> PostedRow | None:
    raw = view.store.get(posted_key(post_id))
    return None if raw is None else unpack_row(PostedRow, raw)


def _told(view: View, row: PostedRow) -> Any:
    value = view.codec.decode(row.value or b"\xc0")
    if row.ok:
        return value
    kind, text = value[:2]
    body = view.record(row.seq).body
    if isinstance(body, records.Post) and body.ok is None:
        raise AskFailed(kind, text)  # it was sent, and this is its answer
    raise Refused(text)


def _too_late(view: View, posted: Posted) -> None:
    """The run ended without taking a post: take it back, for nobody ever will."""
    if withdraw(posted.path):
        raise UsageError(
            f"the run was {view.status.status} before it took this: nothing was changed."
        )


def _late(
    directory: str | Path, posted: Posted, row: PostedRow | None, timeout: float, was_owned: bool
) -> Outcome:
    if row is not None:
        when = f"within {timeout:g} s" if was_owned else "before its process ended"
        return Unanswered(
            f"no answer came {when}. The question is in the run (record {row.seq}), and may still "
            "be handled."
        )
    where = f"the post stays in {Path(directory) / FOLDER}"
    if not was_owned:
        return NotTaken(f"no process is at the run: {where}, and is taken at `perdure resume`.")
    pid = owner_pid(directory)
    return NotTaken(
        f"process {pid}, which is at the run, has not taken this within {timeout:g} s: {where}, "
        "and is taken when that process goes on, or at the next `perdure resume`."
    )
