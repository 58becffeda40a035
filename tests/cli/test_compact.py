"""`perdure compact`, and the other verbs on a run that was compacted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bank import bank, calls
from tests.cli.verbs import COUNTER, answer, perdure, process, shop
from tests.ledger.stores import end


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run of the counter that is over, of 14 records, compacted up to record 9."""
    monkeypatch.setenv("PERDURE_HOME", str(tmp_path))
    perdure("run", COUNTER, "--seed", "7")
    assert perdure("compact", "last", "--before", "10").exit_code == 0
    return "last"


def test_it_says_what_went_and_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_HOME", str(tmp_path))
    perdure("run", COUNTER)
    would = perdure("compact", "last", "--dry-run").stdout
    assert re.search(r"up to record 14 of 14\nto drop +11 records, .*\nleft +3 rows", would)
    assert answer("verify", "last")["records"] == 14
    found = answer("compact", "last", "--keep-turns", "1")
    assert (found["at"], found["head"], found["dry_run"], found["why"]) == (12, 15, False, "")
    assert found["records"] + found["left"] == 12
    assert found["file_after"] <= found["file_before"]
    assert answer("verify", "last")["ok"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--before", "1"], "nothing before that point"),
        (["--before", "99"], "no record 99"),
        (["--before", "nowhere"], "no mark 'nowhere'"),
        (["--keep-turns", "99"], "nothing before that point"),
        (["--keep-age", "long"], "'long' is no age"),
        (["--keep-age", "1h", "--keep-turns", "1"], "give one of"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], text: str
) -> None:
    monkeypatch.setenv("PERDURE_HOME", str(tmp_path))
    perdure("run", COUNTER)
    result = perdure("compact", "last", *options)
    assert result.exit_code == 2
    assert text in result.stderr
    assert answer("verify", "last")["records"] == 14


def test_dead_letters_are_forgotten_by_a_second_compaction_too(tmp_path: Path) -> None:
    run = tmp_path / "run"
    perdure("run", shop(tmp_path / "shop", "stolen"), "--ledger", run)
    cut = answer("compact", run)["at"]
    result = perdure("compact", run, "--drop-dead", "--before", str(cut))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "they need a later point" in result.stderr
    assert len(answer("dead", run)["dead_letters"]) == 1
    answer("compact", run, "--drop-dead")
    assert answer("dead", run)["dead_letters"] == []
    assert answer("verify", run)["ok"]


def test_a_run_whose_process_ends_meanwhile_is_compacted_all_the_same(
    run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned = iter([True, False])
    monkeypatch.setattr("perdure.cli.compact.is_owned", lambda directory: next(owned))
    found = answer("compact", run)  # what it hands over is not taken: the run is finished
    assert (found["at"], found["head"], found["why"]) == (15, 16, "")
    assert answer("verify", run)["ok"]


def test_the_past_of_a_compacted_run_is_told_from_the_cut_on(run: str) -> None:
    traced = perdure("trace", run)
    assert "records up to 9 are gone" in traced.stderr
    assert [line.split()[0] for line in traced.stdout.splitlines()] == [*map(str, range(10, 16))]
    assert "compacted up to record 9: 4 rows" in traced.stdout
    assert [each["seq"] for each in _lines("trace", run)] == [*range(10, 16)]
    assert "9.0 Add(2)" in perdure("trace", run, "--causal").stdout
    assert "message   9.0 Add(2)" in perdure("why", run, "10").stdout
    assert answer("show", run)["compacted"] == {"at": 9, "marks": []}
    assert "compacted  up to record 9" in perdure("show", run).stdout
    assert answer("state", run, "/counter/sum", "--at", "9")["state"] == {"total": 0}
    assert answer("state", run, "/counter/sum", "--at", "11")["state"] == {"total": 17}
    assert "at record 9" in perdure("state", run, "/counter/sum", "--at", "9").stdout
    assert answer("diff", run, "9", "13")["actors"]
    replayed = perdure("replay", run)
    assert replayed.exit_code == 0
    assert "turns from record 10 on run again" in replayed.stderr
    assert "replayed  4 turns" in replayed.stdout


def _lines(*args: str) -> list[dict[str, int]]:
    from tests.cli.verbs import lines

    return lines(*args)[:-1]


@pytest.mark.parametrize(
    "verb",
    [
        ["trace", "RUN", "--first", "3"],
        ["trace", "RUN", "--first", "3", "--causal"],
        ["why", "RUN", "6"],
        ["state", "RUN", "/counter/sum", "--at", "7"],
        ["diff", "RUN", "5", "12"],
        ["fork", "RUN", "--at", "8", "--to", "TO"],
        ["replay", "RUN", "--until", "8"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_told_any_more_is_said_with_the_cut(
    run: str, tmp_path: Path, verb: list[str]
) -> None:
    words = [{"RUN": run, "TO": str(tmp_path / "to")}.get(word, word) for word in verb]
    result = perdure(*words)
    assert result.exit_code == 2
    assert "compacted up to record 9" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_fork_of_a_compacted_run_goes_on(run: str, tmp_path: Path) -> None:
    to = tmp_path / "fork"
    assert perdure("fork", run, "--at", "10", "--to", to, "--live").exit_code == 0
    assert answer("verify", to)["ok"]
    assert answer("resume", to)["status"] == "finished"
    assert answer("state", to, "/counter/sum")["state"] == {"total": 42}
    assert answer("verify", to)["ok"]


def test_a_dead_letter_of_a_compacted_run_is_sent_again(tmp_path: Path) -> None:
    run = tmp_path / "run"
    perdure("run", shop(tmp_path / "shop", "stolen"), "--ledger", run)
    found = answer("compact", run)
    assert found["records"] > 5
    (letter,) = answer("dead", run)["dead_letters"]
    assert letter["message"] == {"$": "Sale", "what": "stolen"}
    result = perdure("dead", run, "requeue", letter["id"])
    assert result.exit_code in (0, 2)  # the run is over: it says so, or takes it
    assert "compacted" not in result.stderr
    assert answer("verify", run)["ok"]


def test_a_run_that_a_process_is_at_is_compacted_through_its_door(tmp_path: Path) -> None:
    run = tmp_path / "run"
    alive = process("run", shop(tmp_path / "shop", "slowly"), "--ledger", run, PYTHONUNBUFFERED="1")
    try:
        assert alive.stdout is not None
        while "selling" not in alive.stdout.readline():
            pass
        found = answer("compact", run, "--before", "6")
        assert found["at"] == 5
        assert "a process is at the run" in found["why"]
        refused = perdure("compact", run, "--drop-dead")
        assert refused.exit_code == 2
        assert "no process is at the run" in refused.stderr
        assert answer("verify", run)["ok"]
    finally:
        end(alive)
    assert answer("verify", run)["ok"]


def test_a_step_in_doubt_of_before_the_cut_still_waits_for_its_verdict(tmp_path: Path) -> None:
    folder, run = bank(tmp_path / "bank"), tmp_path / "run"
    (folder / "kill").touch()
    process("run", folder, "--ledger", run).communicate()
    assert perdure("compact", run).exit_code == 0
    (doubt,) = answer("doubt", run)["doubts"]
    assert "amount=7" in doubt["call"]
    assert answer("resume", run, "--no-wait")["status"] == "waiting"
    said = perdure("doubt", run, str(doubt["id"]), "--happened", '"paid"')
    assert said.exit_code == 0, said.stderr
    assert answer("resume", run)["status"] == "finished"
    assert calls(folder) == calls(folder)[:1]
    assert answer("verify", run)["ok"]
