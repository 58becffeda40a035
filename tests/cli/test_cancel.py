"""`perdure cancel`: an actor of a run that stands still, ended for good."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.verbs import answer, lines, perdure

SCENARIO = """
format = 1
name = "office"
goal = "Be idle."
code = "actors.py"
[tree]
id = "office"
strategy = "one_for_one"
[[tree.children]]
id = "team"
strategy = "one_for_one"
[[tree.children.children]]
id = "ann"
actor = "Clerk"
[[tree.children]]
id = "bob"
actor = "Clerk"
[[tell]]
to = "/office/team/ann"
message = { "$" = "Nap" }
[[tell]]
to = "/office/team/ann"
message = { "$" = "Work" }
[[tell]]
to = "/office/bob"
message = { "$" = "Nap" }
"""
ACTORS = """
from __future__ import annotations
from perdure import Actor, message

@message
class Nap:
    pass

@message
class Work:
    pass

class Clerk(Actor):
    async def on_receive(self, message: Nap | Work) -> None:
        if isinstance(message, Nap):
            await self.sleep(3_600)
"""


@pytest.fixture
def office(tmp_path: Path, own_home: Path) -> Path:
    """A run in which everybody sleeps; its name is office-1."""
    folder = tmp_path / "office"
    folder.mkdir()
    (folder / "scenario.toml").write_text(SCENARIO)
    (folder / "actors.py").write_text(ACTORS)
    assert perdure("run", folder, "--no-wait").exit_code == 4
    return own_home / "office-1"


def test_it_ends_an_actor_and_all_below_it(office: Path) -> None:
    result = perdure("cancel", "last", "/office/team")
    assert result.exit_code == 0
    record = next(line for line in lines("trace", "last") if line.get("kind") == "cancel")["seq"]
    assert result.stdout.splitlines() == [
        f"/office/team is cancelled, 2 actors in all (record {record})",
        "dead      2 messages are dead letters: perdure dead office-1",
        "next      perdure resume office-1",
    ]
    reasons = [letter["reason"] for letter in answer("dead", "last")["dead_letters"]]
    assert reasons == ["cancelled", "cancelled"]
    assert "/office/team is stopped; /office/team/ann is stopped" in perdure("trace", "last").stdout
    assert perdure("resume", "last", "--no-wait").exit_code == 4  # bob sleeps on
    (root,) = answer("tree", "last")["tree"]
    assert [child["life"] for child in root["children"]] == ["ended", "running"]
    assert perdure("verify", "last").exit_code == 0


def test_who_is_cancelled_already_is_not_cancelled_again(office: Path) -> None:
    assert perdure("cancel", "last", "/office/team").exit_code == 0
    before = answer("show", "last")["records"]
    for address in ("/office/team", "/office/team/ann"):
        again = perdure("cancel", "last", address)
        assert (again.exit_code, again.stdout) == (2, "")
        assert f"cancel({address}): it is cancelled already" in again.stderr
    assert answer("show", "last")["records"] == before


def test_it_has_json(office: Path) -> None:
    form = answer("cancel", "last", "/office/bob")
    assert form["cancelled"] == ["/office/bob"]
    assert (form["run"], form["dead_letters"]) == ("office-1", 1)


@pytest.mark.parametrize(
    ("address", "said"), [("/office", "this is the root"), ("/office/eve", "there is no actor")]
)
def test_what_cannot_be_cancelled_is_refused(office: Path, address: str, said: str) -> None:
    result = perdure("cancel", "last", address)
    assert result.exit_code == 2
    assert said in result.stderr
    assert perdure("verify", "last").exit_code == 0


def test_a_run_that_is_over_cannot_be_cancelled(office: Path) -> None:
    for address in ("/office/team", "/office/bob"):
        assert perdure("cancel", "last", address).exit_code == 0
    assert perdure("resume", "last").exit_code == 0
    result = perdure("cancel", "last", "/office/team")
    assert result.exit_code == 2
    assert "the run is over" in result.stderr
