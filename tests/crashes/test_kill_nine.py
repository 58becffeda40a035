"""`kill -9` at any instant: the run goes on where its ledger ends, and ends as if nothing was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from perdure import Run
from perdure.errors import NotALedger
from perdure.ledger.journal import read_record
from perdure.ledger.records import Body, Result, Turn
from perdure.ledger.store import open_store
from tests.crashes.killing import KILLS_EVERY, ROOT, Job, Kill, Victim
from tests.crashes.torment import (
    LANDED_SHARE_MIN,
    SURVEY,
    Subject,
    Tally,
    library,
    plan,
    survey,
    torment,
    transfers,
    uninterrupted,
)
from tests.crashes.wholeness import artifacts, look

COUNTER = ROOT / "scenarios" / "counter"
COUNTED = {"status": "finished", "reason": "", "result": {"total": 42}}
START_MOMENTS = 10
KILLS_A_RUN = 5


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    with Victim() as process:
        yield process


@pytest.mark.parametrize("crash", ["crash_at", "crash_before"])
def test_a_run_killed_at_any_record_of_the_counter_ends_with_the_same_result(
    victim: Victim, tmp_path: Path, crash: str
) -> None:
    whole = victim.run(Job(COUNTER, tmp_path / "whole"))
    assert whole.report == COUNTED
    for seq in range(1, whole.durable + 1):
        job = Job(COUNTER, tmp_path / str(seq))
        assert victim.run(job._replace(**{crash: seq})).was_killed
        assert look(job.directory).records <= max(seq, first_group(job.directory))
        end = victim.run(job)
        assert end.report == COUNTED, (seq, end)
        assert look(job.directory).status == "finished"


def first_group(directory: Path) -> int:
    """Where the beginning of a run ends, which is one piece: the record that starts the root."""
    return next(seq for seq, body in bodies(directory).items() if body.sends)


def test_a_survey_killed_at_any_record_redoes_no_step_and_ends_with_the_same_index(
    victim: Victim, tmp_path: Path
) -> None:
    folder = small_library(tmp_path / "library", files=1)
    (folder / "broken.py").write_text("(\n")
    settings = (f"folder={folder}", "readers=1")
    whole = victim.run(Job(SURVEY, tmp_path / "whole", settings))
    for seq in range(1, whole.durable + 1, KILLS_EVERY):
        job = Job(SURVEY, tmp_path / str(seq), settings)
        assert victim.run(job._replace(crash_at=seq)).was_killed
        look(job.directory)
        end = victim.run(job)
        assert end.report == whole.report, (seq, end)
        look(job.directory)
        assert artifacts(job.directory) == artifacts(tmp_path / "whole")
        assert steps_done_twice(job.directory) == []


def small_library(folder: Path, files: int) -> Path:
    folder.mkdir()
    for number in range(files):
        (folder / f"{number}.py").write_text("x = 1\n")
    return folder


def steps_done_twice(directory: Path) -> list[tuple[object, ...]]:
    """Steps of one message that succeeded more than once."""
    done = Counter(
        (body.message, body.key)
        for body in bodies(directory).values()
        if isinstance(body, Result) and body.ok
    )
    return [step for step, times in done.items() if times > 1]


def test_a_run_killed_while_it_starts_can_be_begun_or_resumed(
    victim: Victim, tmp_path: Path
) -> None:
    subject = transfers(150, 0.0)
    tally = Tally()
    baseline = uninterrupted(victim, subject, tmp_path / "whole")
    for moment in range(START_MOMENTS):
        kill = Kill(0, moment / START_MOMENTS * baseline.start_seconds)
        torment(victim, subject, tmp_path / str(moment), baseline, [kill, kill], tally)
    assert tally.landed_share >= LANDED_SHARE_MIN, tally


def test_a_run_killed_before_there_was_a_ledger_cannot_be_resumed_and_runs_anew(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "run"
    directory.mkdir()
    with pytest.raises(NotALedger):
        Run.resume(directory)
    with Run(COUNTER, directory) as run:
        assert run.wait(60).result == {"total": 42}


def test_a_ledger_in_which_nothing_was_recorded_cannot_be_resumed_and_is_taken_as_new(
    tmp_path: Path,
) -> None:
    open_store(tmp_path / "run", create=True).close()
    with pytest.raises(NotALedger, match="there is nothing to resume"):
        Run.resume(tmp_path / "run")
    with Run(COUNTER, tmp_path / "run") as run:
        assert run.wait(60).result == {"total": 42}


def test_an_artifact_killed_between_its_record_and_its_file_is_put_in_place_at_resume(
    victim: Victim, tmp_path: Path
) -> None:
    subject = transfers(2, 0.0, accounts=2)
    baseline = uninterrupted(victim, subject, tmp_path / "whole")
    seq = publishing_record(tmp_path / "whole")
    job = subject.job(tmp_path / "at")
    assert victim.run(job._replace(crash_at=seq)).was_killed
    assert look(job.directory).unreleased == ("ledger.json",)
    assert artifacts(job.directory) == {}
    assert victim.run(job).report == baseline.report
    assert look(job.directory).unreleased == ()
    assert artifacts(job.directory) == baseline.artifacts


def test_an_artifact_killed_before_its_record_is_durable_is_not_out(
    victim: Victim, tmp_path: Path
) -> None:
    subject = transfers(2, 0.0, accounts=2)
    baseline = uninterrupted(victim, subject, tmp_path / "whole")
    seq = publishing_record(tmp_path / "whole")
    job = subject.job(tmp_path / "before")
    assert victim.run(job._replace(crash_before=seq)).was_killed
    snapshot = look(job.directory)
    assert (snapshot.records, snapshot.unreleased) == (seq - 1, ())
    assert artifacts(job.directory) == {}
    assert victim.run(job).report == baseline.report
    assert artifacts(job.directory) == baseline.artifacts


def publishing_record(directory: Path) -> int:
    """The record of the only turn with an artifact."""
    found = bodies(directory).items()
    (seq,) = [seq for seq, body in found if isinstance(body, Turn) and body.artifacts]
    return seq


def bodies(directory: Path) -> dict[int, Body]:
    """What the records of a ledger say, by seq."""
    store = open_store(directory, write=False)
    try:
        return {raw.seq: read_record(raw).body for raw in store.records()}
    finally:
        store.close()


def test_a_run_that_is_over_is_over_when_it_is_resumed(victim: Victim, tmp_path: Path) -> None:
    subject = transfers(5, 0.0)
    baseline = uninterrupted(victim, subject, tmp_path)
    end = victim.run(subject.job(tmp_path))
    assert end.report == baseline.report
    assert artifacts(tmp_path) == baseline.artifacts


def test_a_run_that_fails_also_fails_when_it_is_killed_at_any_moment_of_that(
    victim: Victim, tmp_path: Path
) -> None:
    folder = small_library(tmp_path / "library", files=6)
    settings = (f"folder={folder}", "faults=1.0", "intensity=0", "readers=1")
    failed = {"status": "failed", "reason": "the root ended: shutdown", "result": None}
    whole = victim.run(Job(SURVEY, tmp_path / "whole", settings))
    assert whole.report == failed
    end_of_it = range(whole.durable - 8, whole.durable + 1)
    moments = sorted({*range(1, whole.durable, 6), *end_of_it})
    killed = 0
    for seq in moments:
        job = Job(SURVEY, tmp_path / str(seq), settings)
        killed += victim.run(job._replace(crash_at=seq)).was_killed
        look(job.directory)
        end = victim.run(job)
        assert end.report == failed, (seq, end)
        assert look(job.directory).status == "failed"
    assert killed >= LANDED_SHARE_MIN * len(moments)


def test_a_survey_killed_again_and_again_ends_with_the_same_index(
    victim: Victim, tmp_path: Path
) -> None:
    folder = library(tmp_path / "library", ["json", "email"])
    without_faults = uninterrupted(victim, survey(folder, 0.0), tmp_path / "without")
    tally = killed(victim, survey(folder, 0.2), tmp_path, runs=2)
    assert tally.landed_share >= LANDED_SHARE_MIN, tally
    for run in range(2):
        assert artifacts(tmp_path / str(run)) == without_faults.artifacts


def test_transfers_killed_again_and_again_are_applied_exactly_once(
    victim: Victim, tmp_path: Path
) -> None:
    tally = killed(victim, transfers(1_500, 0.2), tmp_path, runs=2)
    assert tally.landed_share >= LANDED_SHARE_MIN, tally


def killed(victim: Victim, subject: Subject, tmp_path: Path, runs: int) -> Tally:
    """Some runs of a subject, each killed at moments of its own."""
    tally = Tally()
    random = Random(subject.name)
    baseline = uninterrupted(victim, subject, tmp_path / "whole")
    for run in range(runs):
        moments = plan(random, baseline, KILLS_A_RUN)
        torment(victim, subject, tmp_path / str(run), baseline, moments, tally)
    print(tally)
    return tally
