"""Is all of a ledger as it must be? Pages, chain, checksums, and each table against the journal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from perdure.errors import LedgerDamaged
from perdure.ledger.audit import audit_store
from perdure.ledger.copies import copy_exactly
from perdure.ledger.environment import find_ledger
from perdure.ledger.folded import Violation
from perdure.ledger.group import Head
from perdure.ledger.owner import hold_off
from perdure.ledger.scratch import scratch
from perdure.ledger.store import open_store
from perdure.ledger.verify import check_contents, check_pages

Tick = Callable[[str], None]
"""Told what is being done, before it is."""


class Checked(NamedTuple):
    """What a check found: where the ledger ends that was checked, and what is wrong with it."""

    head: Head
    wrong: list[Violation]


def silent(step: str) -> None:
    """Tell nobody."""


def check_ledger(directory: str | Path, tick: Tick = silent) -> Checked:
    """Check all of the ledger in a run directory, which nobody else writes meanwhile.

    It takes time in proportion to the ledger. Raises `LedgerInUse`, and `LedgerDamaged` for what
    cannot be read; what can be, and contradicts the rest, is in the answer.
    """
    path = find_ledger(directory)
    owner = hold_off(path)
    try:
        tick("checking the pages")
        check_pages(path)
        store = open_store(path, write=False)
        try:
            tick("checking records, rows and blobs")
            head = check_contents(store)
            tick("comparing each table with the journal")
            return Checked(head, audit_store(store))
        finally:
            store.close()
    finally:
        owner.release()


def check_live_ledger(directory: str | Path, tick: Tick = silent) -> Checked:
    """Check the ledger of a run that goes on as it is in one moment: a copy of that is checked.

    The copy lies beside the ledger and is removed. Raises `LedgerError` when there is no room.
    """
    path = find_ledger(directory)
    with scratch(path, "verify") as copy:
        tick("copying the ledger")
        store = open_store(path, write=False)
        try:
            copy_exactly(store.file, copy)
        finally:
            store.close()
        try:
            return check_ledger(copy, tick)
        except LedgerDamaged as error:
            raise LedgerDamaged(str(error).replace(str(copy), str(path)), error.seq) from error
