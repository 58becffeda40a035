"""`perdure simulate world`: perdure's own code, in a world that a seed moves and attacks."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import click

from perdure.cli.options import json_option
from perdure.cli.say import columns, complain, labelled, note, paint, say, write_answer
from perdure.cli.words import count

EXIT_VIOLATED = 1
SHOWN_MAX = 5
TAIL_LINES = 12
HEADLINES = (
    "commits", "Turn", "Crash", "Birth", "Open", "Post", "Intent", "Result", "Ask", "Timer",
)  # fmt: skip


@click.group("simulate")
def command() -> None:
    """Run perdure's own code where a seed says what happens next, and check it after each event.

    `perdure simulate world` plays worlds; with --json it writes one object.
    """


@command.command("world")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the first.")
@click.option("--seeds", type=click.IntRange(1), default=1, help="How many worlds, one a seed.")
@click.option("--hours", type=float, default=1.0, show_default=True, help="The most of each world.")
@click.option("--until", type=click.IntRange(1), metavar="EVENT", help="Stop there, and show it.")
@click.option("--trace", "trace_file", metavar="FILE", help="Write the events of the last world.")
@json_option
def world(
    seed: int,
    seeds: int,
    hours: float,
    until: int | None,
    trace_file: str | None,
    as_json: bool,
) -> int:
    """Play worlds: actors that crash, tools that fail, disks that refuse, processes that die.

    The same seed is the same world, event for event. Exits 1 at the first world in which something
    that must hold does not, and says how to repeat it.
    """
    from perdure.simulation.world import simulate

    counts: Counter[str] = Counter()
    began, played, outcome = time.monotonic(), 0.0, None
    for number in range(seed, seed + seeds):
        outcome = simulate(number, hours, until or 0)
        counts += outcome.counts
        played += outcome.hours
        if seeds > 1 and not as_json:
            done, took = number - seed + 1, time.monotonic() - began
            note(f"seed {number}: {outcome.events:,} events ({done} of {seeds}, {took:.0f} s)")
        if outcome.violations:
            break
    assert outcome is not None
    if trace_file is not None:
        Path(trace_file).write_text("".join(f"{line}\n" for line in outcome.lines))
    took = time.monotonic() - began
    done = outcome.seed - seed + 1
    if as_json:
        _write(outcome, done, played, took, counts)
    elif outcome.violations:
        _complain(outcome, hours)
    else:
        _tell(outcome, done, played, took, counts, until)
    return EXIT_VIOLATED if outcome.violations else 0


def again(seed: int, hours: float, *more: str) -> str:
    """The command that plays a world again.

    >>> again(7, 1.0)
    'perdure simulate world --seed 7'
    """
    bound = () if hours == 1.0 else (f"--hours {hours:g}",)
    return " ".join((f"perdure simulate world --seed {seed}", *bound, *more))


def _write(outcome: Any, worlds: int, played: float, took: float, counts: Counter[str]) -> None:
    write_answer(
        {
            "seed": outcome.seed,
            "worlds": worlds,
            "ok": not outcome.violations,
            "violations": outcome.violations,
            "digest": outcome.digest,
            "events": outcome.events,
            "hours": played,
            "seconds": took,
            "counts": dict(sorted(counts.items())),
        }
    )


def _complain(outcome: Any, hours: float) -> None:
    complain(f"in the world of seed {outcome.seed}, at event {outcome.events:,}:")
    for text in outcome.violations[:SHOWN_MAX]:
        complain(text)
    for line in outcome.lines[-TAIL_LINES:]:
        note(line)
    note("again: " + again(outcome.seed, hours, f"--trace world-{outcome.seed}.txt"))


def _tell(
    outcome: Any, worlds: int, played: float, took: float, counts: Counter[str], until: int | None
) -> None:
    if until is not None:
        for line in outcome.lines[-TAIL_LINES:]:
            say(line)
        return
    say(labelled("worlds", f"{paint(count(worlds, 'world'), 'green')}, nothing violated"))
    say(labelled("time", f"{played:.2f} simulated hours in {took:.1f} s: {_rate(played, took)}"))
    say(labelled("digest", f"{outcome.digest}   of seed {outcome.seed}"))
    shown = [[name, f"{counts[name]:,}"] for name in HEADLINES]
    rest = sorted(name for name in counts if name not in HEADLINES)
    for line in columns([*shown, *([name, f"{counts[name]:,}"] for name in rest)]):
        say(line)


def _rate(played: float, took: float) -> str:
    return f"{played / max(took, 0.001):.3f} hours a second"
