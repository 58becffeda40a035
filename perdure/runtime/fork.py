"""Forks: a new ledger that begins with another run's records, and goes its own way from there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from perdure.errors import Broken, LedgerDamaged, UsageError
from perdure.ids import KERNEL_ID
from perdure.ledger.blobs import named_in
from perdure.ledger.durable import settle
from perdure.ledger.fold import Fold
from perdure.ledger.group import Group, RawRecord, Store
from perdure.ledger.journal import pack_payload, read_record, unpack_payload
from perdure.ledger.messages import Names
from perdure.ledger.records import Kind, Lane, Life, Record, Run
from perdure.ledger.store import open_store
from perdure.ledger.tables import tables
from perdure.ledger.values import Codec
from perdure.limits import GROUP_BYTES_MAX, GROUP_RECORDS_MAX
from perdure.mailbox import control
from perdure.mailbox.envelope import Envelope
from perdure.runtime.changes import Change, Changed, changes
from perdure.runtime.points import point
from perdure.runtime.prefix import begin
from perdure.runtime.program import Program
from perdure.runtime.view import View

CONTROL = Codec(Names.of(vars(control)))
"""Reads what supervisors are told, without a run's code."""


class Forked(NamedTuple):
    """A fork that was made: its run id, its parent's, the last record they share, its head."""

    run_id: bytes
    parent: bytes
    at: int
    head: int


def fork(
    directory: str | Path,
    at: int | str,
    to: str | Path,
    *,
    settings: Sequence[str] = (),
    code: str | Path | None = None,
    live: bool = False,
) -> Forked:
    """Make in `to` a run that has the records of the run in `directory` up to `at`, a seq or mark.

    The original is only read, and a process may be at it. `settings` are texts like `"readers=3"`,
    `code` a scenario or a Python file to go on with. The fork is held unless it is `live`: but for
    tools that read, calls wait. Raises `UsageError`, `LedgerDamaged`.
    """
    target = Path(to)
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} exists already. Give a fork a directory that does not.")
    with View(directory) as view:
        seq = point(view, str(at))
        change = _change(view, settings, code)
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        try:
            store = open_store(partial, create=True)
            try:
                made = fork_store(view.store, seq, store, change=change, live=live)
            finally:
                store.close()
            partial.rename(target)  # whole, or not there at all
            settle(target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return made


def fork_store(
    source: Store, at: int, target: Store, *, change: Change | None = None, live: bool = False
) -> Forked:
    """Write into the empty `target` the records of `source` up to `at`, and what makes it a fork.

    Raises `UsageError` for a record that is not there, `Compacted` for one before a cut that has no
    mark, and `LedgerDamaged` when the records contradict each other.
    """
    head = source.head().seq
    if not 1 <= at <= head:
        raise UsageError(f"there is no record {at} to fork at: the run has records 1 to {head}.")
    beginning = begin(source, at)
    fold = beginning.fold
    for group in beginning.groups:
        target.commit(group)
    for group, hash_ in _groups(source, at, fold):
        if target.commit(group).hash != hash_:
            raise Broken(f"the copy of record {target.head().seq} has another hash than it had")
    parent, run_id = fold.pasts.run_id, os.urandom(16)
    change = change or Change.none(View(source))
    group = Group(at + 1, time_ns=fold.time)
    changed = changes(fold, change, source.blob)
    group.blobs.update(changed.blobs)
    own = _own_records(fold, run_id, at, change, changed, live)
    base = [] if beginning.base is None else [(Kind.BASE, (), beginning.base[2:])]
    for kind, sends, fields in [*own, *base]:
        payload = pack_payload((fold.time, sends, *fields))
        group.records.append((kind, payload))
        body = unpack_payload(fold.seq + 1, kind, payload)
        fold.add(Record(fold.seq + 1, b"", body))
    if fold.violations:
        wrong = min(fold.violations, key=lambda each: each.seq)
        raise LedgerDamaged(f"{wrong}. `perdure verify` says more.", wrong.seq)
    group.puts = list(tables(fold, CONTROL, last_words))
    target.commit(group)
    return Forked(run_id, parent, at, target.head().seq)


def last_words(body: bytes) -> str:
    """Why an actor ended, in words, from the message that told its supervisor."""
    return str(CONTROL.decode(body).reason)


def _groups(source: Store, at: int, fold: Fold) -> Iterator[tuple[Group, bytes]]:
    """The records up to `at` with the blobs they name, and the hash of the last of each group."""
    group, size = Group(fold.seq + 1), 0
    for raw in source.records(fold.seq + 1, at):
        record = read_record(raw)
        fold.add(record)
        group.records.append((raw.kind, raw.payload))
        group.time_ns = fold.time
        for digest in named_in(record.body):
            group.blobs[digest] = _blob(source, digest, raw)
        size += len(raw.payload) + sum(map(len, group.blobs.values()))
        if len(group.records) >= GROUP_RECORDS_MAX or size >= GROUP_BYTES_MAX or raw.seq == at:
            yield group, raw.hash
            group, size = Group(raw.seq + 1), 0


def _blob(source: Store, digest: bytes, raw: RawRecord) -> bytes:
    data = source.blob(digest)
    if data is None:
        text = f"blob {digest.hex()}, which record {raw.seq} names, is gone. Restore a backup."
        raise LedgerDamaged(text, raw.seq)
    return data


def _own_records(
    fold: Fold, run_id: bytes, at: int, change: Change, changed: Changed, live: bool
) -> Iterator[tuple[int, tuple[Any, ...], tuple[Any, ...]]]:
    """What a fork's journal says that its parent's does not: kind, sends, fields after them."""
    code = None if change.code is None else str(change.code)
    who = (run_id, fold.pasts.run_id, at, change.settings, code, change.code_hash)
    yield Kind.FORK, (), (*who, changed.inits)
    for fields in changed.restores:
        yield Kind.RESTORE, (), fields
    starts = tuple(_starts(fold))
    if starts:
        yield Kind.POST, starts, ("", "fork", None)
    if live:
        yield Kind.LIVE, (), ()


def _starts(fold: Fold) -> Iterator[tuple[Any, ...]]:
    """What the actor born by the last record is told: its start came with the next one."""
    start = CONTROL.encode(control.Start(1))
    for id, agent in fold.agents.items():
        is_new = agent.life == Life.STARTING and not agent.last and not agent.crashes
        if is_new and (id, Lane.CONTROL) not in fold.lanes:
            send = Envelope(id, start, "Start", agent.parent, lane=int(Lane.CONTROL))
            yield send.wire(KERNEL_ID)


def _change(view: View, settings: Sequence[str], code: str | Path | None) -> Change | None:
    """What the fork has otherwise than its parent; None if nothing."""
    if not settings and code is None:
        return None
    header: Run = view.run
    program = Program.resumed(header, view.lineage.code if code is None else str(code), settings)
    path = view.lineage.code if code is None else str(Path(code).absolute())
    return Change(dict(program.settings), path, program.code_hash, program)
