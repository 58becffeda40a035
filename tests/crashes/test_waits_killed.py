"""`kill -9` while actors sleep and wait: each wakes once, and each ask ends once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.ledger.journal import read_record
from perdure.ledger.records import Ask, Body, Result
from perdure.ledger.store import open_store
from tests.crashes.killing import Job, Kill, Victim
from tests.crashes.wholeness import look

SLEEPERS = 20
SCENARIO = """
format = 1
name = "dormitory"
goal = "Wake up, once."
code = "actors.py"
[settings]
sleepers = 4
seconds = 0.05
[tree]
id = "d"
strategy = "one_for_one"
[[tree.children]]
id = "${i}"
count = "${sleepers}"
actor = "Sleeper"
init = { seconds = "${seconds}" }
[[tree.children]]
id = "mute"
actor = "Mute"
[[tree.children]]
id = "warden"
actor = "Warden"
init = { sleepers = "${sleepers}" }
[[tell]]
to = "/d/warden"
message = { "$" = "Night" }
"""
ACTORS = """
from __future__ import annotations
from perdure import Actor, field, message
from perdure.errors import AskTimeout

@message
class Night:
    pass

@message
class Woke:
    who: str
    how: str

class Sleeper(Actor):
    seconds: float

    async def on_receive(self, message: Night) -> None:
        await self.sleep(self.seconds)
        try:
            how = await self.ask("../mute", message, timeout=self.seconds)
        except AskTimeout:
            how = "no answer"
        self.tell("../warden", Woke(self.address, how))

class Mute(Actor):
    async def on_receive(self, message: Night) -> str:
        await self.sleep(3_600)
        return "an answer"

class Warden(Actor):
    sleepers: int
    woken: list[str] = field(default_factory=list)

    async def on_receive(self, message: Night | Woke) -> None:
        if isinstance(message, Night):
            for n in range(1, self.sleepers + 1):
                self.tell(f"../{n}", Night())
            return
        self.woken.append(f"{message.who} {message.how}")
        if len(self.woken) == self.sleepers:
            self.finish(sorted(self.woken))
"""


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    with Victim() as process:
        yield process


@pytest.fixture
def dormitory(tmp_path: Path) -> Path:
    folder = tmp_path / "dormitory"
    folder.mkdir()
    (folder / "scenario.toml").write_text(SCENARIO)
    (folder / "actors.py").write_text(ACTORS)
    return folder


def woken(number: int) -> list[str]:
    return sorted(f"/d/{n} no answer" for n in range(1, number + 1))


def bodies(directory: Path) -> list[Body]:
    store = open_store(directory, write=False)
    try:
        return [read_record(raw).body for raw in store.records()]
    finally:
        store.close()


def assert_each_wait_was_begun_and_settled_once(directory: Path, number: int) -> None:
    found = bodies(directory)
    for kind in (Ask, Result):
        steps = Counter((body.message, body.key) for body in found if isinstance(body, kind))
        assert set(steps.values()) == {1}
        assert len(steps) in (2 * number, 2 * number + 1)  # with the sleep of the mute one


def test_sleeps_and_timeouts_killed_at_any_record_end_once(
    victim: Victim, dormitory: Path, tmp_path: Path
) -> None:
    whole = victim.run(Job(dormitory, tmp_path / "whole"))
    assert whole.report is not None
    assert whole.report["result"] == woken(4)
    for seq in range(1, whole.durable + 1):
        job = Job(dormitory, tmp_path / str(seq))
        victim.run(job._replace(crash_at=seq))
        look(job.directory)
        end = victim.run(job)
        assert end.report == whole.report, (seq, end)
        look(job.directory)
        assert_each_wait_was_begun_and_settled_once(job.directory, 4)


def test_many_sleepers_killed_while_all_sleep_wake_once(
    victim: Victim, dormitory: Path, tmp_path: Path
) -> None:
    """The process is dead when they should wake: they do when the next one begins."""
    job = Job(dormitory, tmp_path / "run", (f"sleepers={SLEEPERS}", "seconds=0.5"))
    seq = 1
    assert victim.run(job._replace(crash_at=seq)).was_killed
    while not asleep_all(job.directory):
        seq += SLEEPERS
        assert victim.run(job, Kill(seq, 0.02)).was_killed
    end = victim.run(job)
    assert end.report is not None
    assert end.report["result"] == woken(SLEEPERS)
    look(job.directory)
    assert_each_wait_was_begun_and_settled_once(job.directory, SLEEPERS)


def asleep_all(directory: Path) -> bool:
    """Whether all have begun to sleep, and none has woken."""
    found = bodies(directory)
    begun = [body for body in found if isinstance(body, Ask) and body.key == "sleep#1"]
    woken = [body for body in found if isinstance(body, Result)]
    assert woken == [], "it was killed too late"
    return len(begun) == SLEEPERS
