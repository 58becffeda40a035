"""Compaction of a run: what is before a point goes, but for what somebody may still need."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from perdure.errors import Compacted as Gone
from perdure.errors import LedgerError, NotTaken
from perdure.ledger.blobs import named_in
from perdure.ledger.compacted import base_row
from perdure.ledger.compaction import Plan, Progress, groups, nobody, plan
from perdure.ledger.environment import DATA, FOLDER
from perdure.ledger.group import Head
from perdure.ledger.handover import PLANS, clear_plans, hand_over
from perdure.ledger.records import Turn
from perdure.ledger.shrinking import shrink
from perdure.ledger.spool import withdraw
from perdure.ledger.store import open_store
from perdure.limits import COMPACT_WAIT_SECONDS, READ_ROWS_MAX
from perdure.runtime.ingress import outcome, post
from perdure.runtime.points import point
from perdure.runtime.view import View

NS = 1_000_000_000
LIVE = "a process is at the run; its free pages are used again, and given back once it is stopped"


class Compacted(NamedTuple):
    """What a compaction came to, or would: the cut, what it drops, and the file's bytes.

    `marks` are how many marks before the cut can still be used, `marks_lost` how many cannot. `why`
    is why the file did not get smaller, if it did not.
    """

    at: int
    head: int
    records: int
    left: int
    blobs: int
    bytes: int
    marks: int
    marks_lost: int
    file_before: int
    file_after: int
    why: str = ""


def compact(
    directory: str | Path,
    at: int,
    *,
    posts_until: int = 0,
    dead_until: int = 0,
    dry_run: bool = False,
    progress: Progress = nobody,
) -> Compacted:
    """Drop the records up to `at` of a run that no process is at, but for what is still needed.

    What became of posts, and dead letters, of records up to `posts_until` and `dead_until` go too.
    A kill at any moment leaves a whole ledger. Raises `LedgerInUse`, `LedgerDamaged`, `UsageError`.
    """
    run = Path(directory)
    store = open_store(run)
    clear_plans(run)
    try:
        before = (run / FOLDER / DATA).stat().st_size
        found = plan(store, at, posts_until=posts_until, dead_until=dead_until, progress=progress)
        if not dry_run:
            total = _steps(found)
            for done, group in enumerate(groups(store, found), 1):
                store.commit(group)
                progress("drop", done, max(done, total))
        head = store.head()
    finally:
        store.close()
    if dry_run:
        return _said(found, head, before, before)
    progress("shrink", 0, 1)
    shrunk = shrink(run)
    progress("shrink", 1, 1)
    return _said(found, head, before, shrunk.after, shrunk.why)


def compact_live(
    directory: str | Path, at: int, *, dry_run: bool = False, progress: Progress = nobody
) -> Compacted:
    """The same for a run that a process is at: what goes is found here, and dropped there.

    The run goes on meanwhile, and its file does not get smaller: what is free in it is used again.
    """
    run = Path(directory)
    before = (run / FOLDER / DATA).stat().st_size
    with View(run) as view:
        found = plan(view.store, at, is_still=False, progress=progress)
    if not dry_run:
        said = _posted(run, "compact", found)
        progress("drop", 1, 2)
        found.unused = _unused(run, found, said["until"])
        _posted(run, "compact-blobs", Plan(found.at, unused=found.unused))
        progress("drop", 2, 2)
    with View(run) as view:
        head = view.head
    after = (run / FOLDER / DATA).stat().st_size
    return _said(found, head, before, after, "" if dry_run else LIVE)


def _posted(run: Path, verb: str, found: Plan) -> dict[str, int]:
    name = hand_over(run, found)
    try:
        posted = post(run, verb, {"plan": name})
        try:
            said: dict[str, int] = outcome(run, posted, timeout=COMPACT_WAIT_SECONDS)
        except NotTaken:
            withdraw(posted.path)  # the next process would find no plan
            raise
    finally:
        (run / PLANS / name).unlink(missing_ok=True)
    return said


def _unused(run: Path, found: Plan, until: int) -> tuple[bytes, ...]:
    """The blobs that may go: those that no record names which came while others were folded."""
    try:
        with View(run) as view:
            came = view.records(found.head + 1, until)
            used = {digest for each in came for digest in named_in(each.body)}
    except Gone:  # by another compaction, which got further: it looks for blobs itself
        return ()
    return tuple(digest for digest in found.unused if digest not in used)


def _steps(found: Plan) -> int:
    return len(found.blobs) // 8 + 3 + found.records_dropped // 10_000


def _said(found: Plan, head: Head, before: int, after: int, why: str = "") -> Compacted:
    left = len(found.left.records) + len(found.left.stubs)
    return Compacted(
        found.at, head.seq, found.records_dropped, left, len(found.unused), found.bytes_dropped,
        len(found.bases) - 1, found.marks_lost, before, after, why,
    )  # fmt: skip


def drop_old(directory: str, kind: str, number: str) -> None:
    """Have a run that goes on drop all but its last turns, or what is older than an age in seconds.

    `kind` is `turns` or `age`. The arguments are texts: those of a process.
    """
    with View(directory) as view:
        if kind == "turns":
            at = cut_keeping_turns(view, int(number))
        else:
            at = cut_keeping_age(view, float(number), time.time_ns())
        if at <= view.head.cut:
            return
    try:
        compact_live(directory, at)
    except LedgerError as error:
        sys.exit(str(error))


# --- which record to cut at


def cut_at_end(view: View) -> int:
    """The last record; but not only to drop the word of the last compaction."""
    row, head = base_row(view.store), view.head
    is_all = row is not None and (row.at, row.seq) == (head.seq - 1, head.seq)
    return head.seq - 1 if is_all else head.seq


def cut_before(view: View, text: str) -> int:
    """The last record before what `text` means: a record's number, a mark, a time."""
    return point(view, text) - 1


def cut_keeping_turns(view: View, turns: int) -> int:
    """The last record before the newest `turns` turns; those of supervisors do not count."""
    left = turns
    for seq, body in _backwards(view):
        left -= isinstance(body, Turn) and body.sched[2] > 0
        if left <= 0:
            return seq - 1
    return 0


def cut_keeping_age(view: View, seconds: float, now_ns: int) -> int:
    """The last record that is older than that; `now_ns` is the time now."""
    oldest = max(now_ns, view.head.time_ns) - int(seconds * NS)
    low, high = view.head.cut, view.head.seq
    while low < high:
        middle = (low + high + 1) // 2
        if view.record(middle).body.time < oldest:
            low = middle
        else:
            high = middle - 1
    return low


def _backwards(view: View) -> Iterator[tuple[int, object]]:
    """The records from the head back to the cut."""
    last, floor = view.head.seq, view.head.cut
    while last > floor:
        first = max(last - READ_ROWS_MAX + 1, floor + 1)
        for record in reversed(list(view.records(first, last))):
            yield record.seq, record.body
        last = first - 1
