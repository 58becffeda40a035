"""Two hundred recorded cases of OTP's supervisor, played on the kernel with a ledger on disk."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.compare import difference, packed, recorded, same_order
from tests.conformance.player import play

PARTS = 8
CASES = list(recorded())


def nameless(case: dict[str, Any]) -> dict[str, Any]:
    """A case by another name: what happens in it must not hang on what it is called."""
    digest = hashlib.sha256(json.dumps(case).encode()).hexdigest()
    return case | {"name": digest}


def test_there_are_two_hundred_of_them() -> None:
    assert len(CASES) == 200


@pytest.mark.parametrize("part", range(PARTS))
def test_every_recorded_case_ends_as_it_did_in_otp(part: int) -> None:
    differing = {}
    for case, told in CASES[part::PARTS]:
        text = difference(told, play(nameless(case)))
        if text is not None:
            differing[case["name"]] = text
    assert differing == {}


def test_a_recorded_case_is_read_as_it_was_written(tmp_path: Path) -> None:
    case, told = CASES[0]
    path = tmp_path / "cases.jsonl"
    path.write_text(packed(case, told))
    assert list(recorded(path)) == [(case, told)]


def test_a_difference_names_the_step_and_both_sides() -> None:
    _, told = CASES[0]
    other = told | {"steps": [step | {"result": "other"} for step in told["steps"]]}
    text = difference(told, other)
    assert text is not None
    assert text.startswith("step 0")
    assert '"other"' in text


def test_only_events_whose_order_means_nothing_are_sorted() -> None:
    ends = [["down", "root/b", 1, "killed"], ["down", "root/a", 1, "killed"]]
    said = [["terminate", "root/b", 1, "shutdown"], ["terminate", "root/a", 1, "shutdown"]]
    assert same_order(ends, unordered=False) == ends[::-1]
    assert same_order(said, unordered=False) == said
    assert same_order(said, unordered=True) == said[::-1]
