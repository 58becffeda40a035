"""`perdure gc`: old runs are deleted, whole."""

from __future__ import annotations

import time
from typing import Any

import click

from perdure.cli.options import json_option
from perdure.cli.say import columns, fitted, note, paint, say, write_answer
from perdure.cli.words import count, moment, size
from perdure.errors import UsageError
from perdure.runtime.ages import age
from perdure.runtime.document import shown
from perdure.runtime.home import home
from perdure.runtime.retention import (
    NS,
    OVER,
    STATUSES,
    Verdict,
    bytes_of,
    clear,
    delete,
    judge,
    leftovers,
    standings,
)


@click.command("gc")
@click.option("--keep", type=click.IntRange(0), metavar="N", help="Keep the newest N.")
@click.option("--older-than", metavar="AGE", help="Delete only what ended before: 12h, 30d, 8w.")
@click.option(
    "--status", default=",".join(OVER), show_default=True, help="Which runs: the others stay."
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@json_option
def command(
    keep: int | None, older_than: str | None, status: str, dry_run: bool, as_json: bool
) -> None:
    """Delete runs of the home ($PERDURE_HOME, or .perdure here): at most those that are over.

    Give --keep, --older-than, or both: then a run goes that is none of the newest N and is older,
    too. --status is a list of finished, failed, waiting, interrupted, unreadable. A run that a
    process is at never goes.
    """
    if keep is None and older_than is None:
        raise UsageError("say what is to stay: --keep N, --older-than AGE, or both.")
    statuses = _statuses(status)
    older_ns = None if older_than is None else age(older_than) * NS
    verdicts = judge(standings(), time.time_ns(), keep=keep, older_ns=older_ns, statuses=statuses)
    left = leftovers()
    freed = sum(bytes_of(path) for path in left)
    gone, kept = _apply(verdicts, dry_run)
    freed += sum(each.run.bytes for each in gone)
    if not dry_run:
        for path in left:
            clear(path)
    if as_json:
        about = {"home": str(home()), "dry_run": dry_run, "bytes": freed, "leftovers": len(left)}
        write_answer({**about, "gone": [*map(_form, gone)], "kept": [*map(_form, kept)]})
        return
    for line in columns([_row(each) for each in gone]):
        say(fitted(line))
    if left:
        note(f"{count(len(left), 'deletion')} that had not been finished.")
    what = "would go" if dry_run else "gone"
    kept_text = f"{count(len(kept), 'run')} kept in {shown(home())}"
    say(f"{count(len(gone), 'run')} {what}, {size(freed)}; {kept_text}")


def _statuses(text: str) -> list[str]:
    statuses = [word.strip() for word in text.split(",")]
    for word in statuses:
        if word not in STATUSES:
            raise UsageError(
                f"--status {word!r} is no status of a run that may go. It is a list of "
                f"{', '.join(STATUSES)}, with commas."
            )
    return statuses


def _apply(verdicts: list[Verdict], dry_run: bool) -> tuple[list[Verdict], list[Verdict]]:
    """Delete what goes; those that are gone (or would be), and those that stay."""
    gone, kept = [], []
    for each in verdicts:
        if not each.goes:
            kept.append(each)
        elif dry_run or delete(each.run):
            gone.append(each)
        else:
            kept.append(each._replace(goes=False, why="a process came to it"))
    return gone, kept


def _form(each: Verdict) -> dict[str, Any]:
    run = each.run
    form = {"run": run.directory.name, "status": run.status, "records": run.seq, "why": each.why}
    return {**form, "last_ns": run.last_ns, "bytes": run.bytes}


def _row(each: Verdict) -> list[str]:
    run = each.run
    last = f"last record {moment(run.last_ns)}" if run.seq else "no record that can be read"
    return [run.directory.name, paint(run.status, dim=True), last, size(run.bytes)]
