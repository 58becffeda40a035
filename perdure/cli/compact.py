"""`perdure compact RUN`: what was before a point goes, but for what somebody may still need."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perdure.cli.options import json_option, name_of, run_argument
from perdure.cli.say import labelled, note, say, write_answer
from perdure.cli.words import count
from perdure.errors import NotTaken, UsageError
from perdure.ledger.presence import is_owned
from perdure.runtime.ages import age
from perdure.runtime.compact import (
    Compacted,
    compact,
    compact_live,
    cut_at_end,
    cut_before,
    cut_keeping_age,
    cut_keeping_turns,
)
from perdure.runtime.home import find_run
from perdure.runtime.view import View

if TYPE_CHECKING:
    from perdure.ledger.compaction import Progress

STAGES = {"fold": "folding", "drop": "dropping", "shrink": "giving back pages"}


@click.command("compact")
@run_argument
@click.option("--before", metavar="POINT", help="Keep all from here on: SEQ, mark or time.")
@click.option("--keep-turns", type=click.IntRange(0), metavar="N", help="Keep the last N turns.")
@click.option("--keep-age", metavar="AGE", help="Keep what is younger: 45s, 30m, 12h, 7d, 4w.")
@click.option("--drop-posts", is_flag=True, help="Forget what became of old posts.")
@click.option("--drop-dead", is_flag=True, help="Drop old dead letters too.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@json_option
def command(
    run: str,
    before: str | None,
    keep_turns: int | None,
    keep_age: str | None,
    drop_posts: bool,
    drop_dead: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Drop the records of RUN before a point; without one, all up to now.

    The state of every actor stays, and what waits, dead letters, and marks: they can be restored
    and forked from as before. The ledger is checked as it is folded, and stays verifiable. What was
    before can no longer be traced, replayed or forked at, but for marks. A process may be at RUN:
    it goes on meanwhile, and its file does not get smaller, but does not grow either.
    """
    directory = find_run(run)
    with View(directory) as view:
        if not view.head.seq:
            view.lineage  # noqa: B018 - raises: it is empty
        at, cut = _cut(view, before, keep_turns, keep_age), view.head.cut
        if (before, keep_turns, keep_age) == (None, None, None) and (drop_posts or drop_dead):
            at = view.head.seq  # even if it is only the word of the last compaction
    if at < 1:
        raise UsageError("there is nothing before that point: the run would keep all it has.")
    _check_again(at, cut, forgets=drop_posts or drop_dead)
    with _telling(quiet=as_json) as progress:
        if is_owned(directory):
            if drop_posts or drop_dead:
                raise UsageError(
                    "posts and dead letters are dropped only when no process is at the run: stop "
                    "it, or leave --drop-posts and --drop-dead out."
                )
            found = _beside(directory, at, dry_run, progress)
        else:
            found = compact(
                directory, at, posts_until=at if drop_posts else 0,
                dead_until=at if drop_dead else 0, dry_run=dry_run, progress=progress,
            )  # fmt: skip
    if as_json:
        write_answer({"run": name_of(directory), "dry_run": dry_run, **found._asdict()})
    else:
        _show(name_of(directory), found, dry_run)


def _cut(view: View, before: str | None, turns: int | None, keep_age: str | None) -> int:
    if sum(option is not None for option in (before, turns, keep_age)) > 1:
        raise UsageError("give one of --before, --keep-turns and --keep-age.")
    if before is not None:
        return cut_before(view, before)
    if turns is not None:
        return cut_keeping_turns(view, turns) if turns else cut_at_end(view)
    if keep_age is not None:
        return cut_keeping_age(view, age(keep_age), time.time_ns())
    return cut_at_end(view)


def _beside(directory: Path, at: int, dry_run: bool, progress: Progress) -> Compacted:
    """Compact a run that a process is at; or was, if that has ended meanwhile."""
    try:
        return compact_live(directory, at, dry_run=dry_run, progress=progress)
    except (NotTaken, UsageError):
        if is_owned(directory):
            raise
    return compact(directory, at, dry_run=dry_run, progress=progress)


def _check_again(at: int, cut: int, forgets: bool) -> None:
    """Refuse what an earlier compaction leaves nothing of, and say what it leaves."""
    if at <= cut and forgets:
        raise UsageError(
            f"it was compacted up to record {cut:,} before, so --drop-posts and --drop-dead would "
            "drop nothing: they need a later point, or none."
        )
    if at < cut:
        note(f"it was compacted up to record {cut:,} before; what is left over of that goes.")


def _show(name: str, found: Compacted, dry_run: bool) -> None:
    verb = "to drop" if dry_run else "dropped"
    say(labelled("run", f"{name}   up to record {found.at:,} of {found.head:,}"))
    blobs = f", {count(found.blobs, 'blob')}" if found.blobs else ""
    say(labelled(verb, f"{count(found.records, 'record')}{blobs}, {found.bytes:,} bytes"))
    marks = f", {count(found.marks, 'mark')} to go back to" if found.marks else ""
    say(labelled("left", f"{count(found.left, 'row')} before that point{marks}"))
    if found.marks_lost:
        note(f"{count(found.marks_lost, 'mark')} before that point can no longer be used.")
    if not dry_run:
        say(labelled("file", f"{found.file_before:,} bytes, now {found.file_after:,}"))
    if found.why:
        note(f"the file stays as large as it was: {found.why}")


@contextmanager
def _telling(quiet: bool) -> Iterator[Progress]:
    """How far it is, on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        console=console, transient=True, disable=quiet or not console.is_terminal,
    )  # fmt: skip
    with bar:
        tasks = {stage: bar.add_task(text, visible=False) for stage, text in STAGES.items()}

        def tell(stage: str, done: int, total: int) -> None:
            if done == total or done % 1_000 == 0 or stage != "fold":
                bar.update(tasks[stage], completed=done, total=total, visible=True)

        yield tell
