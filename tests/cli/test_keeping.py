"""The verbs that keep a run, while it goes on in another process that was stopped: none waits."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.ledger import copies
from perdure.runtime.ingress import post
from tests.cli.verbs import answer, lines, perdure
from tests.desk import at_desk, going_on

Owner = tuple[subprocess.Popen[str], Path]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """A run whose process was stopped, with a post in its spool."""
    words, directory = at_desk(tmp_path_factory.mktemp("stopped"))
    with going_on(*words, directory=directory) as owner:
        os.kill(owner.pid, signal.SIGSTOP)
        post(directory, "tell", {"to": "/desk/counter", "message": {"$": "Add", "number": 4}})
        yield owner, directory


def test_a_live_run_is_verified_as_of_a_moment(
    stopped: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, directory = stopped
    before = sorted(os.listdir(directory))
    said = perdure("verify", directory)
    assert said.exit_code == 0
    assert " is whole as of record " in said.stdout
    assert "what came since is not in it" in said.stderr
    form = answer("verify", directory)
    assert (form["live"], form["ok"], form["violations"]) == (True, True, [])
    assert sorted(os.listdir(directory)) == before
    monkeypatch.setattr(copies, "COPY_FREE_BYTES_MIN", 1 << 60)
    refused = perdure("verify", directory)
    assert refused.exit_code == 2
    assert "Make room there." in refused.stderr


def test_a_live_run_is_exported_up_to_what_was_its_last_record(stopped: Owner) -> None:
    found = lines("export", stopped[1])
    assert [form["seq"] for form in found[:-1]] == list(range(1, found[-1]["last"] + 1))


def test_a_live_run_is_looked_at_by_the_doctor(stopped: Owner) -> None:
    owner, directory = stopped
    found = {each["about"]: each for each in answer("doctor", directory)["findings"]}
    assert found["process"]["text"] == f"process {owner.pid} is at the run"
    assert found["posts"]["text"].startswith("1 waiting")
    assert found["ledger"]["verdict"] == "ok"


def test_a_live_run_is_backed_up_without_its_posts(stopped: Owner, tmp_path: Path) -> None:
    said = perdure("backup", stopped[1], tmp_path / "copy")
    assert said.exit_code == 0
    assert "1 post that the run had not taken yet: not in the backup." in said.stderr


def test_a_live_run_is_shipped(stopped: Owner, tmp_path: Path) -> None:
    assert answer("ship", stopped[1], tmp_path / "url")["new_records"] > 0
    assert perdure("unship", tmp_path / "url", tmp_path / "copy").exit_code == 0
