"""What doctors say of machines and runs."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from perdure.ledger.readers import Reader, active_readers
from perdure.limits import READER_BEHIND_GROUPS
from perdure.runtime import checkup
from perdure.runtime.checkup import (
    check_machine,
    judge_address_space,
    judge_clock,
    judge_disk,
    judge_room,
)
from perdure.runtime.findings import OK, PROBLEM, WARNING
from perdure.runtime.runcheckup import NS, judge_ledger_time, judge_readers, judge_spool

MIB = 1 << 20


def test_a_machine_is_looked_at_from_all_sides(tmp_path: Path) -> None:
    found = check_machine(tmp_path)
    assert [each.about for each in found] == [
        "versions", "file system", "room", "disk", "address space", "clock", "confinement",
    ]  # fmt: skip
    assert all(each.text for each in found)
    assert all(each.way for each in found if each.verdict != OK)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = checkup._disk(tmp_path / "file")
    assert (found.verdict, "cannot be written to" in found.text) == (PROBLEM, True)


@pytest.mark.parametrize(
    ("free", "files", "verdict"),
    [(10**12, 1, OK), (100 * MIB, 1, WARNING), (100_000, 1, PROBLEM), (10**12, 0, PROBLEM)],
)
def test_room(free: int, files: int, verdict: str) -> None:
    assert judge_room(free, files).verdict == verdict


@pytest.mark.parametrize(
    ("seconds", "locks", "verdict"),
    [(0.001, True, OK), (0.2, True, WARNING), (0.001, False, PROBLEM)],
)
def test_disks(seconds: float, locks: bool, verdict: str) -> None:
    assert judge_disk(seconds, locks=locks).verdict == verdict


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [(resource.RLIM_INFINITY, OK), (1 << 40, WARNING), (128 * MIB, PROBLEM)],
)
def test_address_space(limit: int, verdict: str) -> None:
    assert judge_address_space(limit, 64 * MIB).verdict == verdict


def test_clocks() -> None:
    assert judge_clock(1.8e9).verdict == OK
    assert judge_clock(1.0e9).verdict == WARNING
    assert judge_ledger_time(100 * NS, 100 * NS).verdict == OK
    late = judge_ledger_time(3_700 * NS, 100 * NS)
    assert (late.verdict, late.text) == (WARNING, "the clock is 3,600 s behind the last record")


def test_who_is_far_behind_pins_pages() -> None:
    table = f"    pid     thread     txnid\n   {1} 7f 10\n   2 7f -\n"
    assert active_readers(table, 15) == [Reader(1, 10, 5)]
    assert active_readers("(no active readers)\n", 15) == []
    assert judge_readers([Reader(1, 10, 5)], 0).verdict == OK
    far = judge_readers([Reader(1, 10, 5), Reader(2, 10, READER_BEHIND_GROUPS + 1)], 0)
    assert (far.verdict, "end process 2" in far.way) == (WARNING, True)
    assert "1 of dead processes" in judge_readers([], 1).text


@pytest.mark.parametrize(
    ("waiting", "refused", "seconds", "live", "verdict"),
    [
        (0, 0, 0.0, False, OK),
        (2, 0, 0.5, True, OK),
        (2, 0, 60.0, True, WARNING),
        (2, 0, 0.5, False, WARNING),
        (0, 1, 0.0, False, WARNING),
    ],
)
def test_posts(waiting: int, refused: int, seconds: float, live: bool, verdict: str) -> None:
    found = judge_spool(waiting, refused, 0, seconds, Path("aside"), live)
    assert found.verdict == verdict
    assert bool(found.way) == (verdict != OK)
