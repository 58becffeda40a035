"""Backups: a run as it is in one moment, copied while it goes on, and checked before it counts."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from perdure.errors import LedgerDamaged, LedgerError, NotALedger, UsageError
from perdure.ids import check_artifact
from perdure.ledger.copies import check_room, copy_compact
from perdure.ledger.durable import write_whole
from perdure.ledger.environment import DATA, FOLDER
from perdure.ledger.folded import Violation
from perdure.ledger.group import Head
from perdure.ledger.keys import posted_key
from perdure.ledger.scratch import whole_directory
from perdure.ledger.spool import Spool, id_in
from perdure.ledger.store import LmdbStore, open_store
from perdure.ledger.whole import Tick, check_ledger, silent
from perdure.runtime.keptscenario import put_scenario
from perdure.runtime.origin import Origin, write_origin
from perdure.runtime.points import EMPTY
from perdure.runtime.view import View


class BackedUp(NamedTuple):
    """A backup that was made: the run, its last record and that one's time, bytes of the ledger.

    `artifacts` are files put in place, `posts` how many the run had not taken yet: they are not in.
    """

    run_id: bytes
    head: Head
    ledger_bytes: int
    artifacts: int
    posts: int


def backup(directory: str | Path, to: str | Path, tick: Tick = silent) -> BackedUp:
    """Make in `to` a run directory that is the run in `directory` as it is at one moment.

    A process may be at the run. The copy is checked as `perdure verify` does, and has its name only
    then. Raises `UsageError` for a `to` that is there, `LedgerDamaged` when the run is not whole,
    `LedgerError` when the copy cannot be written. Then there is nothing in `to`.
    """
    source, target = Path(directory), Path(to)
    with whole_directory(target, "a backup") as partial:
        posts = _waiting_posts(source)
        _copy(source, partial, tick)
        try:
            checked = check_ledger(partial, tick)
        except LedgerDamaged as error:
            raise LedgerDamaged(str(error).replace(str(partial), str(source)), error.seq) from error
        refuse_wrong(checked.wrong, str(source))
        with View(partial) as view:
            tick("putting artifacts in place")
            artifacts = put_artifacts(view, partial)
            put_scenario(view, partial)
            run_id = view.run.run_id
            posts = [id for id in posts if view.store.get(posted_key(id)) is None]
        head = checked.head
        where = Origin(str(source.absolute()), run_id.hex(), head.seq, head.hash.hex())
        write_origin(partial, where)
        tidy(partial)
    size = (target / FOLDER / DATA).stat().st_size
    return BackedUp(run_id, head, size, artifacts, len(posts))


def refuse_wrong(wrong: list[Violation], what: str) -> None:
    """Raise `LedgerDamaged` when a check has found something."""
    if wrong:
        raise LedgerDamaged(
            f"{what} contradicts itself, first so: {wrong[0]}. `perdure verify` says more; nothing "
            "was kept of the copy.",
            wrong[0].seq,
        )


def put_artifacts(view: View, directory: Path) -> int:
    """Put the files of released artifacts in place, from the ledger; how many.

    Those that are not released yet follow at resume, as in the run itself.
    """
    released = [each for each in view.artifacts() if each.released]
    check_room(directory, sum(each.size for each in released), "what is in artifacts/")
    for each in released:
        try:
            check_artifact(each.path)
        except UsageError as error:
            raise LedgerDamaged(f"an artifact has a path that none may have: {error}") from error
        data = view.store.blob(each.digest)
        if data is None:
            raise LedgerDamaged(f"the bytes of artifact {each.path} are gone. Restore a backup.")
        try:
            write_whole(directory / "artifacts" / each.path, data, top=directory)
        except OSError as error:
            raise LedgerError(f"artifact {each.path} cannot be written: {error}.") from error
    return len(released)


def tidy(directory: Path) -> None:
    """Remove what checking has left: nobody is at a copy yet."""
    for name in ("owner", f"{FOLDER}/lock.mdb"):
        (directory / name).unlink(missing_ok=True)


def _copy(source: Path, partial: Path, tick: Tick) -> None:
    store: LmdbStore = open_store(source, write=False)
    try:
        if not store.head().seq:
            raise NotALedger(EMPTY)
        tick("copying the ledger")
        copy_compact(store.file, partial)
    finally:
        store.close()


def _waiting_posts(directory: Path) -> list[str]:
    """The ids of the posts in a spool."""
    try:
        spool = Spool.open(directory)
    except OSError:
        return []
    if spool is None:
        return []
    try:
        return [id_in(name) for name in spool.look().posts]
    except OSError:
        return []
    finally:
        spool.close()
