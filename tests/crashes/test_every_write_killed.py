"""The same worlds on a real ledger, with a real `kill -9` at a sample of their records."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from perdure.runtime.verdicts import did_not_happen, happened
from perdure.runtime.view import View
from perdure.testing.ends import end_of
from tests.crashes.killing import End, Job, Victim
from tests.crashes.wholeness import look

EVERY = 2 * int(os.environ.get("FAULTS_EVERY", "20"))
SPEED = 500
SCENARIO = """
format = 1
name = "w"
goal = "Do everything, and die of nothing."
code = "actors.py"
[budget]
tokens = 100
[tree]
id = "r"
strategy = "one_for_one"
intensity = 1000
"""
ACTORS = """
from tests.crashes.worlds import Do, Doer, Echo, Mute, PlainDoer, Waiter
"""
CHILDREN = {"doer": "worlds.doer", "plain": "worlds.plain_doer", "waiter": "worlds.waiter"}
OTHERS = {"mute": "worlds.mute", "echo": "worlds.echo"}
TELLS = [("doer", 1), ("doer", 2), ("plain", 3), ("waiter", 0)]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The scenario; its tools leave a line in `log` beside it for each call."""
    folder = tmp_path / "world"
    folder.mkdir()
    children = "".join(
        f'[[tree.children]]\nid = "{id}"\nactor = "{actor}"\nbackoff = {{ first = 0.01 }}\n'
        + ("attempts_max = 1\n" if id == "echo" else "")
        for id, actor in (CHILDREN | OTHERS).items()
    )
    tells = "".join(
        f'[[tell]]\nto = "/r/{to}"\nmessage = {{ "$" = "worlds.do", what = "do", n = {n} }}\n'
        for to, n in TELLS
    )
    (folder / "scenario.toml").write_text(SCENARIO + children + tells)
    (folder / "actors.py").write_text(ACTORS)
    monkeypatch.setenv("WORLDS_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("WORLDS_SPEED", str(SPEED))
    return folder


def calls(folder: Path) -> list[str]:
    return sorted((folder.parent / "log").read_text().splitlines())


def finish(victim: Victim, job: Job) -> End:
    """Take a run up until it is over; of what is in doubt, say what the log says."""
    while True:
        end = victim.run(job)
        with View(job.directory) as view:
            doubts = [(doubt.intent, view.call(doubt.intent)) for doubt in view.doubts()]
        if not doubts:
            return end
        for intent, call in doubts:
            name, n = call.partition("(")[0].removeprefix("worlds."), call.partition("=")[2][:-1]
            times = calls(job.scenario).count(f"{name} {n}")
            if times - (name == "mail") > 0:
                results = {"delete": f"deleted {n}", "mail": f"mailed {n}"}
                square = int(n) ** 2 if name == "run" else int(n)
                happened(job.directory, intent, results.get(name, square))
            else:
                did_not_happen(job.directory, intent)


def what_happened(job: Job) -> dict[str, str]:
    with View(job.directory) as view:
        return end_of(view.store)


def effects(folder: Path) -> set[str]:
    """The effects that happened, for none may happen twice but those that are idempotent."""
    found = [call for call in calls(folder) if not call.startswith(("read", "look", "pay"))]
    keyed = {call for call in calls(folder) if call.startswith("pay")}
    assert len(found) == len(set(found)) + 2, found  # each mail is tried twice
    assert len(keyed) == 3, keyed  # one key for each payment
    return set(found)


def test_worlds_killed_at_records_of_a_real_ledger_end_as_if_they_had_not_been(
    world: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with Victim() as victim:
        whole = Job(world, tmp_path / "whole")
        end = victim.run(whole)
        assert end.report is not None, end
        expected, done = what_happened(whole), effects(world)
        for seq in range(5, end.durable, EVERY):
            where = "crash_before" if seq // EVERY % 2 else "crash_at"
            log.unlink()
            job = Job(world, tmp_path / f"{where}-{seq}")
            victim.run(job._replace(**{where: seq}))
            log.touch()
            look(job.directory)
            assert finish(victim, job).report == end.report
            look(job.directory)
            assert what_happened(job) == expected, job
            assert effects(world) == done, job
