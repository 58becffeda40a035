from __future__ import annotations

from typing import Any

import pytest

from perdure.errors import LedgerDamaged
from perdure.ledger import rows
from perdure.ledger.rows import pack_row, unpack_row

SPEC = {"attempts_max": 3, "backoff": {"first": 0.01}, "restart": "permanent", "shutdown": 5.0}

ROWS = [
    rows.ActorRow("/a/ä", "Reader", 2, 1, SPEC, b"init", 4, 2, 7, 3, 1, 2**62, "ValueError: x"),
    rows.StateRow(12, 99, bytes(16), {"lines": (b"base", ((1, b"op"), (2, b"op")))}),
    rows.StepRow("done", "net.read", bytes(16), True, b"value", 500, 17),
    rows.DeadRow("/a", "no such actor", 0, 2**62, 5),
    rows.ArtifactRow(bytes(32), 10_000, 8, False),
    rows.StatusRow("finished", "", b"result"),
    rows.StatusRow("running", "", None),
    rows.BudgetRow(None, 1, 2),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_a_row_is_read_back_as_it_was_written(row: Any) -> None:
    found = unpack_row(type(row), pack_row(row))
    assert found == row
    assert isinstance(found, type(row))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_a_row_that_is_cut_short_is_damage(row: Any) -> None:
    data = pack_row(row)
    for end in range(len(data)):
        with pytest.raises(LedgerDamaged, match="table row"):
            unpack_row(type(row), data[:end])


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x01", pack_row((1, 2)), pack_row((1,) * 20)])
def test_bytes_that_are_no_row_of_that_kind_are_damage(data: bytes) -> None:
    with pytest.raises(LedgerDamaged, match="DeadRow"):
        unpack_row(rows.DeadRow, data)


def test_a_row_with_something_behind_it_is_damage() -> None:
    with pytest.raises(LedgerDamaged):
        unpack_row(rows.BudgetRow, pack_row(rows.BudgetRow(1, 2, 3)) + b"\x00")
