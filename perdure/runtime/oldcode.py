"""Who goes on with older code than the run's, and why, as its ledger says."""

from __future__ import annotations

from perdure.ledger.fold_code import NO_CODE
from perdure.ledger.group import Store
from perdure.ledger.journal import read_record
from perdure.ledger.keys import CODE_KEY
from perdure.ledger.records import Keep, Life, Reload
from perdure.ledger.rows import ActorRow, CodeRow, unpack_row


def read_code(store: Store) -> CodeRow:
    """Which code a run has run, and since when."""
    raw = store.get(CODE_KEY)
    return NO_CODE if raw is None else unpack_row(CodeRow, raw)


class OldCode:
    """Answers for each actor of a run; a record is read once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.code = read_code(store)
        self._why: dict[int, dict[int, str]] = {}  # by record, then by actor

    def of(self, id: int, row: ActorRow) -> str:
        """Why an actor runs older code; nothing, if it does not."""
        if row.life == Life.ENDED:
            return ""
        if row.kept and row.kept >= self.code.since:
            return self._told(row.kept).get(id, "")
        if row.class_name in self.code.gone and id < self.code.since:
            return "its class is no more in the code"
        return ""

    def _told(self, seq: int) -> dict[int, str]:
        if seq not in self._why:
            raw = self.store.record(seq)
            body = None if raw is None else read_record(raw).body
            found: dict[int, str] = {}
            if isinstance(body, Keep):
                found = {body.actor: body.reason}
            elif isinstance(body, Reload):
                found = dict(body.kept)
            self._why[seq] = found
        return self._why[seq]
