"""How one run is: its file, its readers, its clock, its spool, and all of its ledger."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

from perdure.errors import LedgerDamaged, LedgerError, NotALedger
from perdure.ledger.environment import DATA, FOLDER, find_ledger
from perdure.ledger.pages import look
from perdure.ledger.presence import is_owned, owner_pid
from perdure.ledger.readers import Reader
from perdure.ledger.spool import ASIDE, Spool
from perdure.ledger.spool import FOLDER as INGRESS
from perdure.ledger.store import LmdbStore
from perdure.ledger.whole import Tick, check_ledger, check_live_ledger, silent
from perdure.limits import DOCTOR_POST_SECONDS_MAX, READER_BEHIND_GROUPS
from perdure.runtime.checkup import judge_address_space
from perdure.runtime.findings import OK, PROBLEM, WARNING, Finding
from perdure.runtime.view import View

NS = 1_000_000_000


def check_run(directory: Path, tick: Tick = silent) -> list[Finding]:
    """What is to be said of a run, which may be going on. Raises `NotALedger`."""
    find_ledger(directory)
    found = [_process(directory)]
    try:
        found.append(_map(look(directory / FOLDER / DATA).map_bytes))
        with View(directory) as view:
            store = view.store
            assert isinstance(store, LmdbStore)
            found.append(judge_readers(store.readers(), store.file.dead_readers))
            if view.head.seq:
                found.append(judge_ledger_time(view.head.time_ns, time.time_ns()))
        found.append(_spool(directory))
    except NotALedger:
        raise
    except LedgerError as error:
        found.append(_unreadable(error))
        return found
    found.append(_ledger(directory, tick))
    return found


def _process(directory: Path) -> Finding:
    if is_owned(directory):
        return Finding("process", OK, f"process {owner_pid(directory)} is at the run")
    return Finding("process", OK, "none is at the run")


def _map(map_bytes: int) -> Finding:
    """Whether the run's map fits into a process, and its next doubling."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    found = judge_address_space(limit, map_bytes)._replace(about="map")
    return found if found.way else found._replace(text=f"{map_bytes:,} bytes, doubled when full")


def judge_readers(found: list[Reader], dead: int) -> Finding:
    """Whether somebody pins pages; pure but for the names of processes.

    >>> judge_readers([], 2).text
    'none; 2 of dead processes were let go of'
    """
    others = [reader for reader in found if reader.pid != os.getpid()]
    gone = f"; {dead} of dead processes were let go of" if dead else ""
    if not others:
        return Finding("readers", OK, f"none{gone}")
    worst = max(others, key=lambda reader: reader.behind)
    text = f"{len(others)}, process {worst.pid} is {worst.behind:,} groups behind{gone}"
    if worst.behind > READER_BEHIND_GROUPS:
        way = f"It pins pages, and the file grows: end process {worst.pid}."
        return Finding("readers", WARNING, text, way)
    return Finding("readers", OK, text)


def judge_ledger_time(last_ns: int, wall_ns: int) -> Finding:
    """Whether the wall clock is behind what the run has recorded; pure.

    >>> judge_ledger_time(90 * NS, 30 * NS).verdict
    'warning'
    """
    behind = (last_ns - wall_ns) / NS
    if behind > 1.0:
        text = f"the clock is {behind:,.0f} s behind the last record"
        way = "Set the clock. The run's own time goes on from its last record meanwhile."
        return Finding("time", WARNING, text, way)
    return Finding("time", OK, "the last record is not in the future")


def _spool(directory: Path) -> Finding:
    try:
        spool = Spool.open(directory)
    except OSError as error:
        way = f"Remove {directory / INGRESS}: it is made anew."
        return Finding("posts", PROBLEM, f"the spool cannot be read: {error.strerror}", way)
    if spool is None:
        return Finding("posts", OK, "none")
    try:
        listing = spool.look()
        first = min((spool.written_ns(name) or 0 for name in listing.posts), default=0)
        waits = (time.time_ns() - first) / NS if first else 0.0
    finally:
        spool.close()
    aside = directory / INGRESS / ASIDE
    refused = len(os.listdir(aside)) if aside.is_dir() else 0
    return judge_spool(
        len(listing.posts), refused, len(listing.unfinished), waits, aside, is_owned(directory)
    )


def judge_spool(
    waiting: int, refused: int, unfinished: int, seconds: float, aside: Path, live: bool
) -> Finding:
    """Whether posts get where they are to go; pure. The oldest waits for `seconds`."""
    parts = [f"{waiting:,} waiting" if waiting else "none waiting"]
    parts += [f"{refused:,} refused"] if refused else []
    parts += [f"{unfinished:,} unfinished"] if unfinished else []
    text = ", ".join(parts)
    if waiting and live and seconds > DOCTOR_POST_SECONDS_MAX:
        way = "The run's process does not take them: `perdure ps RUN` shows what holds it."
        return Finding("posts", WARNING, f"{text}, the oldest for {seconds:,.0f} s", way)
    if waiting and not live:
        return Finding("posts", WARNING, text, "`perdure resume RUN` takes them.")
    if refused:
        way = f"They were no posts: look at {aside}, and remove them."
        return Finding("posts", WARNING, text, way)
    return Finding("posts", OK, text)


def _ledger(directory: Path, tick: Tick) -> Finding:
    """All of the ledger, as `perdure verify` checks it."""
    live = is_owned(directory)
    try:
        head, wrong = (check_live_ledger if live else check_ledger)(directory, tick)
    except LedgerError as error:
        return _unreadable(error)
    if wrong:
        way = "`perdure verify` names all of it. Restore a backup."
        return Finding("ledger", PROBLEM, f"it contradicts itself: {wrong[0]}", way, damage=True)
    return Finding("ledger", OK, f"whole as of record {head.seq:,}")


def _unreadable(error: LedgerError) -> Finding:
    damage = isinstance(error, LedgerDamaged)
    way = "Go on with a backup: `perdure resume BACKUP`." if damage else "Then look again."
    return Finding("ledger", PROBLEM if damage else WARNING, str(error), way, damage)
