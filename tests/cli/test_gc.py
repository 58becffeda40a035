"""`perdure gc`, as people and programs meet it."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.ledger.store import open_store
from tests.cli.verbs import COUNTER, answer, perdure, waiting_shop


@pytest.fixture
def three(own_home: Path) -> Path:
    """A home with three runs that are over."""
    for _ in range(3):
        assert perdure("run", COUNTER).exit_code == 0
    return own_home


def names(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir() if not path.is_symlink())


def test_a_dry_run_says_exactly_what_goes_then(three: Path) -> None:
    would = answer("gc", "--keep", "1", "--dry-run")
    assert names(three) == ["counter-1", "counter-2", "counter-3"]
    assert [each["run"] for each in would["gone"]] == ["counter-2", "counter-1"]
    assert would["bytes"] == sum(each["bytes"] for each in would["gone"]) > 0
    said = perdure("gc", "--keep", "1", "--dry-run").stdout
    assert "2 runs would go, " in said
    assert "; 1 run kept" in said
    done = answer("gc", "--keep", "1")
    assert {**done, "dry_run": True} == would
    assert names(three) == ["counter-3"]
    assert perdure("show", "last").exit_code == 0


def test_what_is_young_stays(three: Path) -> None:
    assert answer("gc", "--older-than", "1h")["gone"] == []
    assert len(answer("gc", "--older-than", "0s", "--keep", "2")["gone"]) == 1
    assert perdure("gc", "--older-than", "0s").stdout.splitlines()[-1].startswith("2 runs gone, ")
    assert names(three) == []


def test_a_run_that_is_not_over_stays_unless_it_is_asked_for(three: Path) -> None:
    (three / "counter-9").mkdir()  # about to be a run's, or what is left of one
    everything = ("--keep", "0", "--status", "finished,failed,waiting,interrupted,unreadable")
    assert [each["run"] for each in answer("gc", "--keep", "2")["gone"]] == ["counter-1"]
    store = open_store(three / "counter-2")
    form = answer("gc", *everything)
    assert sorted(each["run"] for each in form["gone"]) == ["counter-3", "counter-9"]
    assert [(each["run"], each["why"]) for each in form["kept"]] == [("counter-2", "going on")]
    store.close()


def test_a_run_that_waits_goes_when_it_is_asked_for(tmp_path: Path, own_home: Path) -> None:
    assert perdure("run", waiting_shop(tmp_path / "shop"), "--no-wait").exit_code == 4
    assert answer("gc", "--keep", "0")["gone"] == []
    assert len(answer("gc", "--keep", "0", "--status", "waiting")["gone"]) == 1


def test_a_link_to_a_run_elsewhere_is_left_alone(three: Path, tmp_path: Path) -> None:
    (three / "counter-1").rename(tmp_path / "elsewhere-1")
    (three / "counter-1").symlink_to(tmp_path / "elsewhere-1")
    assert perdure("gc", "--keep", "0").exit_code == 0
    assert (tmp_path / "elsewhere-1" / "ledger").is_dir()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "say what is to stay: --keep N, --older-than AGE, or both"),
        (("--keep", "-1"), "not in the range"),
        (("--older-than", "30"), "'30' is no age. Write a number and"),
        (("--keep", "1", "--status", "running"), "is no status of a run that may go"),
        (("--keep", "1", "--status", ""), "is no status of a run that may go"),
    ],
)
def test_wrong_options_are_refused(three: Path, options: tuple[str, ...], said: str) -> None:
    for more in ((), ("--json",)):
        result = perdure("gc", *options, *more)
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr
    assert len(names(three)) == 3


def test_a_home_that_is_not_there_has_nothing_to_delete(own_home: Path) -> None:
    assert answer("gc", "--keep", "0")["gone"] == []
    assert not own_home.exists()
