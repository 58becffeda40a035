"""A run seen from outside: its ledger read by another process, or after the run is over.

It reads tables, in short transactions, and needs none of the run's code: messages and values come
back as stand-ins that have their names and fields.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from perdure.actors.calls import in_words
from perdure.errors import LedgerDamaged, UnknownActor, UsageError
from perdure.ids import MessageId
from perdure.ledger import keys, rows
from perdure.ledger.group import Head, Store
from perdure.ledger.images import materialise
from perdure.ledger.journal import read_record, send_of, unpack_payload
from perdure.ledger.keys import Table
from perdure.ledger.lineage import Lineage, lineage
from perdure.ledger.messages import suggest
from perdure.ledger.presence import is_owned
from perdure.ledger.records import Intent, Lane, Record, Run
from perdure.ledger.rows import unpack_row
from perdure.ledger.standins import StandInCodec
from perdure.ledger.states import read_state, scan_states
from perdure.ledger.store import open_store
from perdure.limits import SEQ_MAX
from perdure.runtime.doubts import Doubt, doubts
from perdure.runtime.family import Node, family
from perdure.runtime.oldcode import OldCode
from perdure.runtime.points import no_record

NS = 1_000_000_000
OVER = ("finished", "failed", "waiting", "interrupted")
"""The statuses of a run that no process is at."""


class Totals(NamedTuple):
    """What a whole run came to; `tokens_limit` None is no limit."""

    turns: int
    crashed: int
    restarts: int
    dead_letters: int
    tokens_spent: int
    tokens_limit: int | None


class Letter(NamedTuple):
    """A dead letter; `message` is decoded, `time` is ledger time in ns."""

    id: MessageId
    to: str
    message: Any
    reason: str
    attempts: int
    time: int


class Artifact(NamedTuple):
    """Bytes for the outside; `path` is below the run's `artifacts/`."""

    path: str
    size: int
    digest: bytes
    released: bool


class View:
    """A run's ledger, only read: `with View(".perdure/survey-1") as view: view.totals()`.

    It takes a run directory or an open store, which it leaves open. Another process may own the
    ledger meanwhile: each call sees what is durable then. Raises `NotALedger`, `LedgerTooNew`,
    `LedgerDamaged`; calls raise `LedgerDamaged` too.

    >>> from perdure.ledger.memory import MemoryStore
    >>> View(MemoryStore()).totals().turns
    0
    """

    def __init__(self, source: str | Path | Store) -> None:
        if isinstance(source, str | Path):
            self.directory: Path | None = Path(source)
            self.store: Store = open_store(source, write=False)
        else:
            self.directory, self.store = None, source
        self.codec = StandInCodec()
        self.codec.read_blob = self.store.blob

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of a ledger that was given as a directory."""
        if self.directory is not None:
            self.store.close()

    # --- the run as a whole

    @property
    def head(self) -> Head:
        """Where the journal ends."""
        return self.store.head()

    @cached_property
    def lineage(self) -> Lineage:
        """Which run this is, and of which it is a fork."""
        if not self.head.seq:
            raise no_record("1", 0)
        return lineage(self.store)

    @property
    def run(self) -> Run:
        """Run id, scenario, goal, seed, settings; `time` is when it, or what it forked, began."""
        return self.lineage.header

    @property
    def status(self) -> rows.StatusRow:
        """What the run is up to; one whose process died without a word is `interrupted`."""
        raw = self.store.get(keys.STATUS_KEY)
        row = (
            rows.StatusRow("starting", "", None) if raw is None else unpack_row(rows.StatusRow, raw)
        )
        if row.status not in OVER and self.directory is not None and not is_owned(self.directory):
            return rows.StatusRow("interrupted", row.reason or "its process died", row.result)
        return row

    @property
    def result(self) -> Any:
        """What `finish` was called with, decoded; None without a result."""
        data = self.status.result
        return None if data is None else self.codec.decode(data)

    @property
    def budget(self) -> rows.BudgetRow:
        """The run's tokens."""
        raw = self.store.get(keys.BUDGET_KEY)
        return rows.BudgetRow(None, 0, 0) if raw is None else unpack_row(rows.BudgetRow, raw)

    def totals(self, nodes: list[Node] | None = None) -> Totals:
        """Turns, crashes, restarts, dead letters and tokens of all actors there ever were.

        `nodes`, if given, are what `actors()` returned.
        """
        nodes = self.actors() if nodes is None else nodes
        return Totals(
            sum(node.turns for node in nodes),
            sum(node.crashes for node in nodes),
            sum(node.restarts for node in nodes),
            self.dead_letter_count,
            self.budget.spent,
            self.budget.limit,
        )

    @property
    def dead_letter_count(self) -> int:
        """How many dead letters there are, without looking at them."""
        return self.head.counts.get(Table.DEAD, 0)

    # --- actors

    def actors(self) -> list[Node]:
        """Every actor there ever was, in order of birth, without its children."""
        waiting = Counter(
            keys.inbox_id(key)[0]
            for key, _ in self._scan(Table.INBOX)
            if keys.inbox_id(key)[1] == Lane.USER
        )
        states = dict(scan_states(self.store))
        old = OldCode(self.store)
        found = []
        for key, raw in self._scan(Table.ACTOR):
            id = keys.actor_of(key)
            row = unpack_row(rows.ActorRow, raw)
            beside = (states.get(id), waiting[id], self.codec.decode, old.of(id, row))
            found.append(Node.of(id, row, *beside))
        return found

    def tree(self) -> list[Node]:
        """The supervision tree: its root, or nothing when nothing was born yet.

        Children are in start order; those of `spawn` are below the actor that spawned them.
        """
        return family(self.actors())

    def find(self, address: str) -> int:
        """The id of the actor that has, or last had, that address. Raises `UnknownActor`."""
        raw = self.store.get(keys.name_key(address))
        if raw is not None:
            return int.from_bytes(raw, "big")
        known: dict[str, int] = {}
        for key, row in self._scan(Table.ACTOR):
            known[unpack_row(rows.ActorRow, row).address] = keys.actor_of(key)
        if address not in known:
            guess = suggest(address, known)
            raise UnknownActor(
                f"there is no actor {address} in this run.{guess} `perdure tree RUN` lists them."
            )
        return known[address]

    def actor(self, id: int) -> rows.ActorRow:
        """The row of one actor. Raises `UnknownActor`."""
        raw = self.store.get(keys.actor_key(id))
        if raw is None:
            raise UnknownActor(f"there is no actor {id} in this run.")
        return unpack_row(rows.ActorRow, raw)

    def state(self, address: str) -> dict[str, Any]:
        """The committed fields of an actor, by name; no fields for one that had no turn yet."""
        found = read_state(self.store, self.find(address))
        images = found[0].images if found else {}
        return {name: materialise(image, self.codec.decode) for name, image in images.items()}

    # --- messages, artifacts, records

    def message(self, id: tuple[int, int]) -> Any:
        """A message, decoded, from the record that sent it. Raises `LedgerDamaged`."""
        seq, index = id
        raw = self.store.record(seq)
        body = None if raw is None else unpack_payload(seq, raw.kind, raw.payload)
        if body is None or index >= len(body.sends):
            raise LedgerDamaged(f"record {seq} should hold message {MessageId(*id)}.", seq)
        return self.codec.decode(send_of(body, index).body)

    def dead_letters(self) -> Iterator[Letter]:
        """The dead letters, in order of sending."""
        for key, raw in self._scan(Table.DEAD):
            yield self._letter(MessageId(*keys.dead_id(key)), raw)

    def dead_letter(self, id: MessageId) -> Letter:
        """One dead letter. Raises `UsageError` for a message that is none."""
        raw = self.store.get(keys.dead_key(*id))
        if raw is None:
            raise UsageError(f"message {id} is no dead letter. `perdure dead RUN` lists them.")
        return self._letter(id, raw)

    def _letter(self, id: MessageId, raw: bytes) -> Letter:
        row = unpack_row(rows.DeadRow, raw)
        return Letter(id, row.to, self.message(id), row.reason, row.attempts, row.time)

    def doubts(self) -> list[Doubt]:
        """The steps in doubt; while a process is at the run, of stalled actors only."""
        found = list(doubts(self.store))
        if self.directory is None or not is_owned(self.directory):
            return found
        return [doubt for doubt in found if self.actor(doubt.actor).stalled]

    def call(self, intent: int) -> str:
        """The call that a record says was about to happen. Raises `UsageError` for another one."""
        raw = self.store.record(intent) if intent <= SEQ_MAX else None
        body = None if raw is None else unpack_payload(intent, raw.kind, raw.payload)
        if not isinstance(body, Intent):
            raise UsageError(
                f"record {intent} is of no step in doubt. `perdure doubt RUN` lists them."
            )
        return in_words(body.name, body.asked)

    def artifacts(self) -> list[Artifact]:
        """The artifacts, by path; each is `released` once its file is in place."""
        table = self._scan(Table.ARTIFACT)
        found = ((key[1:].decode(), unpack_row(rows.ArtifactRow, raw)) for key, raw in table)
        return [Artifact(path, row.size, row.digest, row.released) for path, row in found]

    @property
    def unreleased_count(self) -> int:
        """How many artifacts are not in place yet."""
        return self.head.counts.get(Table.UNRELEASED, 0)

    def record(self, seq: int) -> Record:
        """One record. Raises `UsageError` for one that there is not, `NotALedger` for none."""
        raw = self.store.record(seq) if 0 < seq <= SEQ_MAX else None
        if raw is None:
            raise no_record(str(seq), self.head.seq)
        return read_record(raw)

    def records(self, first: int = 1, last: int | None = None) -> Iterator[Record]:
        """The records from `first` to `last` or the end."""
        return (read_record(raw) for raw in self.store.records(first, last))

    def _scan(self, table: Table) -> Iterator[tuple[bytes, bytes]]:
        return self.store.scan(bytes([table]))
