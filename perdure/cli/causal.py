"""`perdure trace RUN --causal`: what led to what, as trees."""

from __future__ import annotations

from typing import Any, Protocol

from perdure.cli.options import name_of
from perdure.cli.recordform import Reader
from perdure.cli.say import fitted, note, paint, say, write_answer, write_json
from perdure.errors import Compacted
from perdure.ledger.causes import Causes, Stamp
from perdure.ledger.forest import Branch, Forest, Keep
from perdure.ledger.records import Record

DEPTH_MAX = 12  # of a tree: deeper, and lines begin where the terminal ends
PLAIN = ("turn", "birth")
"""Kinds that a line need not name."""


class Tells(Protocol):
    """Who puts a record in words."""

    def kind(self, record: Record) -> str: ...

    def told(self, record: Record) -> str: ...


def show(
    reader: Reader, tells: Tells, actor: str | None, first: int, last: int | None, as_json: bool
) -> None:
    """Write the records from `first` to `last`: trees for people, stamps for programs."""
    view: Any = reader.view
    cut = view.head.cut
    if first <= cut:
        raise Compacted(first, cut)
    causes, forest = Causes(), Forest(cut + 1)
    end = view.head.seq if last is None else min(last, view.head.seq)
    wanted = bytearray(end + 1)
    for record in view.records(cut + 1, end):
        stamp = causes.add(record)
        forest.add(stamp)
        if record.seq >= first and (actor is None or reader.actor_of(record) == actor):
            wanted[record.seq] = 1
            if as_json:
                write_json(_form(reader, record, stamp, view.run.time))
    if as_json:
        write_answer({"run": name_of(view.directory), "records": sum(wanted)})
        return

    if not any(wanted):
        note(f"no such records: the journal has records 1 to {view.head.seq:,}.")
        return

    def is_wanted(seq: int) -> bool:
        return wanted[seq] == 1

    _draw(reader, tells, forest, is_wanted if actor is None else forest.around(is_wanted))


def _draw(reader: Reader, tells: Tells, forest: Forest, keep: Keep) -> None:
    was_tree = False
    say(paint(f"{'record':>6}  {'clock':>5}", dim=True))
    for branch in forest.draw(keep, DEPTH_MAX):
        if branch.is_root and was_tree:
            say()
        was_tree = not branch.is_root
        record = reader.view.record(branch.seq)
        place = paint(f"{branch.seq:>6}  {forest.clocks[branch.seq]:>5}", dim=True)
        line = f"{place}  {branch.stem}{_who(reader, tells, record, branch, forest)}"
        say(fitted(f"{line}  {tells.told(record)}".rstrip()))


def _who(reader: Reader, tells: Tells, record: Record, branch: Branch, forest: Forest) -> str:
    """Whose record it is, of what kind, and what led to it if that is drawn elsewhere."""
    who, above = reader.actor_of(record), forest.parents[branch.seq]
    parts = [paint(f"because of {above}:", dim=True)] if branch.is_root and above else []
    parts += [paint(who, "cyan")] if who else []
    if not who or type(record.body).__name__.lower() not in PLAIN:
        parts.append(tells.kind(record))
    return " ".join(parts)


def _form(reader: Reader, record: Record, stamp: Stamp, start_ns: int) -> dict[str, Any]:
    """A record's stamp, and what it says, for JSON."""
    form: dict[str, Any] = {
        "seq": stamp.seq,
        "agent": reader.actor_of(record),
        "number": stamp.number,
        "clock": stamp.clock,
        "cause": stamp.cause or None,
        "after": list(stamp.after),
    }
    return form | {"record": reader.form(record, start_ns)}
