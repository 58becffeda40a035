"""Which runs of the home may go, and letting them go.

A run is gone with one rename: from then on no list has it, whatever becomes of its bytes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from perdure.errors import LedgerError, LedgerInUse
from perdure.ledger.durable import sync_directory
from perdure.ledger.owner import Owner
from perdure.ledger.presence import is_owned
from perdure.runtime.home import all_runs, home
from perdure.runtime.view import View

DELETED = ".deleted-"
OVER = ("finished", "failed")
STATUSES = (*OVER, "waiting", "interrupted", "unreadable")
"""What a run may be that is deleted; one that a process is at is none of these."""

NS = 1_000_000_000


class Standing(NamedTuple):
    """A run of the home: its status, the number and time of its last record, its bytes.

    One that cannot be read has number 0, and the time at which its directory last changed.
    """

    directory: Path
    status: str
    seq: int
    last_ns: int
    bytes: int


class Verdict(NamedTuple):
    """What becomes of a run: `goes`, or why it stays."""

    run: Standing
    goes: bool
    why: str


def standings() -> list[Standing]:
    """The runs of the home, that with the newest record first."""
    found = [_standing(directory) for directory in all_runs() if not directory.is_symlink()]
    return sorted(found, key=lambda run: run.last_ns, reverse=True)


def judge(
    runs: Sequence[Standing],
    now_ns: int,
    *,
    keep: int | None,
    older_ns: int | None,
    statuses: Sequence[str] = OVER,
) -> list[Verdict]:
    """What becomes of each run, the newest first; pure.

    A run goes if its status is asked for, it is none of the newest `keep` of those, and its last
    record is older than `older_ns`.
    """
    found, number = [], 0
    for run in runs:
        if run.status not in statuses:
            found.append(Verdict(run, False, run.status))
            continue
        number += 1
        if keep is not None and number <= keep:
            found.append(Verdict(run, False, f"one of the newest {keep}"))
        elif older_ns is not None and now_ns - run.last_ns <= older_ns:
            found.append(Verdict(run, False, "not old enough"))
        else:
            found.append(Verdict(run, True, run.status))
    return found


def delete(run: Standing) -> bool:
    """Delete a run, unless it is another than it was; whether it is gone.

    Who comes to it meanwhile finds it in use, or not there. Raises `LedgerError`.
    """
    try:
        owner = Owner(run.directory)
    except LedgerInUse:
        return False
    try:
        if _last(run.directory)[0] != run.seq:
            return False  # somebody was at it since
        gone = home() / f"{DELETED}{run.directory.name}-{os.urandom(4).hex()}"
        run.directory.rename(gone)
        sync_directory(home())
        shutil.rmtree(gone, ignore_errors=True)  # what cannot be removed is left to the next
    except OSError as error:
        raise LedgerError(f"{run.directory} cannot be deleted: {error}. Mend that.") from error
    finally:
        owner.release()
    return True


def leftovers() -> list[Path]:
    """What deletions that were killed have left."""
    try:
        return sorted(path for path in home().iterdir() if path.name.startswith(DELETED))
    except OSError:
        return []


def clear(left: Path) -> None:
    """Remove what a deletion has left."""
    shutil.rmtree(left, ignore_errors=True)


def bytes_of(directory: Path) -> int:
    """What a directory takes on the disk."""
    return sum(_sizes(directory))


def _sizes(directory: Path) -> Iterator[int]:
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                yield os.lstat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                continue


def _standing(directory: Path) -> Standing:
    seq, last_ns, status = _last(directory)
    if is_owned(directory):
        status = "going on"
    return Standing(directory, status, seq, last_ns, bytes_of(directory))


def _last(directory: Path) -> tuple[int, int, str]:
    """Number and time of the last record, and the status."""
    try:
        with View(directory) as view:
            head = view.head
            return head.seq, head.time_ns, view.status.status
    except LedgerError:
        return 0, directory.stat().st_mtime_ns, "unreadable"
