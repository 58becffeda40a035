"""The survey from end to end, on a folder with everything in it that can be wrong with a file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from perdure import Report, Run
from perdure.ledger import records
from perdure.ledger.journal import read_record
from perdure.ledger.store import open_store
from tests.crashes.wholeness import artifacts, look
from tests.scenarios.modules import SCENARIOS
from tests.scenarios.plain_survey import figures, report_figures, survey
from tests.scenarios.plant import planted

SECONDS_MAX = 60.0


def run_survey(folder: Path, directory: Path, *settings: str) -> Report:
    with Run(
        SCENARIOS / "library_survey",
        directory,
        seed=7,
        settings=[f"folder={folder}", *settings],
    ) as run:
        return run.wait(SECONDS_MAX)


def index_and_report(directory: Path) -> tuple[dict[str, Any], str]:
    out = artifacts(directory)
    assert sorted(out) == ["index.json", "report.md"]
    return json.loads(out["index.json"]), out["report.md"].decode()


def journal(directory: Path) -> list[Any]:
    store = open_store(directory, write=False)
    try:
        return [read_record(raw).body for raw in store.records()]
    finally:
        store.close()


def test_every_figure_of_the_report_is_that_of_a_plain_loop(tmp_path: Path) -> None:
    with planted(tmp_path / "library") as library:
        report = run_survey(library.folder, tmp_path / "run")
        plain = survey(library.folder)
    index, markdown = index_and_report(tmp_path / "run")
    assert report.status == "finished"
    assert report.result == {
        "files": len(plain["files"]) + len(plain["unread"]),
        "unread": len(plain["unread"]),
    }
    assert index["files"] == plain["files"]
    assert sorted(index["unread"]) == plain["unread"] == list(library.unread)
    assert report_figures(markdown) == figures(plain)


def test_a_file_that_cannot_be_read_is_tried_three_times_and_then_listed(tmp_path: Path) -> None:
    with planted(tmp_path / "library") as library:
        run_survey(library.folder, tmp_path / "run")
    crashes = [body for body in journal(tmp_path / "run") if isinstance(body, records.Crash)]
    tries = Counter(body.message for body in crashes)
    assert set(tries.values()) == {3}
    assert len(tries) == len(library.unread)
    assert [body.counted for body in crashes if body.attempt > 1] == [False] * 2 * len(tries)
    index, markdown = index_and_report(tmp_path / "run")
    for path, error in library.unread.items():
        assert index["unread"][path].startswith(error)
        assert error in markdown


def test_random_faults_change_nothing_in_the_index(tmp_path: Path) -> None:
    with planted(tmp_path / "library") as library:
        run_survey(library.folder, tmp_path / "without")
        run_survey(library.folder, tmp_path / "with", "faults=0.5")
    without, with_faults = artifacts(tmp_path / "without"), artifacts(tmp_path / "with")
    struck = [
        body
        for body in journal(tmp_path / "with")
        if isinstance(body, records.Crash) and body.reason.startswith("RandomFault")
    ]
    assert struck
    assert with_faults["index.json"] == without["index.json"]
    look(tmp_path / "with")


def test_tokens_are_settled_to_what_was_parsed(tmp_path: Path) -> None:
    with planted(tmp_path / "library") as library:
        run_survey(library.folder, tmp_path / "run", "faults=0.5")
    results = [body for body in journal(tmp_path / "run") if isinstance(body, records.Result)]
    parsed = [body for body in results if body.ok and body.name == "source.parse"]
    index, _ = index_and_report(tmp_path / "run")
    assert len(parsed) == len(index["files"])
    sizes = sum(-(-facts["size"] // 4) for facts in index["files"].values())
    assert sum(body.tokens for body in parsed) == sizes


def test_readers_that_crash_too_often_bring_the_run_down(tmp_path: Path) -> None:
    with planted(tmp_path / "library") as library:
        report = run_survey(library.folder, tmp_path / "run", "intensity=3", "faults=1.0")
    assert report.status == "failed"
    assert "root" in report.reason
    assert artifacts(tmp_path / "run") == {}
    assert look(tmp_path / "run").status == "failed"


def test_the_ledger_of_a_failed_run_explains_why(tmp_path: Path) -> None:
    with planted(tmp_path / "library") as library:
        run_survey(library.folder, tmp_path / "run", "intensity=3", "faults=1.0")
    bodies = journal(tmp_path / "run")
    born = {seq: body for seq, body in enumerate(bodies, 1) if isinstance(body, records.Birth)}
    gave_up = [
        born[body.actor].address
        for body in bodies
        if isinstance(body, records.Turn)
        and any("reached_max_restart_intensity" in note for note in body.notes)
    ]
    assert gave_up == ["/survey/readers"] * 4 + ["/survey"]
    last = bodies[-1]
    assert isinstance(last, records.Status)
    assert (last.status, last.reason) == ("failed", "the root ended: shutdown")
