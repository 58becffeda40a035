"""A replay of a run on disk: a crashed survey whose folder is gone, where there is no network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from perdure import Child, Run, SupervisorSpec
from perdure.errors import UsageError
from perdure.ids import MessageId
from perdure.ledger import records
from perdure.runtime.program import Program
from perdure.runtime.replay import Cast, Replay
from perdure.runtime.view import View
from tests.lived import lived
from tests.scenarios.modules import SCENARIOS
from tests.scenarios.plant import planted

SECONDS_MAX = 60.0
NO_NETWORK = ["unshare", "--net", "--"]
REPLAY = "from perdure.cli.main import main; main()"


@pytest.fixture(scope="module")
def crashed_survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A survey that failed: too many of its readers crashed. The folder that it read is gone."""
    place = tmp_path_factory.mktemp("survey")
    settings = ["faults=0.5", "intensity=2", "readers=2"]
    with planted(place / "library") as library:
        settings.append(f"folder={library.folder}")
        with Run(SCENARIOS / "library_survey", place / "run", seed=7, settings=settings) as run:
            assert run.wait(SECONDS_MAX).status == "failed"
    shutil.rmtree(place / "library")
    return place / "run"


@pytest.fixture
def no_network() -> list[str]:
    """What to put before a command that is to see no network at all."""
    tried = subprocess.run([*NO_NETWORK, "true"], capture_output=True, text=True)
    if tried.returncode:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(f"no network namespace can be made: {tried.stderr.strip()}")
    return NO_NETWORK


def without_network(prefix: list[str], *args: str | Path) -> subprocess.CompletedProcess[str]:
    """`perdure replay ARGS` where there is no network."""
    command = [*prefix, sys.executable, "-c", REPLAY, "replay", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)


def test_a_crashed_survey_replays_to_its_crash_without_its_folder_and_without_a_network(
    crashed_survey: Path, no_network: list[str]
) -> None:
    done = without_network(no_network, crashed_survey)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every state hash and intent identical" in done.stdout
    crash = done.stdout[done.stdout.index("crashed at record") :]
    assert "Read(" in crash.splitlines()[0]
    assert "faults = 0.5" in crash
    told = json.loads(without_network(no_network, crashed_survey, "--json").stdout.splitlines()[-1])
    with View(crashed_survey) as view:
        bodies = [record.body for record in view.records()]
    reasons = [body.reason for body in bodies if isinstance(body, records.Crash)]
    assert reasons[-1] in crash
    crashes = len(reasons)
    assert (told["identical"], told["crashes"]) == (True, crashes)
    assert told["turns"] + told["decisions"] + crashes <= sum(
        isinstance(body, records.Turn | records.Crash) for body in bodies
    )


def test_every_turn_of_user_code_and_every_decision_is_among_those_replayed(
    crashed_survey: Path,
) -> None:
    """What is left out ran no code: stops of actors without `on_stop`, and what a supervisor that
    has ended was still to be told.
    """
    with View(crashed_survey) as view, Replay(view, Cast.recorded(view.run)) as replay:
        run_again = {scene.seq for scene in replay.scenes()}
        for record in view.records():
            if isinstance(record.body, records.Crash):
                assert record.seq in run_again
            elif isinstance(record.body, records.Turn) and record.seq not in run_again:
                message = view.message(MessageId(*record.body.message))
                assert type(message).__name__ in ("perdure.stop", "perdure.kill", "perdure.stopped")


def test_a_run_begun_from_python_needs_to_be_told_its_code() -> None:
    with pytest.raises(UsageError, match="--code FILE"):
        Cast.recorded(View(lived()).run)
    with pytest.raises(UsageError, match=r"there is no file .*gone\.py"):
        Cast.load(Path("gone.py"))
    with pytest.raises(UsageError, match=r"has no scenario\.toml"):
        Cast.load(Path(__file__).parent)


def test_a_replay_goes_to_the_point_that_is_named() -> None:
    view, program = View(lived()), Program.of(Child("r", supervisor=SupervisorSpec()))
    with Replay(view, Cast.of(program)) as replay:
        assert replay.last == view.head.seq
    with Replay(view, Cast.of(program), until="12") as replay:
        assert [scene.seq for scene in replay.scenes()][-1] <= replay.seq == 12
    with pytest.raises(UsageError, match="no mark 'half'"):
        Replay(view, Cast.of(program), until="half")
