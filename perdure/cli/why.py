"""`perdure why RUN SEQ`: the evidence for one record, back to the first message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from perdure.cli.options import json_option, name_of, run_argument, view_of
from perdure.cli.recordform import Reader
from perdure.cli.say import fitted, labelled, paint, say, write_answer
from perdure.cli.trace import Teller
from perdure.cli.words import clipped, clock, count
from perdure.ledger import records
from perdure.ledger.blobs import content_digest
from perdure.ledger.jsonform import to_json
from perdure.ledger.records import Record

if TYPE_CHECKING:
    from perdure.runtime.evidence import Evidence
    from perdure.runtime.view import View

HASH_CHARS = 12  # of a hash or digest shown to people
CAUSES_SHOWN_MAX = 12
GRANTS = "not enforced yet"


@click.command("why")
@run_argument
@click.argument("seq", type=click.IntRange(1), metavar="SEQ")
@json_option
def command(run: str, seq: int, as_json: bool) -> None:
    """Show the evidence for record SEQ of RUN: why it is there.

    The goal of the run; the message that it is about; what the actor proposed, and what the kernel
    let it; the hashes of all that it knew; and the records that led to it, back to the first
    message. Only what is in the journal is said.
    """
    with view_of(run) as view:
        from perdure.runtime.evidence import evidence

        found = evidence(view, seq)
        reader = Reader(view)
        if as_json:
            write_answer({"run": name_of(view.directory), **_form(view, reader, found)})
            return
        for line in _lines(view, Teller(reader, view.run.time, 0), reader, found):
            say(fitted(line))


def _lines(view: View, teller: Teller, reader: Reader, found: Evidence) -> Iterator[str]:
    record = found.record
    body: Any = record.body
    yield labelled(f"record {record.seq}", f"  {_what(reader, record)}, {_when(view, record)}")
    yield labelled("goal", view.run.goal or "none was given")
    if found.input is not None:
        message = clipped(reader.said(*found.input.id))
        sender = reader.address(found.input.sender) or "outside"
        yield labelled("message", f"{found.input.id} {message} from {sender}")
    parts = teller.parts(record)
    yield from _several("proposal", parts[1:] if isinstance(body, records.Turn) else parts)
    yield from _several("chosen", _chosen(body))
    yield from _several("steps", _steps(teller, found))
    yield from _several("policy", _policy(view, found))
    yield from _several("inputs", _inputs(found))
    yield labelled("hash", _short(record.hash))
    yield from _several("because", _causes(view, teller, reader, found))


def _several(label: str, lines: list[str]) -> Iterator[str]:
    """Lines under one label."""
    for number, line in enumerate(lines):
        yield labelled("" if number else label, line)


def _what(reader: Reader, record: Record) -> str:
    kind = type(record.body).__name__.lower()
    who = reader.actor_of(record)
    incarnation = getattr(record.body, "incarnation", 0)
    life = f", incarnation {incarnation}" if incarnation else ""
    return f"{kind} of {paint(who, 'cyan')}{life}" if who else f"{kind}, of the run itself"


def _when(view: View, record: Record) -> str:
    return clock(record.body.time - view.run.time)


def _short(hash: bytes) -> str:
    return hash.hex()[:HASH_CHARS]


def _chosen(body: records.Body) -> list[str]:
    """How the scheduler came to it."""
    if not isinstance(body, records.Turn):
        return []
    cost, seconds, index = body.sched
    attempt = f"attempt {body.attempt}, took {body.took / 1e6:.1f} ms"
    if not index:
        return [f"{attempt}; of the control lane, which goes first"]
    return [f"{attempt}; index {index:g}: cost {cost:g} over {seconds:g} s expected"]


def _steps(teller: Teller, found: Evidence) -> list[str]:
    """Each record of a step, with what it knew, or how long it waited."""
    began = {step.body.key: step for step in found.steps if isinstance(step.body, records.Ask)}
    answered, lines = dict(found.answers), []
    for step in found.steps:
        parts = [f"{step.seq}  {type(step.body).__name__.lower()}  {teller.told(step)}"]
        parts += _hashes(step.body)
        key = getattr(step.body, "key", "")
        if isinstance(step.body, records.Ask) and key in answered:
            parts.append(f"answered by record {answered[key]}")
        elif isinstance(step.body, records.Result) and key in began:
            waited = (step.body.time - began[key].body.time) / 1e9
            parts.append(f"waited {waited:.2f} s")
        lines.append("; ".join(parts))
    return lines if found.is_whole else ["(only the nearest records were looked at)", *lines]


def _hashes(body: records.Body) -> list[str]:
    """Digests of what a step was asked with, and of its result."""
    match body:
        case records.Ask() if body.digest:
            return [f"asked {_short(body.digest)}"]
        case records.Result():
            result = f"result {_short(content_digest(body.value))}"
            return [f"arguments {_short(body.digest)}, {result}" if body.digest else result]
        case _:
            return []


def _policy(view: View, found: Evidence) -> list[str]:
    tokens = _tokens(view, found)
    lines = [f"grants: {GRANTS}"]
    if tokens["reserved"] or tokens["spent"]:
        limit = tokens["limit"]
        of = "no limit" if limit is None else f"a limit of {limit:,}"
        held = f"{count(tokens['reserved'], 'token')} reserved, {tokens['spent']:,} spent"
        lines.append(f"budget: admitted, {held}, under {of}")
    return lines


def _tokens(view: View, found: Evidence) -> dict[str, Any]:
    """What the steps of this message were admitted with, and cost, up to the record."""
    reserved = spent = 0
    for step in (*found.steps, found.record):
        body = step.body
        if isinstance(body, records.Intent):
            reserved += body.tokens
        elif isinstance(body, records.Result):
            spent += body.tokens
    return {"reserved": reserved, "spent": spent, "limit": view.run.tokens_limit}


def _inputs(found: Evidence) -> list[str]:
    lines = []
    if found.before is not None and found.after is not None:
        kept = found.before == found.after
        change = "and is so after it" if kept else f"after it {_short(found.after)}"
        lines.append(f"state {_short(found.before)}, {change}")
    if found.input is not None:
        lines.append(f"message {found.input.id} {_short(found.input.digest)}")
    own = _hashes(found.record.body)
    return [*lines, *(f"step {hashes}" for hashes in own)]


def _causes(view: View, teller: Teller, reader: Reader, found: Evidence) -> list[str]:
    shown = list(found.causes)
    left_out = found.left_out
    if len(shown) > CAUSES_SHOWN_MAX:
        left_out += len(shown) - CAUSES_SHOWN_MAX
        shown = [*shown[: CAUSES_SHOWN_MAX - 1], shown[-1]]
    lines = []
    for number, record in enumerate(shown, 1):
        if left_out and number == len(shown):
            lines.append(paint(f"… {left_out:,} more", dim=True))
        kind, who = type(record.body).__name__.lower(), reader.actor_of(record)
        name = who if kind == "turn" else f"{who} {kind}".strip()
        place = paint(f"{record.seq:>6}  {_when(view, record)}", dim=True)
        lines.append(f"{place}  {paint(name, 'cyan')}  {teller.told(record)}")
    if not found.is_complete:
        lines.append(paint("(answers further back were not looked for)", dim=True))
    return lines or ["nothing in this run led to it"]


def _form(view: View, reader: Reader, found: Evidence) -> dict[str, Any]:
    """The evidence, for JSON."""
    start = view.run.time
    form: dict[str, Any] = {
        "goal": view.run.goal,
        "record": reader.form(found.record, start),
        "policy": {"grants": GRANTS, "tokens": _tokens(view, found)},
    }
    if found.before is not None and found.after is not None:
        form["state"] = {"before": found.before.hex(), "after": found.after.hex()}
    if found.input is not None:
        form["message"] = {
            "id": str(found.input.id),
            "from": reader.address(found.input.sender),
            "message": to_json(view.message(found.input.id)),
            "digest": found.input.digest.hex(),
        }
    form["steps"] = [reader.form(step, start) for step in found.steps]
    form["steps_complete"] = found.is_whole
    form["causes"] = [reader.form(each, start) for each in found.causes]
    form["causes_left_out"] = found.left_out
    form["causes_complete"] = found.is_complete
    form["answers"] = dict(found.answers)
    return form
