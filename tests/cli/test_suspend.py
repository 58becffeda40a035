"""`perdure suspend`: an actor of a run that stands still, told to take nothing, and to go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure import Run
from perdure.ledger.blobs import digest_of
from perdure.ledger.records import Open
from perdure.runtime.view import View
from tests.cli.verbs import answer, perdure
from tests.kit import SECONDS

SCENARIO = """
format = 1
name = "office"
goal = "Be idle."
code = "actors.py"
[tree]
id = "office"
strategy = "one_for_one"
[[tree.children]]
id = "ann"
actor = "Clerk"
[[tree.children]]
id = "bob"
actor = "Clerk"
"""
ACTORS = """
from __future__ import annotations
from perdure import Actor

class Clerk(Actor):
    done: int = 0

    async def on_receive(self, message: str) -> int:
        if message == "ask":
            await self.ask("../ann", "work")
        self.done += 1
        return self.done
"""


@pytest.fixture
def office(tmp_path: Path, own_home: Path) -> Path:
    """A run whose process ended while ann was suspended and bob waited for her answer."""
    folder, ledger = tmp_path / "office", tmp_path / "run"
    folder.mkdir()
    (folder / "scenario.toml").write_text(SCENARIO)
    (folder / "actors.py").write_text(ACTORS)
    with Run(folder, ledger) as run:
        run.suspend("/office/ann")
        run.tell("/office/bob", "ask").get(timeout=SECONDS)
    return ledger


def test_a_run_of_which_only_suspended_work_is_left_ends_with_4_and_says_what_helps(
    office: Path,
) -> None:
    result = perdure("resume", office)
    assert result.exit_code == 4
    assert "`perdure suspend RUN ADDRESS --off`" in result.stdout
    (root,) = answer("tree", office)["tree"]
    assert [child.get("suspended", False) for child in root["children"]] == [True, False]
    assert "suspended" in perdure("tree", office).stdout


def test_a_suspended_actor_goes_on_when_it_is_told_to(office: Path) -> None:
    result = perdure("suspend", office, "/office/ann", "--off")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "/office/ann takes messages again"
    assert perdure("resume", office).exit_code == 0
    (root,) = answer("tree", office)["tree"]
    assert [child["turns"] for child in root["children"]] == [1, 1]
    for verb in ("verify", "replay"):
        assert perdure(verb, office).exit_code == 0


def test_an_actor_of_a_run_that_stands_still_is_suspended(office: Path) -> None:
    assert answer("suspend", office, "/office/bob")["suspended"] is True
    (root,) = answer("tree", office)["tree"]
    assert [child["suspended"] for child in root["children"]] == [True, True]
    assert perdure("verify", office).exit_code == 0
    with View(office) as view:
        codes = {each.body.code for each in view.records() if isinstance(each.body, Open)}
        (files,) = codes  # the process that suspended refers to the same files as the run's first
        assert b"class Clerk" in (view.store.blob(digest_of(files)) or b"")


def test_an_actor_that_is_not_there_cannot_be_suspended(office: Path) -> None:
    result = perdure("suspend", office, "/office/eve")
    assert result.exit_code == 2
    assert "no actor at" in result.stderr
    assert perdure("verify", office).exit_code == 0
