"""`kill -9` while actors sleep and wait: each wakes once, and each ask ends once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.ledger.journal import read_record
from perdure.ledger.records import Ask, Body, Result
from perdure.ledger.store import open_store
from tests.crashes.killing import KILLS_EVERY, Job, Kill, Victim
from tests.crashes.wholeness import look

SLEEPERS = 20
NAPS_SECONDS = (
    0.5,
    2.0,
    8.0,
    32.0,
)  # the first that this machine, on this day, is quick enough for
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
    for seq in range(1, whole.durable + 1, KILLS_EVERY):
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
    job = next(
        job
        for seconds in NAPS_SECONDS
        if killed_asleep(victim, job := sleeping(dormitory, tmp_path / f"{seconds}", seconds))
    )
    end = victim.run(job)
    assert end.report is not None
    assert end.report["result"] == woken(SLEEPERS)
    look(job.directory)
    assert_each_wait_was_begun_and_settled_once(job.directory, SLEEPERS)


def sleeping(dormitory: Path, directory: Path, seconds: float) -> Job:
    return Job(dormitory, directory, (f"sleepers={SLEEPERS}", f"seconds={seconds}"))


def killed_asleep(victim: Victim, job: Job) -> bool:
    """Kill it until all have begun to sleep; False if the machine is so slow that one woke."""
    seq = 1
    victim.run(job._replace(crash_at=seq))
    while not is_awake(job.directory):
        if asleep(job.directory) == SLEEPERS:
            return True
        seq += SLEEPERS
        if not victim.run(job, Kill(seq, 0.02)).was_killed:
            return False
    return False


def is_awake(directory: Path) -> bool:
    """Whether one has woken."""
    return any(isinstance(body, Result) for body in bodies(directory))


def asleep(directory: Path) -> int:
    """How many have begun to sleep."""
    found = bodies(directory)
    return sum(isinstance(body, Ask) and body.key == "sleep#1" for body in found)
