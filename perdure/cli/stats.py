"""`perdure stats RUN`: what turns took, waited for and came to, and whether predictions hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from perdure.cli.options import json_option, name_of, run_argument, view_of
from perdure.cli.say import columns, fitted, note, paint, say, wrapped, write_answer
from perdure.cli.words import clipped, clock, count, span
from perdure.runtime.falsify import HOLDS, WRONG, Line, survey
from perdure.runtime.sketch import Sketch
from perdure.runtime.stats import Calls, Handling, Kind, Stats

ROWS_DEFAULT = 40
REASONS_SHOWN_MAX = 5
HANDLERS = (
    "class", "message", "turns", "attempts", "ok", "took", "p50", "p95", "waited", "p95",
    "for a slot", "p95", "queue", "most",
)  # fmt: skip
TOOLS = ("tool", "calls", "ok", "took", "p50", "p95", "tokens")
CLAIMS = ("prediction", "of", "predicted", "measured", "error", "")
COLOURS = {HOLDS: "green", WRONG: "red"}


@click.command("stats")
@run_argument
@click.option("--falsify", is_flag=True, help="Also compare predictions with what happened.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=ROWS_DEFAULT,
    metavar="N",
    help=f"Show so many kinds of turns and tools, at most: {ROWS_DEFAULT}.",
)
@json_option
def command(run: str, falsify: bool, limit: int, as_json: bool) -> None:
    """Show what the turns of RUN took, by actor class and message type.

    How many attempts closed, how long they took and waited, what they waited for, how long the
    queues were; the same of tools. What took longest comes first. With --falsify: the completion
    times, successes and work that perdure's scheduling and retries rest on, as predicted and as
    measured, and whether each prediction holds within its error.
    """
    with view_of(run) as view:
        name, began_ns = name_of(view.directory), view.run.time
        cut = view.head.cut
        stats = Stats(view.codec.type_name, view.actor, view.run.concurrency)
        lines = survey(view.records(cut + 1), stats)
    handlings = sorted(stats.handlings.items(), key=lambda each: -_spent(each[1]))
    tools = sorted(stats.calls.items(), key=lambda each: -each[1].took.total)
    if as_json:
        write_answer({"run": name, "cut": cut, **_form(stats, handlings[:limit], tools[:limit])} | (
            {"falsify": [line._asdict() for line in lines]} if falsify else {}
        ))  # fmt: skip
        return
    for line in _lines(stats, handlings[:limit], tools[:limit], began_ns):
        say(fitted(line))
    if falsify:
        for line in _claims(lines):
            say(line)
    if cut:
        note(f"the ledger was compacted: these are figures of what comes after record {cut:,}")
    left = len(handlings) + len(tools) - len(handlings[:limit]) - len(tools[:limit])
    if left:
        note(f"… and {left:,} more: --limit {max(len(handlings), len(tools))}")


def _spent(handling: Handling) -> int:
    return handling.service.total + handling.failing.total


def _lines(
    stats: Stats,
    handlings: list[tuple[Kind, Handling]],
    tools: list[tuple[str, Calls]],
    began_ns: int,
) -> Iterator[str]:
    if handlings:
        rows = [_handling(stats, *each) for each in handlings]
        yield from _table(HANDLERS, rows)
    if tools:
        yield ""
        yield from _table(TOOLS, [_calls(*each) for each in tools])
    yield ""
    yield f"  {clock(stats.last_ns - began_ns)}, {_contention(stats)}"
    for (kind, reason), number in stats.reasons.most_common(REASONS_SHOWN_MAX):
        times = count(number, "crash", "crashes")
        yield f"  {times} of {kind.class_name} on {kind.message}: {clipped(reason)}"


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    lines = columns([heads, *rows], gap=2)
    yield paint(lines[0], dim=True)
    yield from lines[1:]


def _handling(stats: Stats, kind: Kind, handling: Handling) -> tuple[str, ...]:
    wait, slot = handling.wait, handling.slot
    return (
        *kind, f"{handling.turns:,}", f"{handling.attempts:,}", _share(handling.success),
        *_times(handling.service), span(wait.mean), span(wait.quantile(0.95)),
        span(slot.mean), span(slot.quantile(0.95)),
        f"{stats.mean_waiting(handling):,.2f}", f"{handling.most_waiting:,}",
    )  # fmt: skip


def _calls(name: str, calls: Calls) -> tuple[str, ...]:
    number = calls.ok + calls.failed
    return (
        name, f"{number:,}", _share(calls.ok / number), *_times(calls.took), f"{calls.tokens:,}"
    )  # fmt: skip


def _times(sketch: Sketch) -> tuple[str, str, str]:
    return span(sketch.mean), span(sketch.quantile(0.5)), span(sketch.quantile(0.95))


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _contention(stats: Stats) -> str:
    slots = f"{count(stats.concurrency, 'slot')} for turns"
    refused = f"{count(stats.refused, 'send')} refused by full inboxes"
    short = f"{stats.short_of_budget:,} short of tokens"
    late = f"{count(stats.late, 'result')} too late"
    return f"{slots}, {refused}, {short}, {late}, {count(stats.stalls, 'stall')}"


def _claims(lines: list[Line]) -> Iterator[str]:
    yield ""
    rows = [_claim(line) for line in lines]
    yield from _table(CLAIMS, rows)
    yield ""
    for line in lines:
        yield from wrapped(f"  {line.claim}: {line.text}", 4)


def _claim(line: Line) -> tuple[str, ...]:
    numbers = (line.predicted, line.measured)
    verdict = paint(line.verdict, COLOURS.get(line.verdict))
    sides = [f"{number:,.4g} {line.unit}" for number in numbers]
    return (line.claim, f"{line.terms:,}", *sides, f"{line.error:,.3g}", verdict)


def _form(
    stats: Stats, handlings: list[tuple[Kind, Handling]], tools: list[tuple[str, Calls]]
) -> dict[str, Any]:
    reasons = stats.reasons.most_common()
    return {
        "seconds": stats.seconds,
        "handlers": [_handling_form(stats, *each) for each in handlings],
        "tools": [_calls_form(*each) for each in tools],
        "contention": {
            "slots": stats.concurrency,
            "refused_sends": stats.refused,
            "short_of_tokens": stats.short_of_budget,
            "late_results": stats.late,
            "stalls": stats.stalls,
        },
        "crashes": [
            {"class": kind.class_name, "message": kind.message, "reason": reason, "count": number}
            for (kind, reason), number in reasons
        ],
        "other_crashes": stats.other_reasons,
    }


def _handling_form(stats: Stats, kind: Kind, handling: Handling) -> dict[str, Any]:
    return {
        "class": kind.class_name,
        "message": kind.message,
        "turns": handling.turns,
        "rejected": handling.rejected,
        "attempts": handling.attempts,
        "crashes": handling.crashes,
        "dead_letters": handling.dead,
        "success": handling.success,
        "service": _times_form(handling.service),
        "failing": _times_form(handling.failing),
        "wait": _times_form(handling.wait),
        "slot_wait": _times_form(handling.slot),
        "queue": {
            "mean": stats.mean_waiting(handling),
            "most": handling.most_waiting,
            "now": handling.waiting,
        },
    }


def _calls_form(name: str, calls: Calls) -> dict[str, Any]:
    number = calls.ok + calls.failed
    return {
        "tool": name,
        "calls": number,
        "ok": calls.ok,
        "failed": calls.failed,
        "success": calls.ok / number,
        "took": _times_form(calls.took),
        "tokens": calls.tokens,
    }


def _times_form(sketch: Sketch) -> dict[str, Any]:
    """In seconds."""
    return {
        "count": sketch.count,
        "mean": sketch.mean / 1e9,
        "p50": sketch.quantile(0.5) / 1e9,
        "p95": sketch.quantile(0.95) / 1e9,
        "max": sketch.most / 1e9,
    }
