"""`perdure reload`: another process gives a live run its code as it is now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from perdure import Run
from tests.cli.verbs import perdure as perdure_here
from tests.cli.verbs import process
from tests.runtime.reloads import CODE, MIGRATED, SCENARIO, look, put, second


class Result(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


def perdure(*args: str | Path) -> Result:
    """What `perdure ARGS` says in a process of its own: the run is in this one."""
    verb = process(*args)
    stdout, stderr = verb.communicate(timeout=60)
    return Result(verb.returncode, stdout, stderr)


def answer(*args: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(perdure(*args, "--json").stdout.splitlines()[-1])
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scenario.toml").write_text(SCENARIO)
    (tmp_path / "actors.py").write_text(CODE)
    return tmp_path


@pytest.fixture
def live(folder: Path) -> Iterator[Run]:
    with Run(folder, folder / "run", seed=1) as run:
        put(run, "tea")
        yield run


def test_a_live_run_goes_on_with_the_new_code_and_the_verb_says_who_has_it(
    live: Run, folder: Path
) -> None:
    (folder / "actors.py").write_text(MIGRATED)
    result = perdure("reload", folder / "run")
    assert result.exit_code == 0, result.stderr
    assert "class     Shelf   version 1 → 2" in result.stdout
    assert "changed   3 actors, 2 migrated" in result.stdout
    assert look(live)[:2] == [2, ["TEA"]]
    told = answer("show", folder / "run")["code"]
    assert [version["scope"] for version in told] == [[], []]
    assert told[-1]["code"][:12] in perdure("show", folder / "run").stdout
    assert "Shelf 1 → 2" in perdure("trace", folder / "run").stdout


def test_who_keeps_the_old_code_is_named_and_the_tree_shows_it(live: Run, folder: Path) -> None:
    put(live, "bad")
    (folder / "actors.py").write_text(MIGRATED)
    result = perdure("reload", folder / "run")
    assert result.exit_code == 1
    assert "/store/shelf keeps the old code: ValueError: a bad thing" in result.stderr
    assert "old code: ValueError: a bad thing" in perdure("tree", folder / "run").stdout
    assert answer("tree", folder / "run")["tree"][0]["children"][0]["old_code"]


def test_one_address_alone(live: Run, folder: Path) -> None:
    (folder / "actors.py").write_text(second())
    told = answer("reload", folder / "run", "/store/other")
    assert (told["changed"], told["under_way"], told["kept"]) == (1, 0, {})
    assert (look(live)[0], look(live, "/store/other")[0]) == (1, 2)
    assert answer("show", folder / "run")["code"][-1]["scope"] == ["/store/other"]


def test_code_that_does_not_load_is_an_error_of_the_verb_and_the_run_goes_on(
    live: Run, folder: Path
) -> None:
    (folder / "actors.py").write_text(CODE + "\nclass :\n")
    result = perdure("reload", folder / "run")
    assert result.exit_code == 2
    assert "actors.py:" in result.stderr
    assert look(live)[:2] == [1, ["tea"]]
    assert perdure("reload", folder / "run", "/nobody").exit_code == 2


def test_a_run_that_no_process_is_at_is_to_be_resumed(live: Run, folder: Path) -> None:
    live.drain()
    live.kernel.ended.wait()
    result = perdure_here("reload", folder / "run")
    assert result.exit_code == 2
    assert "perdure resume" in result.stderr
