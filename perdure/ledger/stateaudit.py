"""The audit of states: do the rows of each actor, taken together, say what its deltas came to?

Pure: rows come in in the order of their keys, and what is wrong with them goes out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from perdure.errors import LedgerDamaged
from perdure.ledger.blobs import ReadBlob
from perdure.ledger.fold import Fold
from perdure.ledger.folded import Agent
from perdure.ledger.images import Image, materialise, read_images
from perdure.ledger.jsonform import to_json
from perdure.ledger.keys import actor_of, delta_id
from perdure.ledger.rows import DeltaRow, StateRow, unpack_row
from perdure.ledger.standins import StandInCodec
from perdure.ledger.states import follow

Differences = Iterator[tuple[str, object, object]]
"""(what, as the rows have it, as the journal has it)."""


class States:
    """The rows of tables STATE and DELTA, against the fold of the journal."""

    def __init__(self, fold: Fold, read_blob: ReadBlob) -> None:
        self.fold = fold
        self._codec = StandInCodec()
        self._codec.read_blob = read_blob
        self._snapshots: dict[int, StateRow] = {}  # of large states, brought up by their deltas

    def state(self, key: bytes, value: bytes) -> str | None:
        """What is wrong with a row of STATE; a snapshot is judged at the end."""
        actor, row = actor_of(key), unpack_row(StateRow, value)
        row = row._replace(images=read_images(row.images))
        if row.is_snapshot:
            self._snapshots[actor] = row
            return None
        return self._judge(actor, row)

    def delta(self, key: bytes, value: bytes) -> str | None:
        """What is wrong with a row of DELTA, by itself."""
        (actor, seq), delta = delta_id(key), unpack_row(DeltaRow, value)
        row = self._snapshots.get(actor)
        if row is None:
            return f"actor {actor} has no snapshot that it could follow"
        if delta.previous != row.seq:
            return f"it follows record {delta.previous}, and the rows before it end at {row.seq}"
        try:
            self._snapshots[actor] = follow(row, seq, delta)
        except (LookupError, ValueError) as error:
            return f"it does not fit its snapshot: {error!r}"
        return None

    def rest(self) -> Iterator[str]:
        """What is wrong with large states, once all of their rows were seen."""
        for actor, row in self._snapshots.items():
            wrong = self._judge(actor, row)
            if wrong is not None:
                yield wrong

    def _judge(self, actor: int, row: StateRow) -> str | None:
        agent = self.fold.agents.get(actor, Agent("?", "?", 0, 0, 0))
        wrong = [
            f"{part} {said!r}, and the journal {true!r}"
            for part, said, true in self._differences(row, agent)
            if said != true
        ]
        return f"of {agent.address} it says {'; '.join(wrong)}" if wrong else None

    def _differences(self, row: StateRow, agent: Agent) -> Differences:
        different = sorted(
            name
            for name in {*row.images, *agent.images}
            if not self._same(row.images.get(name), agent.images.get(name))
        )
        yield "turns", row.turns, agent.turns
        yield "the record that it is as of", row.seq, agent.last
        yield "state hash", row.state_hash.hex(), agent.state_hash.hex()
        yield "fields that differ from those of the deltas", different, []

    def _same(self, one: Image | None, other: Image | None) -> bool:
        """Whether two images stand for one value, whatever base and operations they are made of."""
        if one is None or other is None:
            return one is other
        if one.base == other.base and one.ops == other.ops:
            return True
        try:
            return self._text(one) == self._text(other)
        except LedgerDamaged:
            return False  # a blob is gone, which is told of the record that has it

    def _text(self, image: Image) -> str:
        return json.dumps(to_json(materialise(image, self._codec.decode)))
