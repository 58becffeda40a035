"""Messages that kill their process: each becomes a dead letter, and the run goes on without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from perdure.limits import INTERRUPTIONS_MAX
from tests.crashes.wholeness import look
from tests.sources import ROOT

SCENARIO = """
format = 1
name = "killers"
goal = "Outlive them."
code = "actors.py"
[settings]
how = "async"
[tree]
id = "k"
strategy = "one_for_one"
[[tree.children]]
id = "sender"
actor = "Sender"
init = { how = "${how}" }
[[tree.children]]
id = "async"
actor = "Async"
[[tree.children]]
id = "plain"
actor = "Plain"
[[tree.children]]
id = "quick"
actor = "Quick"
[[tree.children]]
id = "asker"
actor = "Asker"
[[tree.children]]
id = "bystander"
actor = "Bystander"
[[tell]]
to = "/k/sender"
message = { "$" = "Go" }
"""
ACTORS = """
from __future__ import annotations
import asyncio
import os
from perdure import Actor, message, nonblocking
from perdure.errors import Crashed

@message
class Go:
    pass

def now() -> int:
    os._exit(9)

class Sender(Actor):
    how: str

    async def on_receive(self, message: Go) -> None:
        self.tell("../bystander", "work")
        if self.how == "asker":
            self.tell("../asker", "ask")
        else:
            self.tell("../" + self.how.split()[0], self.how)
        self.tell("../bystander", "more")

class Async(Actor):
    async def on_receive(self, message: str) -> None:
        if "step" in message:
            await self.once(now)
        await asyncio.sleep(0)
        os._exit(9)

class Plain(Actor):
    def on_receive(self, message: str) -> None:
        os._exit(9)

class Quick(Actor):
    @nonblocking
    def on_receive(self, message: str) -> None:
        os._exit(9)

class Asker(Actor):
    async def on_receive(self, message: str) -> None:
        try:
            await self.ask("../async", message)
        except Crashed as crashed:
            await self.artifact("told.txt", str(crashed))

class Bystander(Actor):
    count: int = 0

    async def on_receive(self, message: str) -> None:
        await asyncio.sleep(0)
        self.count += 1
        if self.count == 2:
            await self.artifact("done.txt", "2")
"""


def perdure(*args: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("perdure")), *map(str, args)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    folder = tmp_path / "killers"
    folder.mkdir()
    (folder / "scenario.toml").write_text(SCENARIO)
    (folder / "actors.py").write_text(ACTORS)
    return folder


@pytest.mark.parametrize("how", ["async step", "plain", "quick", "asker"])
def test_a_message_that_kills_its_process_is_a_dead_letter_and_the_run_finishes(
    scenario: Path, tmp_path: Path, how: str
) -> None:
    run = tmp_path / "run"
    ended = perdure("run", scenario, "--ledger", run, "--set", f"how={how}")
    deaths = 0
    while ended.returncode == 9:
        deaths += 1
        assert deaths <= INTERRUPTIONS_MAX + 1, "it is handled for ever"
        look(run)
        ended = perdure("resume", run)
    assert (ended.returncode, deaths >= INTERRUPTIONS_MAX) == (0, True), ended
    assert "kills_process" in ended.stdout + ended.stderr
    dead = perdure("dead", run).stdout
    assert dead.count("kills_process") == 1
    victim = "async" if how == "asker" else how.split(maxsplit=1)[0]
    assert f"/k/{victim}" in dead
    assert (run / "artifacts" / "done.txt").read_text() == "2"
    if how == "asker":
        assert "kills_process" in (run / "artifacts" / "told.txt").read_text()
    replayed = perdure("replay", run)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert perdure("verify", run).returncode == 0
