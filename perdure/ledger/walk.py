"""A ledger's pages checked before LMDB sees them: it trusts what pages say of themselves."""

from __future__ import annotations

import struct
from pathlib import Path

from lmdb.verify import VerifyError, verify

from perdure.errors import LedgerDamaged
from perdure.ledger.environment import DATA, FOLDER, trouble
from perdure.ledger.pages import look, txns_agree
from perdure.limits import OPEN_WALK_BYTES_MAX

_WALK_ENDS = (VerifyError, struct.error, ArithmeticError, LookupError, ValueError, RecursionError)


def walk(path: Path) -> None:
    """Check every page of a ledger that nobody writes; raises `LedgerDamaged` at what is wrong.

    The walk is pure Python over plain reads: no file can make it crash.
    """
    look(path / FOLDER / DATA)  # another program's file is no damaged ledger
    try:
        problems = verify(str(path / FOLDER), subdir=True)  # type: ignore[no-untyped-call]
    except OSError as error:
        raise trouble(path, error) from error
    except _WALK_ENDS as error:
        problems = [str(error)]
    if problems:
        raise LedgerDamaged(
            f"the file of the ledger {path} is damaged: {'; '.join(problems[:3])}. "
            "Restore a backup to go on."
        )


def glance(path: Path) -> None:
    """Check what can be checked of the file in bounded time, before it is opened.

    Its meta pages, always; every page, when it is small, or shorter than its meta pages say.
    Somebody may be writing it.
    """
    data = path / FOLDER / DATA
    said = look(data)
    if not txns_agree(data) and look(data).txn == said.txn:
        raise LedgerDamaged(
            f"{data} is damaged: its meta pages do not name the transactions that wrote its pages. "
            "Restore a backup to go on."
        )
    if not said.whole or said.file_bytes <= OPEN_WALK_BYTES_MAX:
        try:
            walk(path)
        except LedgerDamaged:
            if look(data).txn == said.txn:  # else it changed under the walk
                raise
