"""Where a copy of a run came from: `origin.json` in its directory, and whether the run still lives.

A backup is the run itself, under its own id: whoever goes on with both acts twice.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from perdure.errors import LedgerError, UsageError
from perdure.ledger.presence import is_owned, owner_pid
from perdure.ledger.records import Run
from perdure.ledger.store import LmdbStore, open_store
from perdure.runtime.view import View

FILE = "origin.json"
FORMAT = 1
SCENARIO = Path("scenario", "scenario.toml")
"""Where a copy has its scenario's file, from the ledger; its code is beside it."""


class Origin(NamedTuple):
    """What a copy is of: a directory or a URL, the run, and the last record it was made with."""

    of: str
    run_id: str
    seq: int
    hash: str


def write_origin(directory: Path, origin: Origin) -> None:
    """Note where a copy came from, durably."""
    with (directory / FILE).open("w", encoding="utf-8") as file:
        json.dump({"format": FORMAT, **origin._asdict()}, file)
        file.flush()
        os.fsync(file.fileno())


def read_origin(directory: Path) -> Origin | None:
    """Where a copy came from; None for a run that is no copy, or says nothing that can be read."""
    try:
        form = json.loads((directory / FILE).read_bytes())
        origin = Origin(*(form[name] for name in Origin._fields))
        return origin if form["format"] == FORMAT and isinstance(origin.seq, int) else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def check_origin(directory: Path) -> str:
    """What to warn of before a copy is gone on with; '' when nothing speaks against it.

    Raises `UsageError` while a process is at the run that it is a copy of.
    """
    origin = read_origin(directory)
    if origin is None:
        return ""
    original = Path(origin.of)
    try:
        if not original.is_dir() or original.samefile(directory):
            return ""
        with View(original) as view:
            if view.run.run_id.hex() != origin.run_id:
                return ""
            seq = view.head.seq
    except (LedgerError, OSError):
        return ""
    copy = f"{directory} is a copy of the run in {original}, as of record {origin.seq:,}"
    if is_owned(original):
        raise UsageError(
            f"{copy}, and process {owner_pid(original)} is at that run now: both would act. End "
            f"it first; or `perdure fork {directory} --at {origin.seq} --to DIR`, and work on that."
        )
    return (
        f"{copy}, which is still there and ends at record {seq:,}. Go on with one of the two only: "
        "both have the same id, and would act twice."
    )


def open_run(directory: str | Path | None) -> LmdbStore:
    """The ledger of a run that is gone on with. Raises as `check_origin` and `open_store` do."""
    if directory is None:
        raise UsageError("resume() needs the directory of a run.")
    check_origin(Path(directory))
    return open_store(directory)


def kept_scenario(run: Run, directory: str | Path | None) -> str | None:
    """The scenario to go on with that is in the run's directory; None if its own is there."""
    if directory is None or not run.directory or Path(run.directory).exists():
        return None
    kept = Path(directory) / SCENARIO
    return str(kept) if kept.is_file() else None
