"""`perdure export RUN`: the journal as JSON lines, for whoever audits it elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click

from perdure.cli.exportform import Exporter
from perdure.cli.options import json_option, name_of, run_argument, view_of
from perdure.cli.say import labelled, note, say, write_answer, write_json
from perdure.cli.words import count, size
from perdure.cli.working import working
from perdure.errors import LedgerError, UsageError
from perdure.ledger.compacted import chained
from perdure.ledger.durable import sync_directory
from perdure.ledger.group import RawRecord, Store
from perdure.ledger.scratch import scratch
from perdure.runtime.document import shown
from perdure.runtime.view import View

_TICK_RECORDS = 10_000

Forms = Iterator[dict[str, Any]]


@click.command("export")
@run_argument
@click.option("--to", metavar="FILE", help="Write a new file, whole or not at all.")
@click.option("--after", type=click.IntRange(0), default=0, metavar="SEQ", help="Only later ones.")
@click.option("--actor", metavar="ADDRESS", help="Only what concerns this actor.")
@click.option("--blobs", is_flag=True, help="Large values and artifacts themselves, no references.")
@click.option("--raw", is_flag=True, help="The stored bytes too: they have the hash.")
@json_option
def command(
    run: str,
    to: str | None,
    after: int,
    actor: str | None,
    blobs: bool,
    raw: bool,
    as_json: bool,
) -> None:
    """Write the journal of RUN as JSON lines, one object for each record. RUN may be going on.

    It ends with the record that was the last when it began. docs/export.md has the format, and a
    program that checks the hash chain without perdure.
    """
    with view_of(run) as view:
        name, head = name_of(view.directory), view.head
        if actor is not None:
            view.find(actor)
        forms = _forms(view, Exporter(view, blobs=blobs, raw=raw), actor, after, head.seq)
        said = {"run": name, "last": head.seq, "hash": head.hash.hex(), "cut": head.cut}
        if after < head.cut:
            note(f"the run was compacted: of records 1 to {head.cut:,} only some are left.")
        if to is None:
            records = 0
            for form in forms:
                write_json(form)
                records += 1
            if as_json:
                write_answer({**said, "records": records})
            elif not records:
                note(f"no such records: the journal has records 1 to {head.seq:,}.")
            return
        records = _write(Path(to), forms, name)
    if as_json:
        write_answer({**said, "records": records, "file": to})
        return
    bytes_ = size(Path(to).stat().st_size)
    say(labelled("export", f"{shown(Path(to))}   {count(records, 'record')} of {name}, {bytes_}"))


def _forms(view: View, exporter: Exporter, actor: str | None, after: int, last: int) -> Forms:
    """The forms of the records that are asked for, one at a time."""
    view.run  # noqa: B018 - an empty ledger is refused
    for raw in _records(view.store, after + 1, last):
        if actor is None or exporter.concerns(raw, actor):
            yield exporter.form(raw)


def _records(store: Store, first: int, last: int) -> Iterator[RawRecord]:
    """The records of a range; of a compacted run, those that are left of it."""
    cut = store.head().cut
    if first <= cut:
        left = {int.from_bytes(key, "big"): row for key, row in store.left()}
        yield from (raw for raw in chained(left) if raw.seq >= first)
    yield from store.records(max(first, cut + 1), last)


def _write(target: Path, forms: Forms, name: str) -> int:
    """Write them into a new file that appears when it is durable; how many."""
    parent = target.absolute().parent
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} exists already. Give an export a file that does not.")
    if not parent.is_dir():
        raise UsageError(f"there is no directory {parent} to write an export into. Make it first.")
    with scratch(parent, target.name) as folder, working(name) as tick:
        partial = folder / "export"
        try:
            with partial.open("w", encoding="utf-8") as file:
                records = _lines(file, forms, tick)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(target)
            sync_directory(parent)
        except OSError as error:
            raise LedgerError(
                f"{target} cannot be written: {error.strerror}. Make room."
            ) from error
    return records


def _lines(file: IO[str], forms: Forms, tick: Any) -> int:
    records = 0
    for records, form in enumerate(forms, 1):
        file.write(json.dumps(form, ensure_ascii=False) + "\n")
        if records % _TICK_RECORDS == 0:
            tick(f"{count(records, 'record')} written")
    return records
