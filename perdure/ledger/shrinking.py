"""A ledger's file without the room that is free in it: LMDB uses free pages again, and keeps them.

The file is copied beside itself, made durable, and put in its place in one step: whatever happens,
one whole ledger is there.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from perdure.errors import LedgerDamaged, LedgerError, LedgerInUse
from perdure.ledger.copies import copy_compact
from perdure.ledger.durable import sync_directory
from perdure.ledger.environment import DATA, FOLDER, LedgerFile, find_ledger
from perdure.ledger.owner import Owner
from perdure.ledger.walk import glance
from perdure.limits import MAP_BYTES_FIRST, MAP_BYTES_MAX

ASIDE = "shrinking"
"""Where the copy is made, and where the old file is until it is deleted; below the run."""

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


class Shrunk(NamedTuple):
    """The bytes of a ledger's file before and after; `why` says why they are the same."""

    before: int
    after: int
    why: str = ""


def shrink(path: str | Path) -> Shrunk:
    """Give back the free pages of a ledger that nobody has open. Raises as `open_store` does.

    Where the disk has no room for a copy, or cannot put two folders in each other's place, the file
    stays as it is, and the answer says why.
    """
    run = find_ledger(path)
    owner = Owner(run)
    try:
        clear_away(run)
        before = (run / FOLDER / DATA).stat().st_size
        try:
            _copy(run)
            exchange(run / ASIDE / FOLDER, run / FOLDER)
        except (LedgerDamaged, LedgerInUse):
            raise
        except (OSError, LedgerError) as error:
            return Shrunk(before, before, str(error))
        sync_directory(run)
        return Shrunk(before, (run / FOLDER / DATA).stat().st_size)
    finally:
        clear_away(run)
        owner.release()


def clear_away(run: Path) -> None:
    """Delete what a shrinking left that was cut short: its copy, or the file from before."""
    shutil.rmtree(run / ASIDE, ignore_errors=True)


def _copy(run: Path) -> None:
    """A copy that is a ledger by itself, whole and durable, at `ASIDE`."""
    aside = run / ASIDE
    aside.mkdir()
    file = LedgerFile(run, MAP_BYTES_FIRST, MAP_BYTES_MAX, readonly=True)
    try:
        copy_compact(file, aside)
    finally:
        file.close()
    glance(aside)


def exchange(one: Path, other: Path) -> None:
    """Put two folders in each other's place, in one step. Raises `OSError` where that cannot be."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise OSError("this system cannot put two folders in each other's place")
    names = os.fsencode(one), os.fsencode(other)
    if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one))
