"""The verbs that look at a run: tree, show, runs, state, trace, dead, verify; and new."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from perdure.ledger.group import Group
from perdure.ledger.keys import Table
from perdure.ledger.rows import ActorRow, pack_row, unpack_row
from perdure.ledger.store import open_store
from tests.cli.verbs import COUNTER, answer, lines, perdure, shop


@pytest.fixture
def stolen(tmp_path: Path, own_home: Path) -> Path:
    """A run with a dead letter; its name is shop-1."""
    perdure("run", shop(tmp_path / "shop", "stolen"), "--seed", "7")
    return own_home / "shop-1"


# --- tree, show, runs


def test_tree_shows_who_supervises_whom(stolen: Path) -> None:
    assert perdure("tree", "shop-1").stdout.splitlines() == [
        "  /shop     one_for_one   2 restarts, 1 counted of 9 allowed in 5 s",
        "  └─ till   Till          1 turn   incarnation 3",
    ]


def test_a_run_is_named_by_its_directory_its_name_or_last(stolen: Path) -> None:
    by_name = perdure("tree", "shop-1").stdout
    assert perdure("tree", stolen).stdout == by_name
    assert perdure("tree", "last").stdout == by_name


def test_tree_has_json(stolen: Path) -> None:
    (root,) = answer("tree", "last")["tree"]
    (till,) = root["children"]
    assert (root["strategy"], root["intensity"], root["counted"]) == ("one_for_one", 9, 1)
    assert (till["address"], till["class"], till["restarts"]) == ("/shop/till", "Till", 2)


def test_show_says_what_the_run_is_and_how_it_stands(stolen: Path) -> None:
    shown = perdure("show", "last").stdout
    assert shown.startswith(f"run       shop-1   ledger {stolen}\n")
    assert "goal      Sell what there is.\n" in shown
    limits = "limits    durability group\n"
    assert f'seed      7\n{limits}settings  price=3\nfinished  {{"sold": 0}}\n' in shown


def test_show_has_json(stolen: Path) -> None:
    form = answer("show", "last")
    assert (form["format"], form["run"], form["scenario"]) == (1, "shop-1", "shop")
    assert (form["settings"], form["dead_letters"]) == ({"price": 3}, 1)
    assert len(form["run_id"]) == 32


def test_runs_lists_the_most_recent_first(stolen: Path) -> None:
    perdure("run", COUNTER)
    assert [run["run"] for run in answer("runs")["runs"]] == ["counter-1", "shop-1"]
    counter, shop_line = perdure("runs").stdout.splitlines()
    assert counter.split()[:2] == ["counter-1", "finished"]
    assert "1 dead letter   Sell what there is." in shop_line


def test_runs_says_of_a_broken_one_why(own_home: Path) -> None:
    (own_home / "broken-1").mkdir(parents=True)
    (run,) = answer("runs")["runs"]
    assert run["status"] == "unreadable"
    assert "holds no ledger" in run["reason"]
    assert "broken-1   unreadable" in perdure("runs").stdout


def test_without_runs_one_is_told_how_to_make_one() -> None:
    result = perdure("runs")
    assert result.stdout == ""
    assert "`perdure run SCENARIO` makes one" in result.stderr


# --- state


def test_state_shows_the_committed_fields(stolen: Path) -> None:
    assert perdure("state", "last", "/shop/till").stdout.splitlines() == [
        "/shop/till  Till   running   incarnation 3",
        "  price = 3",
        "  sold = []",
    ]


def test_state_has_json(stolen: Path) -> None:
    form = answer("state", "last", "/shop/till")
    assert form["state"] == {"price": 3, "sold": []}
    assert (form["class"], form["life"], form["incarnation"]) == ("Till", "running", 3)


def test_an_unknown_address_is_refused_with_the_nearest(stolen: Path) -> None:
    result = perdure("state", "last", "/shop/til")
    assert result.exit_code == 2
    assert "Did you mean '/shop/till'?" in result.stderr


# --- trace


def test_trace_tells_each_record_in_a_line(stolen: Path) -> None:
    told = perdure("trace", "last").stdout.splitlines()
    assert len(told) == answer("show", "last")["records"]
    crash = next(line for line in told if "  crash " in line)
    assert "/shop/till  attempt 1 at" in crash
    assert "Sale('stolen'); ValueError: it is stolen; → exit to /shop" in crash.replace(
        "Exit", "exit"
    )
    assert any("makes receipt.txt, 6 bytes; finishes the run" in line for line in told)
    assert any("exit of /shop/till: ValueError: it is stolen" in line for line in told)


def test_trace_has_a_json_line_for_each_record_and_one_at_the_end(stolen: Path) -> None:
    *records, last = lines("trace", "last")
    assert [record["seq"] for record in records] == list(range(1, last["records"] + 1))
    sale = next(s for r in records for s in r.get("sends", ()) if s["message"]["$"] == "Sale")
    assert (sale["to"], sale["message"]["what"]) == ("/shop/till", "stolen")
    crash = next(record for record in records if record["kind"] == "crash")
    assert (crash["actor"], crash["message"]) == ("/shop/till", sale["id"])
    assert "ValueError" in crash["traceback"]


def test_trace_can_be_of_some_records_or_of_one_actor(stolen: Path) -> None:
    assert [r["seq"] for r in lines("trace", "last", "--first", "3", "--last", "4")[:-1]] == [3, 4]
    *records, _ = lines("trace", "last", "--actor", "/shop/till")
    assert {record.get("actor") for record in records} <= {"/shop/till", "/shop", "", None}
    assert not any(record["kind"] == "run" for record in records)
    assert perdure("trace", "last", "--actor", "/shop/tll").exit_code == 2


# --- dead


def test_dead_lists_dead_letters_and_requeue_sends_one_again(stolen: Path) -> None:
    (letter,) = answer("dead", "last")["dead_letters"]
    assert (letter["to"], letter["attempts"]) == ("/shop/till", 2)
    assert letter["message"] == {"$": "Sale", "what": "stolen"}
    listed = perdure("dead", "last").stdout
    assert f"{letter['id']}  /shop/till  Sale('stolen')\n" in listed
    assert "2 attempts: ValueError: it is stolen\n" in listed

    again = perdure("dead", "last", "requeue", letter["id"])
    assert again.exit_code == 0
    assert "Sale('stolen') to /shop/till\nnext      perdure resume shop-1\n" in again.stdout
    assert answer("dead", "last")["dead_letters"] == []
    assert answer("tree", "last")["tree"][0]["children"][0]["waiting"] == 1
    assert perdure("verify", "last").exit_code == 0


def test_a_run_without_dead_letters_says_so() -> None:
    perdure("run", COUNTER)
    result = perdure("dead", "last")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "counter-1 has no dead letters" in result.stderr


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (("requeue", "1.0"), "message 1.0 is no dead letter"),
        (("requeue", "x"), "Ids look like 4.1"),
        (("drop", "4.1"), "Write: dead RUN requeue ID"),
    ],
)
def test_what_cannot_be_requeued_is_refused(
    stolen: Path, action: tuple[str, str], said: str
) -> None:
    result = perdure("dead", "last", *action)
    assert result.exit_code == 2
    assert said in result.stderr


# --- verify


def test_verify_says_that_a_ledger_is_whole(stolen: Path) -> None:
    result = perdure("verify", "last")
    assert result.exit_code == 0
    assert result.stdout.startswith("shop-1 is whole: ")
    assert answer("verify", "last")["ok"] is True


def test_verify_names_the_first_bad_record_of_a_damaged_file(stolen: Path) -> None:
    data = stolen / "ledger" / "data.mdb"
    data.write_bytes(data.read_bytes().replace(b"it is stolen", b"it was stole"))
    result = perdure("verify", "last")
    assert result.exit_code == 3
    assert "does not follow record" in result.stderr
    form = answer("verify", "last")
    assert form["ok"] is False
    assert f"record {form['first_bad']} " in result.stderr


def test_verify_finds_a_table_that_says_another_thing_than_the_journal(stolen: Path) -> None:
    store = open_store(stolen)
    key, raw = list(store.scan(bytes([Table.ACTOR])))[-1]
    head, row = store.head(), unpack_row(ActorRow, raw)
    forged = pack_row(row._replace(crashes=99))
    status = next(r for r in store.records(head.seq))
    group = Group(head.seq + 1, [(status.kind, status.payload)], [(key, forged)])
    group.time_ns = head.time_ns
    store.commit(group)
    store.close()
    result = perdure("verify", "last")
    assert result.exit_code == 3
    assert f"shop-1 contradicts itself, first at record {head.seq + 1}:" in result.stderr
    assert "crashes 99, and the journal 2" in result.stderr
    assert answer("verify", "last")["first_bad"] == head.seq + 1


# --- new


def test_new_writes_a_project_that_runs_and_passes_its_test(tmp_path: Path) -> None:
    project = tmp_path / "mine"
    result = perdure("new", project)
    assert result.exit_code == 0
    assert f"next      cd {project} && perdure run ." in result.stdout
    assert perdure("run", project).exit_code == 0
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    tested = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert tested.returncode == 0, tested.stdout


def test_new_overwrites_nothing(tmp_path: Path) -> None:
    assert json.loads(perdure("new", tmp_path / "mine", "--json").stdout)["format"] == 1
    again = perdure("new", tmp_path / "mine")
    assert again.exit_code == 2
    assert "nothing is overwritten" in again.stderr
