"""`perdure replay RUN`: do the recorded turns do the same again?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perdure.cli.options import json_option, name_of, run_argument, view_of
from perdure.cli.say import (
    complain,
    is_terminal,
    labelled,
    note,
    paint,
    say,
    write_answer,
    write_json,
)
from perdure.cli.words import count
from perdure.errors import UsageError

if TYPE_CHECKING:
    from perdure.runtime.replay import Replay

EXIT_DIVERGED = 1
BAR_CELLS = 24
FRAME_SECONDS = 0.1
SKIPPED_SHOWN_MAX = 5


@click.command("replay")
@run_argument
@click.option("--until", metavar="SEQ|TIME|MARK", help="Up to this point of its past.")
@click.option("--step", is_flag=True, help="Walk through it turn by turn.")
@click.option("--actor", metavar="ADDRESS", help="Only the turns of this actor.")
@click.option(
    "--code",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Run the turns with this file, or scenario, instead of the run's own code.",
)
@json_option
def command(
    run: str, until: str | None, step: bool, actor: str | None, code: Path | None, as_json: bool
) -> int:
    """Run the recorded turns of RUN again and compare every state hash and intent.

    Steps are given their recorded results: no tool, model, network or clock is touched, and RUN is
    only read. Exits 0 if all is identical; 1 at the first turn that does something else, which is
    shown with both sides, and when turns could not be run because their class is not in the code.
    """
    if step and as_json:
        raise UsageError("--step is for people: leave out --json.")
    from perdure.runtime.replay import Cast, Replay

    with view_of(run) as view:
        cast = Cast.recorded(view.run) if code is None else Cast.load(code)
        with Replay(view, cast, until=until, actor=actor) as replay:
            if not as_json:
                _begin(replay, name_of(view.directory))
            if step:
                from perdure.cli.walking import walk

                walk(replay)
            else:
                _through(replay, as_json)
            _end(replay, name_of(view.directory), as_json)
            return 0 if replay.is_identical else EXIT_DIVERGED


def _begin(replay: Replay, name: str) -> None:
    from perdure.runtime.document import shown

    path = replay.cast.path
    code = "" if path is None else f"   code {shown(path)}"
    say(
        labelled(
            "replay", f"{name}   seed {replay.view.run.seed}   to record {replay.last:,}{code}"
        )
    )
    if replay.first > 1:
        note(f"it was compacted: turns from record {replay.first:,} on run again")
    if replay.code_changed:
        say(labelled("code", paint("is not what this run began with: it may diverge", "yellow")))
    for seq, digest, later in replay.codes():
        what = f"{digest.hex()[:12]}" if later is None else f"as of a fork: {shown(later)}"
        say(labelled("code", f"from record {seq:,} on{',' if later else ':'} {what}"))


def _through(replay: Replay, as_json: bool) -> None:
    """Run all of it, with a bar if it takes long and somebody looks."""
    bar = Bar(replay) if is_terminal() and not as_json else None
    from perdure.cli.lastscene import Last
    from perdure.cli.scenes import scene_form

    last = Last(replay)
    for scene in replay.scenes():
        if as_json:
            write_json(scene_form(scene))
        else:
            last.see(scene)
        if bar is not None:
            bar.show()
    if bar is not None:
        bar.clear()
    if not as_json:
        last.tell()


def _end(replay: Replay, name: str, as_json: bool) -> None:
    if as_json:
        write_answer(answer_of(replay, name))
        return
    say(summary(replay))
    for reason, number in replay.skipped.most_common(SKIPPED_SHOWN_MAX):
        complain(f"{count(number, 'turn')} not replayed: {reason}")
    if len(replay.skipped) > SKIPPED_SHOWN_MAX:
        complain(f"and for {len(replay.skipped) - SKIPPED_SHOWN_MAX:,} more reasons")


def summary(replay: Replay) -> str:
    """What was replayed, and how it compares, on one line."""
    turns = count(replay.turns, "turn")
    decisions = count(replay.decisions, "decision")
    crashes = count(replay.crashes, "crash", "crashes")
    actors = count(len(replay.actors), "actor")
    text = f"replayed  {turns}, {decisions} of supervisors and {crashes}, of {actors}"
    if replay.diverged is not None:
        return f"{text}: identical up to there, record {replay.diverged.seq:,} differs"
    if replay.skipped:
        return f"{text}: identical, but not all of them could be run"
    same = paint("every state hash and intent identical", "green", bold=True)
    return f"{text}: {same}"


def answer_of(replay: Replay, name: str) -> dict[str, Any]:
    """What came of a replay, for JSON."""
    from perdure.cli.scenes import divergence_form

    diverged = replay.diverged
    return {
        "run": name,
        "identical": replay.is_identical,
        "last": replay.seq,
        "turns": replay.turns,
        "actors": len(replay.actors),
        "crashes": replay.crashes,
        "decisions": replay.decisions,
        "skipped": dict(replay.skipped),
        "code_changed": replay.code_changed,
        "divergence": None if diverged is None else divergence_form(diverged),
    }


class Bar:
    """How far a replay is, on a line of a terminal that is written over."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._next = time.monotonic() + FRAME_SECONDS
        self._is_shown = False

    def show(self) -> None:
        """Write it, unless it was written just now."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next, self._is_shown = now + FRAME_SECONDS, True
        share = self._replay.seq / max(self._replay.last, 1)
        full = round(share * BAR_CELLS)
        bar = paint("━" * full, "cyan") + paint("━" * (BAR_CELLS - full), dim=True)
        turns = count(self._replay.turns, "turn")
        click.echo(f"\r{bar} {share:4.0%}  {turns}\x1b[K", nl=False)

    def clear(self) -> None:
        """Leave nothing of it."""
        if self._is_shown:
            click.echo("\r\x1b[K", nl=False)
