"""`perdure doctor [RUN]`: is this machine, and this run, as it should be?"""

from __future__ import annotations

from pathlib import Path

import click

from perdure.cli.options import json_option, name_of
from perdure.cli.say import paint, say, wrapped, write_answer
from perdure.cli.words import count
from perdure.cli.working import working
from perdure.runtime.checkup import check_machine
from perdure.runtime.document import shown
from perdure.runtime.findings import OK, PROBLEM, WARNING, Finding
from perdure.runtime.home import find_run, home
from perdure.runtime.retention import leftovers
from perdure.runtime.runcheckup import check_run

EXIT_PROBLEM, EXIT_DAMAGED = 1, 3
_SIGNS = {OK: ("✓", "green"), WARNING: ("!", "yellow"), PROBLEM: ("✗", "red")}
_LABEL = 14


@click.command("doctor")
@click.argument("run", metavar="[RUN]", required=False)
@json_option
def command(run: str | None, as_json: bool) -> int:
    """Look at this machine, and at RUN: versions, disk, locks, clock, readers, posts, the ledger.

    Each finding is ok, a warning or a problem, with the way out. Exits 1 for problems, 3 if RUN's
    ledger is damaged. RUN may be going on.
    """
    directory = None if run is None else find_run(run)
    name = "" if directory is None else name_of(directory)
    with working(name or "doctor") as tick:
        of_run = [] if directory is None else check_run(directory, tick)
        place = _existing(home() if directory is None else directory)
        found = [*check_machine(place), *_home(), *of_run]
    worst = [each for each in found if each.verdict == PROBLEM]
    if as_json:
        findings = [each._asdict() for each in found]
        write_answer(
            {"run": name or None, "place": str(place), "ok": not worst, "findings": findings}
        )
    else:
        _tell(found, name, place)
    if any(each.damage for each in worst):
        return EXIT_DAMAGED
    return EXIT_PROBLEM if worst else 0


def _existing(path: Path) -> Path:
    """A folder, or the one above it that is there."""
    path = path.absolute()
    return next((each for each in (path, *path.parents) if each.is_dir()), Path("/"))


def _home() -> list[Finding]:
    """What is left over in the home; nothing, as a rule."""
    left = leftovers()
    if not left:
        return []
    text = f"{count(len(left), 'deletion')} of runs not finished"
    return [Finding("home", WARNING, text, "`perdure gc --keep N` clears up.")]


def _tell(found: list[Finding], name: str, place: Path) -> None:
    say(f"{paint('doctor', bold=True)}    {name or shown(place)}")
    say()
    for each in found:
        for line in _lines(each):
            say(line)
    say()
    counts = [sum(each.verdict == verdict for each in found) for verdict in _SIGNS]
    parts = [f"{counts[0]} ok", count(counts[1], "warning"), count(counts[2], "problem")]
    colours = ("green", "yellow" if counts[1] else None, "red" if counts[2] else None)
    say("  " + "   ".join(paint(part, colour) for part, colour in zip(parts, colours, strict=True)))


def _lines(each: Finding) -> list[str]:
    sign, colour = _SIGNS[each.verdict]
    indent = _LABEL + 4
    label = f"  {paint(sign, colour, bold=True)} {paint(f'{each.about:<{_LABEL}}', dim=True)}"
    lines = wrapped(f"{label}{each.text}", indent)
    if each.way and each.verdict != OK:
        lines += wrapped(f"{' ' * indent}{paint('→', colour)} {each.way}", indent + 2)
    return lines
