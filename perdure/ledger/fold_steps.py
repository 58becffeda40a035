"""The steps of messages, folded: what each turn asked of the outside, and what came back."""

from __future__ import annotations

from hashlib import blake2b

from perdure.ledger.folded import Id
from perdure.ledger.records import Birth
from perdure.ledger.rows import StepRow
from perdure.ledger.steprecords import Ask, Intent, Result

Reply = tuple[int, int, int, str]


class Steps:
    """The steps of every message that waits, by message and key."""

    def __init__(self) -> None:
        self.rows: dict[Id, dict[str, StepRow]] = {}
        self.lost: dict[tuple[Id, str], str] = {}  # answers that are dead letters: why, in words

    def asked(self, seq: int, body: Ask) -> None:
        """An ask was sent; its answer is to come."""
        name = body.key.rpartition("#")[0]
        self._keep(body.message, body.key, StepRow("asked", name, body.digest, False, b"", 0, seq))

    def intended(self, seq: int, body: Intent) -> None:
        """A step is about to happen."""
        row = StepRow("intent", body.name, body.digest, False, b"", body.tokens, seq)
        self._keep(body.message, body.key, row)

    def concluded(self, seq: int, body: Result) -> None:
        """A step ended."""
        row = StepRow("done", body.name, body.digest, body.ok, body.value, 0, seq)
        self._keep(body.message, body.key, row)

    def spawned(self, seq: int, body: Birth) -> None:
        """A turn had a child born."""
        if body.step is not None:
            _, message_seq, index, key = body.step
            digest = blake2b(body.init, digest_size=16).digest()
            row = StepRow("done", key.rpartition("#")[0], digest, False, b"", 0, seq)
            self._keep((message_seq, index), key, row)

    def answered(self, seq: int, reply: Reply, ok: bool, value: bytes) -> None:
        """The answer to an ask is in record `seq`; one that nobody waits for any more is none."""
        _, message_seq, index, key = reply
        row = self.rows.get((message_seq, index), {}).get(key)
        if row is not None and row.phase != "done":
            done = row._replace(phase="done", ok=ok, value=value, reserved=0, seq=seq)
            self._keep((message_seq, index), key, done)

    def died(self, seq: int, reply: Reply, text: str) -> None:
        """What an ask sent became a dead letter."""
        _, message_seq, index, key = reply
        row = self.rows.get((message_seq, index), {}).get(key)
        if row is not None and row.phase != "done":
            self.answered(seq, reply, False, b"")
            self.lost[(message_seq, index), key] = text

    def forget(self, message: Id) -> None:
        """A message is consumed: its steps are history."""
        for key in self.rows.pop(message, ()):
            self.lost.pop((message, key), None)

    def _keep(self, message: Id, key: str, row: StepRow) -> None:
        self.rows.setdefault(message, {})[key] = row
        self.lost.pop((message, key), None)
