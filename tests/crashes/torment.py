"""A run killed again and again: where the kills fall, and what is checked after each."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tests.crashes.killing import ROOT, Job, Kill, Victim
from tests.crashes.wholeness import Snapshot, artifacts, check_files, check_money, look

LANDED_SHARE_MIN = 0.8
EARLY_SHARE = 0.25  # of the kills: while the process starts, whatever is recorded
AIMED_SHARE_MAX = 0.7  # of the records: the last group would end the run before the kill arrives
LATE_SECONDS_MAX = 0.004  # after the record that a kill aims at: into the next group, or two

SURVEY = ROOT / "scenarios" / "library_survey"
TRANSFERS = ROOT / "scenarios" / "transfers"


class Subject(NamedTuple):
    """A scenario to be killed, and what must hold in its ledger whenever it is dead."""

    name: str
    scenario: Path
    settings: tuple[str, ...]
    check: Callable[[Snapshot], None]

    def job(self, directory: Path) -> Job:
        return Job(self.scenario, directory, self.settings)


class Baseline(NamedTuple):
    """The same run, uninterrupted."""

    records: int
    report: dict[str, Any] | None
    artifacts: dict[str, bytes]
    start_seconds: float  # from the process's begin to its first group


@dataclass
class Tally:
    """What was done to how much."""

    kills: int = 0
    landed: int = 0  # those before the run was complete
    unborn: int = 0  # of these, those before there was a ledger
    runs: int = 0
    records: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.landed} of them landed ({self.landed_share:.0%}; "
            f"{self.unborn} before there was a ledger), {self.runs} runs, {self.records:,} records"
        )

    @property
    def landed_share(self) -> float:
        return self.landed / self.kills if self.kills else 1.0


def library(folder: Path, packages: Sequence[str]) -> Path:
    """A folder with the planted files that git holds, and some packages of the standard library."""
    shutil.copytree(ROOT / "tests" / "data" / "survey", folder)
    standard = Path(sysconfig.get_path("stdlib"))
    for name in packages:
        shutil.copytree(standard / name, folder / name)
    return folder


def survey(folder: Path, faults: float) -> Subject:
    """The survey of a folder."""
    files = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if "__pycache__" not in path.parts
    ]
    settings = (f"folder={folder}", f"faults={faults}")
    return Subject("survey", SURVEY, settings, lambda snapshot: check_files(snapshot, files))


def transfers(number: int, faults: float, accounts: int = 8) -> Subject:
    """So many transfers between accounts."""
    settings = (f"transfers={number}", f"accounts={accounts}", f"faults={faults}")
    return Subject(
        "transfers",
        TRANSFERS,
        settings,
        lambda snapshot: check_money(snapshot, accounts, 1_000, number),
    )


def uninterrupted(victim: Victim, subject: Subject, directory: Path) -> Baseline:
    """What the subject comes to when nobody kills it."""
    end = victim.run(subject.job(directory))
    assert end.report is not None, end
    snapshot = look(directory)
    subject.check(snapshot)
    assert snapshot.unreleased == ()
    out = artifacts(directory)
    return Baseline(snapshot.records, end.report, out, end.seconds_to_first_group)


def plan(random: Random, baseline: Baseline, number: int) -> list[Kill]:
    """When to kill a run: spread over its records, and some while it starts or recovers."""
    kills = []
    for i in range(number):
        if random.random() < EARLY_SHARE:
            kills.append(Kill(0, random.random() * 1.5 * baseline.start_seconds))
        else:
            share = (i + random.random()) / number * AIMED_SHARE_MAX
            seq = 1 + int(share * (baseline.records - 1))
            kills.append(Kill(seq, random.random() ** 3 * LATE_SECONDS_MAX))
    return kills


def torment(
    victim: Victim,
    subject: Subject,
    directory: Path,
    baseline: Baseline,
    kills: Sequence[Kill],
    tally: Tally,
) -> None:
    """Kill a run at each of the moments, resume it, and compare its end with the baseline's."""
    job = subject.job(directory)
    tally.kills += len(kills)
    tally.runs += 1
    end = None
    for kill in kills:
        end = victim.run(job, kill)
        assert end.error is None, end
        if not end.was_killed:
            break  # it was done before: this kill, and those after it, have not landed
        if (directory / "ledger" / "data.mdb").exists():
            snapshot = look(directory)
            subject.check(snapshot)
            tally.landed += snapshot.status != "finished"
        else:
            tally.landed += 1
            tally.unborn += 1
    if end is None or end.was_killed:
        end = victim.run(job)
    snapshot = look(directory)
    subject.check(snapshot)
    tally.records += snapshot.records
    assert end.report == baseline.report, end
    assert snapshot.unreleased == ()
    assert artifacts(directory) == baseline.artifacts
