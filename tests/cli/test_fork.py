"""`perdure fork`, `resume --live` and `restore`, as people and programs meet them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.verbs import answer, lines, perdure, process

SCENARIO = """
format = 1
name = "till"
code = "actors.py"
[settings]
file = ""
[tree]
id = "till"
strategy = "one_for_one"
[[tree.children]]
id = "desk"
actor = "Desk"
init = { file = "${file}" }
restore = ["committed", "mark:opened"]
[[tell]]
to = "/till/desk"
message = { "$" = "Open" }
[[tell]]
to = "/till/desk"
message = { "$" = "Sell", what = "tea" }
[[tell]]
to = "/till/desk"
message = { "$" = "Sell", what = "milk" }
[[tell]]
to = "/till/desk"
message = { "$" = "Close" }
"""

ACTORS = """
from pathlib import Path
from perdure import Actor, field, message, tool

@message
class Open:
    pass

@message
class Sell:
    what: str

@message
class Close:
    pass

@tool("till.charge", effect="financial")
def charge(file: str, what: str) -> str:
    with Path(file).open("a") as charged:
        charged.write(f"{what}\\n")
    return f"{what} is paid"

class Desk(Actor):
    file: str
    paid: list[str] = field(default_factory=list)

    async def on_receive(self, message: Open | Sell | Close) -> None:
        match message:
            case Open():
                self.mark("opened")
            case Sell(what):
                self.paid.append(await self.call(charge, file=self.file, what=what))
            case Close():
                await self.artifact("paid.txt", "\\n".join(self.paid))
                self.finish({"paid": len(self.paid)})
"""


@pytest.fixture
def charges(tmp_path: Path, own_home: Path) -> Path:
    """The file in which each charge is a line, after the run till-1: tea and milk."""
    folder, file = tmp_path / "till", tmp_path / "charges.txt"
    folder.mkdir()
    (folder / "scenario.toml").write_text(SCENARIO)
    (folder / "actors.py").write_text(ACTORS)
    assert perdure("run", folder, "--set", f"file={file}", "--seed", "1").exit_code == 0
    assert file.read_text() == "tea\nmilk\n"
    return file


def test_a_fork_at_a_mark_waits_with_its_calls_until_it_is_live(
    charges: Path, tmp_path: Path
) -> None:
    made = perdure("fork", "till-1", "--at", "opened", "--to", tmp_path / "fork")
    assert made.exit_code == 0
    assert "of till-1 at record" in made.stdout
    assert "--live" in made.stdout
    assert (
        "--live"
        not in perdure(
            "fork", "till-1", "--at", "opened", "--to", tmp_path / "other", "--live"
        ).stdout
    )
    held = perdure("resume", tmp_path / "fork")
    assert held.exit_code == 4
    assert "held: a fork; `perdure resume FORK --live` lets it act" in held.stdout
    assert charges.read_text() == "tea\nmilk\n"
    shown = perdure("show", tmp_path / "fork").stdout
    assert f"fork      of {answer('show', 'till-1')['run_id']} at record" in shown
    assert "held: it may only read" in shown
    live = perdure("resume", tmp_path / "fork", "--live")
    assert live.exit_code == 0, live.stdout
    assert charges.read_text() == "tea\nmilk\ntea\nmilk\n"
    assert (tmp_path / "fork" / "artifacts" / "paid.txt").read_text() == (
        "tea is paid\nmilk is paid"
    )
    assert perdure("verify", tmp_path / "fork").exit_code == 0


def test_what_a_fork_calls_itself_is_marked_new(charges: Path, tmp_path: Path) -> None:
    records = lines("trace", "till-1")[:-1]
    results = [form["seq"] for form in records if form["kind"] == "result"]
    form = answer("fork", "till-1", "--at", results[0], "--to", tmp_path / "fork", "--live")
    assert (form["at"], form["live"], form["records"]) == (results[0], True, results[0] + 2)
    assert perdure("resume", tmp_path / "fork").exit_code == 0
    assert charges.read_text() == "tea\nmilk\nmilk\n"  # tea is journaled
    forms = lines("trace", tmp_path / "fork")[:-1]
    calls = [(each["seq"] > results[0], each.get("new", False)) for each in forms
             if each["kind"] in ("intent", "result")]  # fmt: skip
    assert calls == [(False, False)] * 2 + [(True, True)] * 2
    told = perdure("trace", tmp_path / "fork").stdout
    assert "new; till.charge took" in told
    assert "what comes now is new" in told
    assert "it may act from here on" in told
    fork = answer("show", tmp_path / "fork")["fork"]
    assert (fork["at"], fork["held"]) == (results[0], False)


@pytest.mark.parametrize("at", ["0", "10000", "closed"])
def test_a_point_that_is_none_is_a_usage_error(at: str, charges: Path, tmp_path: Path) -> None:
    refused = perdure("fork", "till-1", "--at", at, "--to", tmp_path / "fork")
    assert (refused.exit_code, (tmp_path / "fork").exists()) == (2, False)


def test_a_directory_that_exists_is_a_usage_error(charges: Path, tmp_path: Path) -> None:
    refused = perdure("fork", "till-1", "--at", "4", "--to", tmp_path)
    assert refused.exit_code == 2
    assert "exists already" in refused.stderr


def test_a_damaged_ledger_is_exit_3(charges: Path, own_home: Path, tmp_path: Path) -> None:
    bad = shutil.copytree(own_home / "till-1", tmp_path / "bad") / "ledger" / "data.mdb"
    raw = bad.read_bytes()
    bad.write_bytes(raw.replace(b"one_for_one", b"one_for_two"))
    forking = process("fork", tmp_path / "bad", "--at", "5", "--to", tmp_path / "fork")
    forking.communicate(timeout=60)
    assert forking.returncode == 3


def test_only_a_fork_is_resumed_live(charges: Path, own_home: Path, tmp_path: Path) -> None:
    perdure("fork", "till-1", "--at", "opened", "--to", tmp_path / "fork")
    fork = answer("show", tmp_path / "fork")["run_id"]
    assert fork != answer("show", "till-1")["run_id"]
    settings = ("--set", f"file={charges}", "--ledger", tmp_path / "cut", "--crash-at", "12")
    process("run", tmp_path / "till", *settings).communicate(timeout=60)
    refused = perdure("resume", tmp_path / "cut", "--live")
    assert refused.exit_code == 2
    assert "is for forks" in refused.stderr


def test_restore_sets_an_actor_back_and_resume_goes_on(charges: Path, tmp_path: Path) -> None:
    records = lines("trace", "till-1")[:-1]
    turns = [r["seq"] for r in records if r["kind"] == "turn" and "delta" in r]
    assert any(r.get("marks") == ["opened"] for r in records)
    perdure("fork", "till-1", "--at", str(turns[-1]), "--to", tmp_path / "fork")
    form = answer("restore", tmp_path / "fork", "/till/desk", "opened")
    assert [each["undone"] for each in form["restored"]] == [2]
    assert answer("state", tmp_path / "fork", "/till/desk")["state"]["paid"] == []
    assert "back to mark:opened, record" in perdure("trace", tmp_path / "fork").stdout
    assert perdure("resume", tmp_path / "fork").exit_code == 0
    assert answer("show", tmp_path / "fork")["result"] == {"paid": 0}
    assert perdure("verify", tmp_path / "fork").exit_code == 0
    over = perdure("restore", tmp_path / "fork", "/till/desk", "opened")
    assert over.exit_code == 2
    assert "perdure fork RUN --at opened" in over.stderr
