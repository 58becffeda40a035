"""The open commit group: records not yet handed to the committer, and what they touched."""

from __future__ import annotations

from perdure.actors.cell import Cell, Step
from perdure.ledger.group import Drop, Group
from perdure.ledger.keys import actor_key, inbox_key, state_key, step_key
from perdure.ledger.rows import StateRow, pack_row
from perdure.ledger.states import seal_state
from perdure.limits import STATE_ROW_BYTES_MAX
from perdure.mailbox.envelope import Envelope


class OpenGroup:
    """Records and what they touched; `seal` turns it into the net change of every table.

    A message sent and consumed within the group touches no table, and an actor that handled many
    messages has its state row written once.
    """

    __slots__ = (
        "blobs",
        "bytes",
        "cells",
        "deletes",
        "drop",
        "first_seq",
        "puts",
        "records",
        "sent",
        "serial",
        "steps",
        "time_ns",
    )

    def __init__(self, serial: int, first_seq: int) -> None:
        self.serial = serial
        self.first_seq = first_seq
        self.records: list[tuple[int, bytes]] = []
        self.bytes = 0
        self.sent: dict[Envelope, None] = {}  # and not consumed since
        self.cells: list[Cell] = []
        self.steps: list[tuple[Cell, Envelope, str, Step]] = []
        self.puts: dict[bytes, bytes] = {}
        self.deletes: list[bytes] = []
        self.blobs: dict[bytes, bytes] = {}
        self.drop: Drop | None = None  # of what is before a cut
        self.time_ns = 0

    def delete(self, key: bytes) -> None:
        """Delete a row, wherever it is: on disk, or put within this group."""
        self.puts.pop(key, None)
        self.deletes.append(key)

    def seal(self) -> Group:
        """The group as the committer writes it. The open group is not used again."""
        puts = list(self.puts.items())
        if self.sent:
            self._seal_inboxes(puts)
        self._seal_steps(puts)
        self._seal_cells(puts)
        return Group(
            first_seq=self.first_seq,
            records=self.records,
            puts=puts,
            deletes=self.deletes,
            blobs=self.blobs,
            time_ns=self.time_ns,
            drop=self.drop,
        )

    def _seal_inboxes(self, puts: list[tuple[bytes, bytes]]) -> None:
        puts.extend((inbox_key(env.to, env.lane, env.seq, env.index), b"") for env in self.sent)

    def _seal_steps(self, puts: list[tuple[bytes, bytes]]) -> None:
        for cell, env, key, step in self.steps:
            if env.steps is None or env.steps.get(key) is not step:
                continue
            if not step.place:
                step.place = step_key(cell.id, env.seq, env.index, key)
            puts.append((step.place, pack_row(step.row())))
            step.stored = True

    def _seal_cells(self, puts: list[tuple[bytes, bytes]]) -> None:
        for cell in self.cells:
            if cell.row_dirty:
                cell.row_dirty = False
                puts.append((actor_key(cell.id), pack_row(cell.row())))
            if cell.dirty:
                cell.dirty = False
                row = (cell.turns, cell.last, cell.state_hash, cell.images or {})
                if cell.log is None:  # most are small, and one row
                    data = pack_row(row)
                    if len(data) <= STATE_ROW_BYTES_MAX:
                        puts.append((state_key(cell.id), data))
                        continue
                cell.log = seal_state(cell.id, StateRow(*row), cell.log, puts, self.deletes)
