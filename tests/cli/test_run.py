"""`perdure run` and `perdure resume`: what they write, and what they exit with."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from perdure.ledger.store import open_store
from tests.cli.verbs import COUNTER, answer, lines, perdure, process, shop, waiting_shop


def test_a_run_ends_with_its_result_tree_figures_and_what_to_type_next(
    tmp_path: Path, own_home: Path
) -> None:
    result = perdure("run", COUNTER, "--seed", "7")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        f"run       counter-1   seed 7   ledger {own_home}/counter-1",
        "limits    4 turns at once, 1,000,000 tokens",
        'finished  {"total": 42}',
        "",
        "  /counter   one_for_one   running",
        "  └─ sum     Counter       4 turns",
        "",
        "  turns 4   crashed 0   restarts 0   dead letters 0   tokens 0 of 1,000,000",
        "  next       perdure trace counter-1 · perdure verify counter-1",
    ]


def test_a_durability_that_is_not_the_default_is_announced(tmp_path: Path) -> None:
    folder = shop(tmp_path / "shop")
    file = Path(folder) / "scenario.toml"
    file.write_text('durability = "each"\n' + file.read_text())
    said = perdure("run", folder).stdout.splitlines()
    assert said[1] == "limits    4 turns at once, 1,000,000 tokens, durability each"
    assert lines("run", folder)[0]["durability"] == "each"
    assert "limits    durability each\n" in perdure("show", "last").stdout


def test_who_changes_the_durability_of_a_run_that_goes_on_is_told_so(tmp_path: Path) -> None:
    folder = waiting_shop(tmp_path / "shop")
    perdure("run", folder, "--no-wait")
    said = perdure("resume", "last", "--no-wait").stdout.splitlines()
    assert not any(line.startswith("limits") for line in said)
    assert "limits    durability group\n" in perdure("show", "last").stdout
    file = Path(folder) / "scenario.toml"
    file.write_text('durability = "each"\n' + file.read_text())
    said = perdure("resume", "last", "--no-wait").stdout.splitlines()
    assert said[1] == "limits    durability each"
    assert lines("resume", "last", "--no-wait")[0]["durability"] == "each"
    assert "limits    durability each, at first group\n" in perdure("show", "last").stdout
    shown = answer("show", "last")
    assert (shown["durability"], shown["durability_at_first"]) == ("each", "group")
    opens = [line for line in perdure("trace", "last").stdout.splitlines() if " process " in line]
    assert ["durability each" in line for line in opens] == [False, False, True, True]


def test_crashes_restarts_and_dead_letters_are_told_as_they_happen(tmp_path: Path) -> None:
    result = perdure("run", shop(tmp_path / "shop", "stolen"), "--set", "price=5")
    out = re.sub(r"message \d+\.0", "message N", result.stdout)
    told = [line[10:] for line in out.splitlines() if line.startswith("00:")]
    assert told == [
        "/shop/till  crashed on Sale('stolen'), attempt 1 of 2: ValueError: it is stolen",
        "/shop/till  restarted (incarnation 2)",
        "/shop/till  crashed on Sale('stolen'), attempt 2 of 2: ValueError: it is stolen",
        "/shop/till  restarted (incarnation 3); message N is now a dead letter",
    ]
    assert "settings  price=5\n" in result.stdout
    assert "  └─ till   Till          1 turn   incarnation 3\n" in result.stdout
    assert "dead letters 1" in result.stdout
    assert "artifact   " in result.stdout
    assert "perdure dead shop-1 · perdure trace shop-1" in result.stdout


def test_with_json_each_event_is_a_line_and_the_end_is_the_last(tmp_path: Path) -> None:
    first, *events, last = lines("run", shop(tmp_path / "shop", "stolen"), "--seed", "7")
    assert (first["event"], first["run"], first["seed"]) == ("run", "shop-1", 7)
    kinds = [event["event"] for event in events]
    assert {"crashed", "restarted", "dead", "artifact"} <= set(kinds)
    crashed = events[kinds.index("crashed")]
    assert (crashed["address"], crashed["attempt"], crashed["attempts_max"]) == ("/shop/till", 1, 2)
    assert (last["format"], last["status"], last["exit_code"]) == (1, "finished", 0)
    assert last["result"] == {"sold": 0}
    assert [Path(path).read_text() for path in last["artifacts"]] == ["0 sold"]


def test_with_strict_a_dead_letter_is_a_failure(tmp_path: Path) -> None:
    assert perdure("run", shop(tmp_path / "shop", "stolen"), "--strict").exit_code == 1
    assert perdure("resume", "last", "--strict").exit_code == 1
    assert perdure("resume", "last").exit_code == 0


def test_a_failed_root_exits_with_1(tmp_path: Path) -> None:
    folder = shop(tmp_path / "shop", "stolen")
    scenario = folder / "scenario.toml"
    scenario.write_text(scenario.read_text().replace("intensity = 9", "intensity = 0"))
    result = perdure("run", folder)
    assert result.exit_code == 1
    assert "gives up: till needed more restarts than are allowed" in result.stdout
    assert "\nfailed    the root ended: shutdown\n" in result.stdout
    assert perdure("resume", "last").exit_code == 1


def test_no_wait_leaves_timers_to_resume(tmp_path: Path) -> None:
    folder = shop(tmp_path / "shop", "later")
    scenario = folder / "scenario.toml"
    scenario.write_text(scenario.read_text().rpartition("[[tell]]")[0])  # it never closes
    result = perdure("run", folder, "--no-wait")
    assert result.exit_code == 4
    assert "\nwaiting   only timers or people remain\n" in result.stdout
    assert "next       perdure resume shop-1" in result.stdout
    assert answer("resume", "last", "--no-wait")["exit_code"] == 4


def test_a_run_killed_at_a_record_is_resumed_to_the_same_result(tmp_path: Path) -> None:
    killed = process("run", COUNTER, "--crash-at", "9")
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    shown = answer("show", "last")
    assert (shown["status"], shown["records"]) == ("interrupted", 9)
    result = perdure("resume", "last")
    assert result.exit_code == 0
    assert result.stdout.startswith("resume    counter-1   after record 9   ledger ")
    assert 'finished  {"total": 42}' in result.stdout


def test_a_changed_code_is_said_at_resume(tmp_path: Path) -> None:
    folder = shop(tmp_path / "shop")
    process("run", folder, "--crash-at", "7").communicate()
    (folder / "actors.py").write_text((folder / "actors.py").read_text() + "\n# newer\n")
    result = perdure("resume", "last")
    assert result.exit_code == 0
    assert "the code has changed since this run began" in result.stderr


def test_resume_of_a_run_that_is_over_only_shows_it() -> None:
    before = answer("run", COUNTER)["records"]
    result = perdure("resume", "last")
    assert result.exit_code == 0
    assert result.stdout.startswith("resume    counter-1 is over; nothing is left to do\nfinished ")
    assert answer("resume", "last")["status"] == "finished"
    assert answer("resume", "last")["records"] == answer("show", "last")["records"] == before


def test_a_ledger_in_which_nothing_is_durable_yet_is_started_again(tmp_path: Path) -> None:
    open_store(tmp_path / "run", create=True).close()
    result = perdure("resume", tmp_path / "run")
    assert result.exit_code == 2
    assert f"`perdure run SCENARIO --ledger {tmp_path}/run`" in result.stderr
    assert perdure("run", COUNTER, "--ledger", tmp_path / "run").exit_code == 0


def test_ledger_uses_exactly_that_directory_and_refuses_one_with_a_ledger(tmp_path: Path) -> None:
    directory = tmp_path / "mine"
    assert perdure("run", COUNTER, "--ledger", directory).exit_code == 0
    again = perdure("run", COUNTER, "--ledger", directory)
    assert again.exit_code == 2
    assert f"Use `perdure resume {directory}`" in again.stderr


def test_a_wrong_first_message_leaves_no_ledger_behind(tmp_path: Path, own_home: Path) -> None:
    folder = shop(tmp_path / "shop")
    scenario = folder / "scenario.toml"
    scenario.write_text(scenario.read_text().replace('what = "bread"', 'wat = "bread"'))
    result = perdure("run", folder)
    assert result.exit_code == 2
    assert "Sale has no field 'wat'. Did you mean 'what'?" in result.stderr
    assert not own_home.exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("run", "nowhere"), "nowhere does not exist"),
        (("run", COUNTER, "--set", "begin=1"), "The settings are: start = 0."),
        (("run", COUNTER, "--crash-at", "1", "--crash-before", "1"), "exclude each other"),
        (("resume", "last"), "there is no last run"),
        (("resume", "nosuch"), "there is no run 'nosuch'"),
        (("resume", "/"), "holds no ledger"),
    ],
)
def test_what_cannot_be_run_is_one_sentence(args: tuple[str, ...], said: str) -> None:
    result = perdure(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
