"""Steps in doubt, found in the tables: about to happen, and nothing says whether they did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from perdure.errors import UsageError
from perdure.ids import MessageId
from perdure.ledger import keys, rows
from perdure.ledger.group import Store
from perdure.ledger.keys import Table
from perdure.ledger.rows import unpack_row
from perdure.ledger.standins import StandInCodec
from perdure.ledger.stepkeys import is_past, last_begun
from perdure.ledger.steprecords import ABANDONED


class Doubt(NamedTuple):
    """One step in doubt; `intent` is the record that says it was about to happen."""

    intent: int
    actor: int
    message: MessageId
    key: str
    effect: str
    reserved: int


def doubts(store: Store) -> Iterator[Doubt]:
    """The steps in doubt, in the order of their tables; tools that are redone are never in doubt.

    In a run that a process works on, what is under way right now is among them.
    """
    codec = StandInCodec()
    codec.read_blob = store.blob
    found: dict[tuple[int, MessageId], dict[str, rows.StepRow]] = {}
    for table_key, raw in store.scan(bytes([Table.STEP])):
        actor, seq, index, key = keys.step_id(table_key)
        steps = found.setdefault((actor, MessageId(seq, index)), {})
        steps[key] = unpack_row(rows.StepRow, raw)
    for (actor, message), steps in found.items():
        begun = last_begun(steps.items())
        for key, row in steps.items():
            if not row.redone and _is_open(key, row, begun, codec):
                yield Doubt(row.intent, actor, message, key, row.effect, row.reserved)


def _is_open(key: str, row: rows.StepRow, begun: dict[str, int], codec: StandInCodec) -> bool:
    if row.phase == "intent":
        return True
    is_abandoned = not row.ok and row.effect and codec.decode(row.value)[0] == ABANDONED
    return bool(is_abandoned) and not is_past(key, row.seq, begun)


def step_of(store: Store, intent: int) -> Doubt:
    """The step in doubt whose intent is that record. Raises `UsageError` if there is none."""
    known = list(doubts(store))
    for doubt in known:
        if doubt.intent == intent:
            return doubt
    others = ", ".join(str(doubt.intent) for doubt in known[:10])
    raise UsageError(
        f"record {intent} is of no step in doubt. "
        + (f"In doubt are {others}." if known else "Nothing of this run is in doubt.")
    )
