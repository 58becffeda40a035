"""`perdure stats`: figures of turns and tools, and predictions compared with what happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.verbs import COUNTER, answer, perdure, shop


@pytest.fixture
def counted(own_home: Path) -> Path:
    """A run of the counter."""
    perdure("run", COUNTER)
    return own_home / "counter-1"


def test_stats_shows_each_kind_of_turn_and_what_it_waited_for(counted: Path) -> None:
    shown = perdure("stats", "counter-1")
    assert shown.exit_code == 0
    heads, *rows = shown.stdout.splitlines()
    assert heads.split()[:6] == ["class", "message", "turns", "attempts", "ok", "took"]
    assert ["Counter", "Add", "3", "3", "100.0%"] in [row.split()[:5] for row in rows]
    assert "4 slots for turns, 0 sends refused by full inboxes" in shown.stdout
    assert "prediction" not in shown.stdout


def test_stats_has_json(counted: Path) -> None:
    found = answer("stats", str(counted))
    assert (found["format"], found["run"]) == (1, "counter-1")
    add = next(each for each in found["handlers"] if each["message"] == "Add")
    assert (add["class"], add["message"], add["turns"], add["success"]) == ("Counter", "Add", 3, 1)
    assert set(add["service"]) == {"count", "mean", "p50", "p95", "max"}
    assert 0 < add["service"]["p50"] <= add["service"]["max"] < 5.0
    assert found["contention"]["slots"] == 4
    assert "falsify" not in found


def test_predictions_are_shown_with_their_verdicts(counted: Path) -> None:
    shown = perdure("stats", "last", "--falsify")
    assert "weighted completion time" in shown.stdout
    assert "too few to say" in shown.stdout
    claims = answer("stats", "last", "--falsify")["falsify"]
    assert [each["claim"] for each in claims] == [
        "weighted completion time", "success of first tries", "success of retries", "work",
    ]  # fmt: skip


def test_crashes_are_shown_by_their_reasons(tmp_path: Path, own_home: Path) -> None:
    perdure("run", shop(tmp_path / "shop", "stolen"))
    shown = perdure("stats", "last", "--limit", "1")
    assert "2 crashes of Till on Sale: ValueError: it is stolen" in shown.stdout
    assert "… and 1 more: --limit 2" in shown.stderr
    found = answer("stats", "last")
    sale = next(each for each in found["handlers"] if each["message"] == "Sale")
    assert (sale["turns"], sale["crashes"], sale["dead_letters"]) == (0, 2, 1)
    assert found["crashes"][0] | {"count": 2} == found["crashes"][0]


def test_of_a_compacted_run_there_are_figures_of_what_is_left(counted: Path) -> None:
    assert perdure("compact", "last", "--before", "12").exit_code == 0
    shown = perdure("stats", "last")
    assert "these are figures of what comes after record 11" in shown.stderr
    found = answer("stats", "last")
    assert found["cut"] == 11
    assert all(each["class"] == "Counter" for each in found["handlers"])
