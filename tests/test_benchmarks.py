"""The benchmarks run, and their figures hold together; how fast anything is, no test asks."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import bench, ceiling, correlated, falls, steps
from tests.sources import ROOT

PAGE = f"# Above\n\n{bench.BEGIN}\nold figures\n{bench.END}\n\nbelow\n"
COMMITTED = (ROOT / "benchmarks" / "results.json", ROOT / "docs" / "performance.md")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One quick run of everything: its results, its page, what it printed and what it left."""
    scratch = tmp_path_factory.mktemp("bench")
    results, page, ledgers = scratch / "results.json", scratch / "page.md", scratch / "ledgers"
    page.write_text(PAGE)
    before = [path.read_bytes() for path in COMMITTED]
    command = [sys.executable, ROOT / "benchmarks" / "bench.py", "--quick", "--scratch", ledgers]
    command += ["--results", results, "--page", page]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return {
        "results": json.loads(results.read_text()),
        "page": page.read_text(),
        "printed": done.stdout,
        "left": list(ledgers.iterdir()),
        "committed": before == [path.read_bytes() for path in COMMITTED],
    }


def test_every_part_has_a_rate_in_every_pair(outcome: dict[str, Any]) -> None:
    pairs = outcome["results"]["pairs"]
    assert len(pairs) == bench.QUICK.pairs
    for rates in pairs:
        assert set(rates) == {
            "ring", "ceiling", "ceiling_by_key", "ceiling_in_batches", "ceiling_net", "pykka"
        }  # fmt: skip
        assert all(rate > 0 for rate in rates.values())


def test_a_ratio_is_the_ring_over_the_other_within_a_pair(outcome: dict[str, Any]) -> None:
    results = outcome["results"]
    shares = sorted(pair["ring"] / pair["ceiling"] for pair in results["pairs"])
    assert results["ratios"]["ceiling"]["low"] == pytest.approx(shares[0])
    assert results["ratios"]["ceiling"]["high"] == pytest.approx(shares[-1])
    assert "ring" not in results["ratios"]


def test_the_ceiling_writes_rows_of_the_sizes_that_the_ring_wrote(outcome: dict[str, Any]) -> None:
    sizes = outcome["results"]["writes"]
    assert 150 < sizes["journal_bytes"] < 400  # a message of 100 bytes and what else a turn says
    assert 20 < sizes["state_bytes"] < 200
    assert 20 < sizes["actor_bytes"] < 400
    assert 0 < sizes["state_rows"] <= 1
    assert 0 <= sizes["inbox_rows"] <= 1
    assert sizes["turns_per_group"] > 0


def test_there_is_a_flush_for_every_group(outcome: dict[str, Any]) -> None:
    results = outcome["results"]
    if isinstance(results["flushes"], str):
        assert "not counted" in results["flushes"]
    else:
        assert results["flushes"]["fdatasync"] >= results["groups"] > 0


def test_memory_is_told_apart_by_kind(outcome: dict[str, Any]) -> None:
    memory = outcome["results"]["memory"]
    assert memory["agents"] == bench.QUICK.agents
    assert memory["after"]["rss"] >= memory["after"]["anon"] > 0
    for name in ("rss", "anon", "file"):
        assert memory["growth"][name] == memory["after"][name] - memory["before"][name]
    assert memory["growth"]["peak"] >= memory["growth"]["rss"]
    assert memory["loaded"] > 0


def test_the_table_takes_the_place_of_the_old_one(outcome: dict[str, Any]) -> None:
    page = outcome["page"]
    assert page.startswith("# Above\n")
    assert page.endswith(f"{bench.END}\n\nbelow\n")
    assert "old figures" not in page
    assert outcome["printed"].strip() in page


def test_nothing_is_left_and_a_quick_run_keeps_the_real_figures(outcome: dict[str, Any]) -> None:
    assert outcome["left"] == []
    assert outcome["committed"]


def test_a_page_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(SystemExit, match="put them back"):
        bench.with_table("# a page\n", "figures")


def test_the_page_in_docs_has_a_place_for_the_table() -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    assert "| new |" in bench.with_table(page, "| new |")


def test_the_figures_in_docs_are_those_of_the_results() -> None:
    results = json.loads(bench.RESULTS.read_text())
    assert bench.table(results) in bench.PAGE.read_text()


def test_a_goal_that_is_missed_is_called_so() -> None:
    results = json.loads(bench.RESULTS.read_text())
    results["ratios"]["ceiling"]["median"] = bench.RATIO_GOAL - 0.01
    results["memory"]["growth"]["rss"] = bench.GROWTH_GOAL_BYTES
    assert bench.table(results).count("**not met**") == 2
    results["ratios"]["ceiling"]["median"] = bench.RATIO_GOAL
    results["memory"]["growth"]["rss"] = bench.GROWTH_GOAL_BYTES - 1
    assert "not met" not in bench.table(results)


def test_the_ceiling_writes_five_rows_a_turn() -> None:
    first, second = ceiling.groups(
        ceiling.GROUP_TURNS + 100, 10, ceiling.Sizes(200, 60, 70), ceiling.Share()
    )
    assert [len(rows) for rows in first] == [*[ceiling.GROUP_TURNS] * 4, 0]
    assert [len(rows) for rows in second] == [100] * 5
    assert set(second.deletes) < {key for key, _ in first.inbox}
    assert {len(value) for _, value in first.journal} == {200}


def test_only_flushes_are_counted_in_what_strace_says() -> None:
    summary = (
        "% time     seconds  usecs/call     calls    errors syscall\n"
        " 99.67    0.014399         757        19           fdatasync\n"
        "  0.33    0.000047          15         3         1 fsync\n"
        "100.00    0.014446         656        22         1 total\n"
    )
    assert bench.read_strace(summary) == {"fdatasync": 19, "fsync": 3}


def test_memory_file_systems_are_seen_for_what_they_are(tmp_path: Path) -> None:
    assert bench.file_system(Path("/proc")) == "proc"
    assert bench.file_system(tmp_path) not in ("", "proc")


def test_the_examples_of_the_benchmarks_run() -> None:
    failed, tried = doctest.testmod(bench)
    assert (failed, tried > 0) == (0, True)


def test_turns_of_many_steps_are_timed_from_first_to_resume(tmp_path: Path) -> None:
    found = steps.compare(tmp_path, [20, 40], repeats=1)
    assert found["steps"] == [20, 40]
    assert found["slopes"].keys() == found["seconds"].keys() == {"first", "retry", "resume"}
    assert all(seconds > 0 for times in found["seconds"].values() for seconds in times)


def test_a_cost_in_proportion_has_slope_one_and_a_square_slope_two() -> None:
    assert steps.slope([1, 10, 100], [2.0, 20.0, 200.0]) == pytest.approx(1.0)
    assert steps.slope([1, 10, 100], [2.0, 200.0, 20_000.0]) == pytest.approx(2.0)


def test_falls_are_measured_beside_each_other_and_printed_as_a_table(tmp_path: Path) -> None:
    laps = falls.measure(1, 4, 8, tmp_path)
    assert {"memory", "disk"} <= set(laps)
    for lap in (each for many in laps.values() for each in many):
        assert set(lap) == set(falls.FIGURES)
        assert all(value > 0 for value in lap.values())
    assert falls.table(laps).count("\n") == 1 + len(falls.FIGURES)


def test_failures_that_come_back_defeat_retries_and_not_the_ladder() -> None:
    found = {
        policy: {rho: correlated.measure(policy, rho, seed=1, messages=20) for rho in (0.0, 0.5)}
        for policy in ("retries alone", "and a ladder")
    }
    alone, ladder = found["retries alone"], found["and a ladder"]
    assert alone[0.0].done == ladder[0.0].done == 1.0
    assert alone[0.5].done < 0.5
    assert ladder[0.5].done > 0.95
    assert ladder[0.5].attempts < alone[0.5].attempts / 2
    assert ladder[0.5].gave_up > 0
    assert correlated.table(found).count("\n") == 3


def test_a_seed_gives_the_same_figures_each_time() -> None:
    policy = "and a ladder"
    once, twice = (correlated.measure(policy, 0.2, seed=3, messages=10) for _ in range(2))
    assert once == twice
