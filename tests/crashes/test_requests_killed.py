"""`kill -9` in the middle of what a supervisor is asked: each request is done and answered once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.ledger.journal import read_record
from perdure.ledger.records import Ask, Turn
from perdure.ledger.store import open_store
from tests.crashes.killing import KILLS_EVERY, Job, Victim
from tests.crashes.wholeness import look

SCENARIO = """
format = 1
name = "office"
goal = "Ask a supervisor for everything."
code = "actors.py"
[tree]
id = "o"
strategy = "one_for_one"
[[tree.children]]
id = "pool"
strategy = "one_for_one"
children = []
[[tree.children]]
id = "boss"
actor = "Boss"
[[tell]]
to = "/o/boss"
message = { "$" = "Begin" }
"""
ACTORS = """
from __future__ import annotations
from perdure import Actor, Child, message
from perdure.errors import CallFailed
from perdure.supervisors import (
    CountChildren, DeleteChild, RestartChild, StartChild, TerminateChild,
)

@message
class Begin:
    pass

class Clerk(Actor):
    starts: int = 0
    fails: bool = False

    async def on_start(self) -> None:
        self.starts += 1
        if self.fails:
            raise OSError("no desk")

    async def on_stop(self) -> None:
        await self.sleep(0.001)

    async def on_receive(self, message: str) -> int:
        return self.starts

class Boss(Actor):
    async def on_receive(self, message: Begin) -> None:
        told = []
        for request in (
            StartChild(Child("a", Clerk)), StartChild(Child("a", Clerk)),
            StartChild(Child("b", Clerk, init={"fails": True})), TerminateChild("a"),
            RestartChild("a"), CountChildren(), TerminateChild("a"), DeleteChild("a"),
        ):
            try:
                told.append(str(await self.ask("../pool", request)))
            except CallFailed as error:
                told.append(error.why)
        self.finish(told)
"""
TOLD = [
    "/o/pool/a", "already_started", "start_failed", "None",
    "/o/pool/a", "{'specs': 1, 'active': 1, 'supervisors': 0, 'workers': 1}", "None", "None",
]  # fmt: skip


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    with Victim() as process:
        yield process


@pytest.fixture
def office(tmp_path: Path) -> Path:
    folder = tmp_path / "office"
    folder.mkdir()
    (folder / "scenario.toml").write_text(SCENARIO)
    (folder / "actors.py").write_text(ACTORS)
    return folder


def assert_each_was_asked_and_answered_once(directory: Path) -> None:
    store = open_store(directory, write=False)
    try:
        found = [read_record(raw).body for raw in store.records()]
    finally:
        store.close()
    keys = [body.key for body in found if isinstance(body, Ask)]
    asks = Counter(key for key in keys if key.startswith("ask"))
    answers = Counter(body.answer[0][3] for body in found if isinstance(body, Turn) and body.answer)
    assert len(asks) == len(TOLD)
    assert asks == answers
    assert set(asks.values()) == {1}


def test_requests_killed_at_any_record_are_done_and_answered_once(
    victim: Victim, office: Path, tmp_path: Path
) -> None:
    whole = victim.run(Job(office, tmp_path / "whole"))
    assert whole.report is not None
    assert whole.report["result"] == TOLD
    for seq in range(1, whole.durable + 1, KILLS_EVERY):
        job = Job(office, tmp_path / str(seq))
        victim.run(job._replace(crash_at=seq))
        look(job.directory)
        end = victim.run(job)
        assert end.report == whole.report, (seq, end)
        look(job.directory)
        assert_each_was_asked_and_answered_once(job.directory)
