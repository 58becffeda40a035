"""`perdure trace RUN`: what happened, record by record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from perdure.actors.calls import in_words
from perdure.cli.options import json_option, name_of, run_argument, view_of
from perdure.cli.recordform import Reader
from perdure.cli.say import fitted, note, paint, say, write_answer, write_json
from perdure.cli.words import at_level, clipped, clock, count, size, written
from perdure.ids import MessageId
from perdure.ledger import records
from perdure.ledger.records import Life, Record, Send

COLOURS = {
    "crash": "red",
    "stall": "red",
    "late": "yellow",
    "status": "green",
    "birth": "cyan",
    "fork": "cyan",
    "cancel": "red",
}
SENDS_SHOWN_MAX = 3

Living = records.Turn | records.Crash | records.Cancel | records.Verdict
"""Records that change lives."""


@click.command("trace")
@run_argument
@click.option("--actor", metavar="ADDRESS", help="Only what concerns this actor.")
@click.option("--first", type=click.IntRange(1), metavar="SEQ", help="From this record.")
@click.option("--last", type=click.IntRange(1), metavar="SEQ", help="To this record.")
@click.option("--causal", is_flag=True, help="What led to what, instead of when.")
@json_option
def command(
    run: str, actor: str | None, first: int | None, last: int | None, causal: bool, as_json: bool
) -> None:
    """Show the journal of RUN, a line for each record. The run may be going on.

    A line says when, what kind of record, of which actor, and what it did: the message that a turn
    handled, what it sent, which fields it changed.

    With --causal, each record stands below the one that sent the message it is about, beside its
    Lamport clock: greater than that of all that happened before. --actor then shows that actor's
    records, what led to them, and what they led to at once.
    """
    with view_of(run) as view:
        if actor is not None:
            view.find(actor)
        start_ns, reader, found = view.run.time, Reader(view), 0
        if first is None:
            first = view.head.cut + 1
            if first > 1 and not as_json:
                note(f"the ledger was compacted: records up to {view.head.cut:,} are gone")
        if causal:
            from perdure.cli.causal import show

            show(reader, Teller(reader, start_ns, 0), actor, first, last, as_json)
            return
        teller = Teller(reader, start_ns, max(len(each.address) for each in view.actors()))
        for record in view.records(first, last):
            if actor is not None and not reader.concerns(record, actor):
                continue
            found += 1
            if as_json:
                write_json(reader.form(record, start_ns))
            else:
                say(fitted(teller.line(record)))
        if as_json:
            write_answer({"run": name_of(view.directory), "records": found})
        elif not found:
            note(f"no such records: the journal has records 1 to {view.head.seq:,}.")


class Teller:
    """Tells records in lines."""

    def __init__(self, reader: Reader, start_ns: int, columns: int) -> None:
        self._reader = reader
        self._start_ns = start_ns
        self._columns = min(columns, 40)

    def line(self, record: Record) -> str:
        """The line of a record."""
        body, kind = record.body, type(record.body).__name__.lower()
        time = paint(clock(body.time - self._start_ns), dim=True)
        who = f"{self._reader.actor_of(record):<{self._columns}}"
        label = paint(f"{kind:<7}", COLOURS.get(kind))
        return f"{record.seq:>6}  {time}  {label} {who}  {self.told(record)}".rstrip()

    def kind(self, record: Record) -> str:
        """What kind of record it is."""
        kind = type(record.body).__name__.lower()
        return paint(kind, COLOURS.get(kind))

    def told(self, record: Record) -> str:
        """What a record says, in words."""
        new = [paint("new", "green")] if self._reader.is_new_call(record) else []
        return "; ".join([*new, *self.parts(record)])

    def parts(self, record: Record) -> list[str]:
        """What a record says, one thing after the other; a turn's first is its message."""
        return [part for part in (*self._said(record.body), *self._sent(record)) if part]

    def _message(self, id: tuple[int, int]) -> str:
        return f"{MessageId(*id)} {self._reader.said(*id)}"

    def _said(self, body: records.Body) -> Iterator[str]:
        match body:
            case records.Run():
                yield f"{body.scenario}, seed {body.seed}"
            case records.Open():
                yield f"process {body.pid}, perdure {body.version}"
                yield at_level(body.durability)
                yield from (
                    f"was running: {self._message(id)}" for _, *id in body.interrupted or ()
                )
            case records.Birth():
                yield f"a {body.class_name} below {self._reader.address(body.parent) or 'nobody'}"
            case records.Turn():
                yield from self._turn(body)
            case records.Crash():
                yield f"attempt {body.attempt} at {self._message(body.message)}"
                yield clipped(body.reason)
                yield from self._lives(body)
            case records.Intent():
                call = clipped(in_words(body.name, body.asked))
                yield f"about to {call} ({body.effect}) for {MessageId(*body.message)}"
                yield f"{count(body.tokens, 'token')} reserved" if body.tokens else ""
            case records.Result():
                yield self._result(body)
            case records.Ask():
                yield f"{body.key} while at {self._message(body.message)}"
            case records.Post():
                yield body.origin if not body.verb else f"{body.origin}: {body.verb}"
                yield self._refused(body)
                yield f"again {self._message(body.requeued)}" if body.requeued else ""
            case records.Timer():
                yield f"{self._message(body.timer)} is due"
            case records.Late():
                yield f"{body.what} of incarnation {body.incarnation} changed nothing"
            case records.Release():
                yield f"artifacts/{body.path} is in place"
            case records.Status():
                yield f"{body.status} {body.reason}".strip()
            case _:
                yield from self._from_above(body)

    def _refused(self, body: records.Post) -> str:
        """Why what another process asked for was not done."""
        if body.ok is not False or body.value is None:
            return ""
        return f"refused: {clipped(self._reader.view.codec.decode(body.value)[1])}"

    def _from_above(self, body: records.Body) -> Iterator[str]:
        """What is done to a run from above its actors."""
        match body:
            case records.Stall():
                yield clipped(body.reason)
            case records.Suspend():
                yield "takes messages again" if not body.incarnation else "takes no messages"
            case records.Verdict():
                yield f"verdict: {body.verdict} {body.key or ''}".rstrip()
                yield from self._lives(body)
            case records.Cancel():
                yield from self._lives(body)
            case records.Fork():
                yield f"of {body.parent.hex()} at record {body.at}; what comes now is new"
                yield from (f"{name}={written(value)}" for name, value in body.settings.items())
            case records.Base():
                yield f"compacted up to record {body.at}: {count(body.left, 'row')} of that left"
            case records.Live():
                yield "it may act from here on"
            case records.Reload():
                yield from self._reload(body)
            case records.Keep():
                yield f"goes on with code {body.code_hash.hex()[:12]}: {clipped(body.reason)}"
            case records.Restore():
                yield f"back to {body.rung}, record {body.as_of}" if body.as_of else body.rung
                yield f"{count(body.undone, 'turn')} undone" if body.undone else ""

    def _reload(self, body: records.Reload) -> Iterator[str]:
        scope = ", ".join(self._reader.address(id) for id in body.scope[:SENDS_SHOWN_MAX])
        yield f"code {body.code_hash.hex()[:12]} from here on{f' for {scope}' if scope else ''}"
        for name, before, now in body.versions:
            if before != now:
                yield f"{name} {before or 'new'} → {now or 'gone'}"
        for id, why in body.kept[:SENDS_SHOWN_MAX]:
            yield f"{self._reader.address(id)} keeps the old code: {clipped(why)}"
        if len(body.kept) > SENDS_SHOWN_MAX:
            yield f"and {len(body.kept) - SENDS_SHOWN_MAX:,} more"
        if body.under_way:
            yield f"{count(len(body.under_way), 'turn')} under way"

    def _turn(self, body: records.Turn) -> Iterator[str]:
        yield f"{self._message(body.message)}"
        if body.rejected is not None:
            yield f"rejected: {clipped(body.rejected)}"
        if body.delta:
            yield "sets " + ", ".join(dict.fromkeys(entry[0] for entry in body.delta))
        if body.answer is not None:
            yield "answers" if body.answer[1] else "answers with an error"
        if body.life is not None:
            yield f"is {Life(body.life).name.lower()}"
        for path, _, bytes_ in body.artifacts:
            yield f"makes {path}, {size(bytes_)}"
        if body.marks:
            yield "marks " + ", ".join(body.marks)
        for verb, id, _ in body.watches[:SENDS_SHOWN_MAX]:
            yield f"{verb}s {self._reader.address(id) or 'nobody'}"
        if body.refused:
            yield f"{count(len(body.refused), 'send')} refused by a full inbox"
        if body.finish is not None:
            yield "finishes the run"
        yield from self._lives(body)
        yield from (note for note in body.notes)

    def _lives(self, body: Living) -> Iterator[str]:
        for id, incarnation, life in body.lives[:SENDS_SHOWN_MAX]:
            which = f" (incarnation {incarnation})" if life == Life.STARTING else ""
            yield f"{self._reader.address(id)} is {Life(life).name.lower()}{which}"
        if len(body.lives) > SENDS_SHOWN_MAX:
            yield f"and {len(body.lives) - SENDS_SHOWN_MAX:,} more"
        if body.dead:
            yield paint(count(len(body.dead), "dead letter"), "red")

    def _result(self, body: records.Result) -> str:
        """How a step ended; of waits, and of what a person said, no time was measured."""
        took = f"{body.took / 1e6:.1f} ms" if body.took else ""
        tries = f", try {body.tries}" if body.tries > 1 else ""
        spent = f", {count(body.tokens, 'token')}" if body.tokens else ""
        if body.ok:
            return f"{body.name} {f'took {took}' if took else 'is done'}{tries}{spent}"
        value: Any = self._reader.view.codec.decode(body.value)
        after = f" after {took}" if took else ""
        return f"{body.name} failed{after}{tries}{spent}: {': '.join(map(str, value[:2]))}"

    def _sent(self, record: Record) -> Iterator[str]:
        """What a record sends, equal kinds to one address together."""
        sent: Counter[tuple[str, str]] = Counter()
        for wire in record.body.sends:
            send = Send(*wire)
            name = type(self._reader.view.codec.decode(send.body)).__name__
            to = f"{send.dead[0]}, dead" if send.dead else self._reader.address(send.to)
            sent[name.removeprefix("perdure."), to or "the kernel"] += 1
        for (name, to), number in list(sent.items())[:SENDS_SHOWN_MAX]:
            times = f" ×{number:,}" if number > 1 else ""
            yield f"{paint('→', dim=True)} {name}{times} to {to}"
        if len(sent) > SENDS_SHOWN_MAX:
            more = sum(list(sent.values())[SENDS_SHOWN_MAX:])
            yield f"and {count(more, 'more message', 'more messages')}"
