"""A run's scenario where its folder is not there: what the ledger keeps of it, in the run's own."""

from __future__ import annotations

import tomllib
from pathlib import Path, PurePosixPath

from perdure.ledger.blobs import digest_of
from perdure.ledger.interventions import Reload
from perdure.ledger.records import Open
from perdure.runtime.oldcode import read_code
from perdure.runtime.origin import SCENARIO
from perdure.runtime.sources import put_back
from perdure.runtime.view import View


def put_scenario(view: View, directory: Path) -> bool:
    """Put the scenario's file and its code into `scenario/` of a run; False if not all is kept.

    Other files of its folder, data and packages, are not in the ledger.
    """
    run = view.run
    since = read_code(view.store).since
    body = view.record(since).body if since else None
    files = b""
    if isinstance(body, Open | Reload) and body.code:
        files = view.store.blob(digest_of(body.code)) or b""
    place = _code_of(run.source)
    if not run.source or place is None or not files:
        return False
    file = directory / SCENARIO
    code = file.parent / place
    code.parent.mkdir(parents=True)
    put_back(files, code.parent, None)
    file.write_text(run.source, encoding="utf-8")
    return code.is_file()


def _code_of(source: str) -> PurePosixPath | None:
    """Where a scenario has its code, below its folder; None if it is elsewhere, or has none."""
    try:
        path = PurePosixPath(tomllib.loads(source).get("code", ""))
    except (tomllib.TOMLDecodeError, TypeError):
        return None
    is_below = path.name and not path.is_absolute() and ".." not in path.parts
    return path if is_below else None
