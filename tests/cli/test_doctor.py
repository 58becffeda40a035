"""`perdure doctor`, as people and programs meet it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perdure.runtime import checkup
from tests.cli.verbs import COUNTER, answer, perdure
from tests.ledger.stores import ask, child, end

MOUNTS = "/dev/x / %s rw 0 0\n"
READER = """
import sys
from perdure.ledger.store import open_store
store = open_store(sys.argv[1], write=False)
txn = store.file.env.begin()
print("reads", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def counted(own_home: Path) -> Path:
    assert perdure("run", COUNTER).exit_code == 0
    return own_home / "counter-1"


@pytest.fixture(autouse=True)
def disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are on a local disk, whatever this machine has."""
    monkeypatch.setattr(checkup, "_mounts", lambda: MOUNTS % "ext4")


def findings(*run: str | Path) -> dict[str, Any]:
    return {each["about"]: each for each in answer("doctor", *run)["findings"]}


def test_a_machine_without_runs_is_looked_at(own_home: Path) -> None:
    said = perdure("doctor")
    assert said.exit_code == 0, said.stdout
    assert "  ✓ file system   ext4 at /" in said.stdout
    assert "0 problems" in said.stdout
    assert not own_home.exists()
    form = answer("doctor")
    assert (form["format"], form["run"], form["ok"]) == (1, None, True)
    assert set(form["findings"][0]) == {"about", "verdict", "text", "way", "damage"}


def test_a_problem_exits_with_1_and_says_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "_mounts", lambda: MOUNTS % "nfs4")
    said = perdure("doctor")
    assert said.exit_code == 1
    assert "  ✗ file system   nfs4 at /: file locks" in said.stdout
    assert "→ Set PERDURE_HOME to a folder on a local disk." in said.stdout
    assert "1 problem" in said.stdout
    assert answer("doctor")["ok"] is False


def test_a_run_is_looked_at_down_to_its_last_row(counted: Path) -> None:
    found = findings("last")
    assert {"process", "map", "readers", "time", "posts", "ledger"} <= set(found)
    records = answer("show", "last")["records"]
    assert found["ledger"]["text"] == f"whole as of record {records}"
    (counted / "ingress" / "refused").mkdir(parents=True)
    (counted / "ingress" / "refused" / "x.post").touch()
    assert findings("last")["posts"]["verdict"] == "warning"


def test_readers_are_named_and_dead_ones_let_go_of(counted: Path) -> None:
    one, other = (child(READER, counted) for _ in range(2))
    try:
        assert (ask(one), ask(other)) == ("reads", "reads")
        assert findings("last")["readers"]["text"].startswith("2, process ")
        end(one)
        said = f"1, process {other.pid} is 0 groups behind"
        assert findings("last")["readers"]["text"] == f"{said}; 1 of dead processes were let go of"
        assert findings("last")["readers"]["text"] == said
    finally:
        end(one)
        end(other)
    assert findings("last")["readers"]["text"] == "none"


def test_a_damaged_ledger_exits_with_3(counted: Path) -> None:
    data = counted / "ledger" / "data.mdb"
    data.write_bytes(data.read_bytes().replace(b"counter/sum", b"counter/sun"))
    said = perdure("doctor", "last")
    assert said.exit_code == 3
    assert "  ✗ ledger" in said.stdout
    assert said.stderr == ""
    form = answer("doctor", "last")
    assert form["ok"] is False
    assert [each["about"] for each in form["findings"] if each["damage"]] == ["ledger"]
    data.write_bytes(b"")
    assert perdure("doctor", "last").exit_code == 3


def test_a_deletion_that_was_not_finished_is_named(counted: Path) -> None:
    (counted.parent / ".deleted-counter-0").mkdir()
    assert findings()["home"]["text"] == "1 deletion of runs not finished"
