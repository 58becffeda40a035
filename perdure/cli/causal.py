"""`perdure trace RUN --causal`: what led to what, as trees."""

from __future__ import annotations

from typing import Any

from perdure.cli.options import name_of
from perdure.cli.recordform import Reader
from perdure.cli.say import fitted, paint, say, write_answer, write_json
from perdure.cli.trace import COLOURS, Teller
from perdure.ledger.causes import Causes, Stamp
from perdure.ledger.forest import Branch, Forest, Keep
from perdure.ledger.records import Record

DEPTH_MAX = 12  # of a tree: deeper, and lines begin where the terminal ends
PLAIN = ("turn", "birth")
"""Kinds that a line need not name."""


def show(view: Any, actor: str | None, first: int, last: int | None, as_json: bool) -> None:
    """Write the records from `first` to `last`: trees for people, stamps for programs."""
    end = view.head.seq if last is None else min(last, view.head.seq)
    reader, causes, forest = Reader(view), Causes(), Forest()
    wanted = bytearray(end + 1)
    for record in view.records(1, end):
        stamp = causes.add(record)
        forest.add(stamp)
        if record.seq >= first and (actor is None or reader.actor_of(record) == actor):
            wanted[record.seq] = 1
            if as_json:
                write_json(_form(reader, record, stamp, view.run.time))
    if as_json:
        write_answer({"run": name_of(view.directory), "records": sum(wanted)})
        return

    def is_wanted(seq: int) -> bool:
        return wanted[seq] == 1

    _draw(view, reader, forest, is_wanted if actor is None else forest.around(is_wanted))


def _draw(view: Any, reader: Reader, forest: Forest, keep: Keep) -> None:
    teller, was_tree = Teller(reader, view.run.time, 0), False
    say(paint(f"{'record':>6}  {'clock':>5}", dim=True))
    for branch in forest.draw(keep, DEPTH_MAX):
        if branch.is_root and was_tree:
            say()
        was_tree = not branch.is_root
        line = _line(teller, reader, view.record(branch.seq), branch, forest)
        say(fitted(line))


def _line(teller: Teller, reader: Reader, record: Record, branch: Branch, forest: Forest) -> str:
    kind = type(record.body).__name__.lower()
    who = reader.actor_of(record)
    parts = [] if kind in PLAIN and who else [paint(kind, COLOURS.get(kind))]
    if who:
        parts.insert(0, paint(who, "cyan"))
    above = forest.parents[branch.seq]
    if branch.is_root and above:
        parts.insert(0, paint(f"because of {above}:", dim=True))
    place = paint(f"{branch.seq:>6}  {forest.clocks[branch.seq]:>5}", dim=True)
    return f"{place}  {branch.stem}{' '.join(parts)}  {teller.told(record)}".rstrip()


def _form(reader: Reader, record: Record, stamp: Stamp, start_ns: int) -> dict[str, Any]:
    """A record's stamp, and what it says, for JSON."""
    form: dict[str, Any] = {
        "seq": stamp.seq,
        "agent": reader.actor_of(record),
        "count": stamp.count,
        "clock": stamp.clock,
        "cause": stamp.cause or None,
        "after": list(stamp.after),
    }
    return form | {"record": reader.form(record, start_ns)}
