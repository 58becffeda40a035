"""A ledger with bytes that were never written: a verb says the truth, or that it is damaged."""

from __future__ import annotations

from pathlib import Path

from perdure.ledger.records import Kind
from tests.cli.flips import all_cases
from tests.cli.museum import UNSEEN, kinds, museum

CASES = 150
SEED = 1


def test_no_verb_crashes_or_tells_what_is_not_so_of_a_ledger_with_wrong_bytes() -> None:
    counts, wrong = all_cases(SEED, CASES)
    assert wrong == []
    assert counts["refused"] > CASES / 4
    assert counts["true"] > CASES / 4


def test_what_is_spoilt_has_every_kind_of_record_that_is_written_without_other_code(
    tmp_path: Path,
) -> None:
    assert kinds(museum(tmp_path / "museum")) == set(Kind) - UNSEEN
