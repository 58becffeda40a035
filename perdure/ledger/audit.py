"""The audit of a whole ledger: does every table say what the journal says, and does that hold?

Pure: records and rows come in, what is wrong goes out. It reads the journal from the start, or from
the base that compaction left.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from perdure.ledger.blobs import ReadBlob, digest_of, references, size_of
from perdure.ledger.compacted import beginning, wrong_before
from perdure.ledger.fold import Fold
from perdure.ledger.folded import Violation
from perdure.ledger.group import Row, Store
from perdure.ledger.journal import read_record
from perdure.ledger.keys import Table
from perdure.ledger.records import Record
from perdure.ledger.rowaudit import CHECKS, expected
from perdure.ledger.stateaudit import States


def audit(
    records: Iterable[Record],
    table_rows: Iterable[Row],
    blobs: Container[bytes] | None = None,
    read_blob: ReadBlob = lambda digest: None,
    fold: Fold | None = None,
) -> list[Violation]:
    """What is wrong with a ledger, in the order of its records; nothing, if it is whole.

    `table_rows` are all rows of all tables, in order; `blobs`, if given, the digests of those there
    are, and `read_blob` reads one. `fold` is what was before `records`, and is folded on.

    - A message is consumed by exactly one closed turn or dies by one crash, or it waits in an
      inbox, on a timer or as a dead letter. Messages of one pair in a lane keep their order.
    - Only the living incarnation ends a turn. State hashes follow from deltas.
    - Tokens spent and reserved never exceed the limit, and only open steps reserve any.
    - Time does not go back, seqs have no gap.
    - Every table is the fold of the journal. Every blob that a record refers to is there.

    >>> audit([], [])
    []
    """
    fold = Fold() if fold is None else fold
    for record in records:
        fold.add(record)
        if blobs is not None:
            for reference in references(record.body):
                if digest_of(reference) not in blobs:
                    text = f"a value of {size_of(reference):,} bytes is not in the ledger"
                    fold.violations.append(Violation(record.seq, text))
    if blobs is not None:
        for path, artifact in fold.artifacts.items():
            if artifact[0] not in blobs:
                text = f"the bytes of artifact {path} are not in the ledger"
                fold.violations.append(Violation(artifact[2], text))
    if fold.reserved != fold.steps.reserved:
        text = f"{fold.reserved} tokens are reserved, and open steps reserve {fold.steps.reserved}"
        fold.violations.append(Violation(fold.seq, text))
    wrong = [*fold.violations, *compare(fold, table_rows, States(fold, read_blob))]
    return sorted(wrong, key=lambda each: each.seq)


def audit_store(store: Store) -> list[Violation]:
    """The audit of a store to which nothing is committed meanwhile."""
    fold, blobs = beginning(store), set(store.digests())
    before = wrong_before(store, blobs)
    records = (read_record(raw) for raw in store.records(fold.seq + 1))
    return [*before, *audit(records, store.scan(b""), blobs, store.blob, fold)]


def compare(fold: Fold, table_rows: Iterable[Row], states: States) -> Iterator[Violation]:
    """Each row against the fold, then what has no row and should."""
    missing = expected(fold)
    for key, value in table_rows:
        check = CHECKS.get(key[0])
        if key[0] == Table.STATE:
            wrong = states.state(key, value)
        elif key[0] == Table.DELTA:
            wrong = states.delta(key, value)
        else:
            wrong = "there is no such table" if check is None else check(fold, key, value)
        if wrong is not None:
            yield Violation(fold.seq, f"a row of {_table(key)} is wrong: {wrong}")
        missing.pop(key, None)
    for text in states.rest():
        yield Violation(fold.seq, f"a row of table STATE is wrong: {text}")
    for key, what in missing.items():
        yield Violation(fold.seq, f"{_table(key)} has no row of {what}")


def _table(key: bytes) -> str:
    return f"table {Table(key[0]).name}" if key[0] in set(Table) else f"table {key[0]}"
