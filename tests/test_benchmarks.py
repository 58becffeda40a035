"""The benchmarks run, and their figures hold together; how fast anything is, no test asks."""

from __future__ import annotations

import doctest
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import (
    bench,
    bench_peers,
    ceiling,
    contest,
    correlated,
    falls,
    page,
    plan,
    raw,
    steps,
)
from benchmarks.goals import Goal, Row, Source, outcome
from benchmarks.lines import lines
from perdure.ledger.environment import LedgerFile, create_ledger
from perdure.ledger.keys import Table
from tests.sources import ROOT

PAGE = f"# Above\n\n{page.FIGURES.begin}\nold figures\n{page.FIGURES.end}\n\nbelow\n"
COMMITTED = (ROOT / "benchmarks" / "results.json", ROOT / "docs" / "performance.md")
A, B = Source("c", "a"), Source("c", "b")
LAPS = {"c": [{"a": {"rate": a}, "b": {"rate": b}} for a, b in ((10, 20), (30, 40), (40, 10))]}


@pytest.fixture(scope="module")
def outcome_of_all(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One quick run of everything: its results, its page, what it printed and what it left."""
    scratch = tmp_path_factory.mktemp("bench")
    results, at, ledgers = scratch / "results.json", scratch / "page.md", scratch / "ledgers"
    at.write_text(PAGE)
    before = [path.read_bytes() for path in COMMITTED]
    command = [sys.executable, "-m", "benchmarks.bench", "--quick", "--scratch", ledgers]
    command += ["--results", results, "--page", at]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=100, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return {
        "results": json.loads(results.read_text()),
        "page": at.read_text(),
        "printed": done.stdout,
        "left": list(ledgers.iterdir()),
        "committed": before == [path.read_bytes() for path in COMMITTED],
    }


def test_every_line_of_the_table_has_its_figures(outcome_of_all: dict[str, Any]) -> None:
    results = outcome_of_all["results"]
    rows = lines(plan.QUICK.many)
    assert len(results["lines"]) == len(rows)
    for row, found in zip(rows, results["lines"], strict=True):
        assert found["perdure"]["median"] > 0, row
        assert (found["ratio"] is None) == (row.other is None)
        assert (found["met"] is None) == (row.goal is None)


def test_every_piece_of_work_of_the_issue_is_in_the_table() -> None:
    names = {row.name for row in lines(plan.FULL.many)}
    assert names >= {"W1", "W2", "W1e", "W2e", "W3", *(f"B{n}" for n in range(1, 9))}


def test_every_part_takes_part_in_every_lap(outcome_of_all: dict[str, Any]) -> None:
    results = outcome_of_all["results"]
    for each in plan.contests(plan.QUICK, results["writes"]):
        laps = results["contests"][each.name]
        assert len(laps) == each.laps
        assert all(list(lap) == [part.name for part in each.parts] for lap in laps)


def test_the_ceiling_writes_rows_of_the_sizes_that_the_ring_wrote(
    outcome_of_all: dict[str, Any],
) -> None:
    sizes = outcome_of_all["results"]["writes"]
    assert 150 < sizes["journal_bytes"] < 400  # a message of 100 bytes and what else a turn says
    assert 20 < sizes["state_bytes"] < 200
    assert 20 < sizes["actor_bytes"] < 400
    assert 0 < sizes["state_rows"] <= 1
    assert 0 <= sizes["inbox_rows"] <= 1
    assert sizes["turns_per_group"] > 0


def test_a_turn_is_weighed_against_what_it_cannot_do_without(
    outcome_of_all: dict[str, Any],
) -> None:
    (lap,) = outcome_of_all["results"]["contests"]["account"]
    books = lap["ring"]
    assert books["needed_bytes"] == books["message_bytes"] + books["change_bytes"]
    assert 90 < books["message_bytes"] < books["turn_bytes"] < books["page_bytes"]


def test_there_is_a_flush_for_every_group(outcome_of_all: dict[str, Any]) -> None:
    results = outcome_of_all["results"]
    if isinstance(results["flushes"], str):
        assert "not counted" in results["flushes"]
    else:
        assert results["flushes"]["fdatasync"] >= results["groups"] > 0


def test_an_effect_waits_for_a_commit_and_a_step_that_reads_does_not(
    outcome_of_all: dict[str, Any],
) -> None:
    held = outcome_of_all["results"]["contests"]
    assert held["effects"][0]["one_effects"]["groups"] >= plan.QUICK.steps
    assert held["one"][0]["turns"]["groups"] < plan.QUICK.steps


def test_turns_share_groups_but_with_each_they_do_not_and_effects_never_do(
    outcome_of_all: dict[str, Any],
) -> None:
    (lap,) = outcome_of_all["results"]["contests"]["levels"]
    commits = plan.QUICK.commits
    assert all(figures["effects_groups"] >= commits for figures in lap.values())
    assert lap["each"]["turns_groups"] >= commits
    for name in ("group", "relaxed"):
        assert lap[name]["turns_groups"] < plan.QUICK.steps


def test_after_a_kill_no_call_with_an_effect_is_made_twice_but_the_one_in_doubt(
    outcome_of_all: dict[str, Any],
) -> None:
    (lap,) = outcome_of_all["results"]["contests"]["killed"]
    assert lap["effects"]["twice"] <= 1
    assert lap["turns"]["killed_at"] == plan.QUICK.killed_turns // 2


def test_memory_is_told_apart_by_kind(outcome_of_all: dict[str, Any]) -> None:
    (lap,) = outcome_of_all["results"]["contests"]["crowd"]
    memory = lap[str(plan.QUICK.many[-1])]
    assert memory["agents"] == plan.QUICK.many[-1]
    assert memory["after"]["rss"] >= memory["after"]["anon"] > 0
    for name in ("rss", "anon", "file"):
        assert memory["growth"][name] == memory["after"][name] - memory["before"][name]
    assert memory["growth"]["peak"] >= memory["growth"]["rss"]
    assert memory["loaded"] > 0


def test_the_table_takes_the_place_of_the_old_one(outcome_of_all: dict[str, Any]) -> None:
    text = outcome_of_all["page"]
    assert text.startswith("# Above\n")
    assert text.endswith(f"{page.FIGURES.end}\n\nbelow\n")
    assert "old figures" not in text
    assert outcome_of_all["printed"].strip() in text


def test_nothing_is_left_and_a_quick_run_keeps_the_real_figures(
    outcome_of_all: dict[str, Any],
) -> None:
    assert outcome_of_all["left"] == []
    assert outcome_of_all["committed"]


def test_a_part_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    part = contest.Part("bare", "ceiling", ("{}", "--turns", 10, *bare_sizes()))
    assert contest.run(part, tmp_path / "bare", inside=False)["turns"] == 10
    assert not (tmp_path / "bare").exists()


def bare_sizes() -> tuple[object, ...]:
    return ("--journal", 200, "--state", 60, "--actor", 60)


def test_a_ratio_is_taken_within_a_lap_and_the_median_counts() -> None:
    found = outcome(Row("X", "x", "/s", A, "the other", B, Goal(0.75)), LAPS)
    assert found.mine == (30, 10, 40)
    assert found.ratio == (0.75, 0.5, 4.0)
    assert found.is_met


def test_a_goal_that_is_missed_is_called_so() -> None:
    goals = {
        Goal(0.75): "| >= 0.75x | met |",
        Goal(0.76): "| >= 0.76x | **not met** |",
        Goal(0.74, at_least=False): "| <= 0.74x | **not met** |",
        Goal(30, at_least=False, of_ratio=False): "| <= 30.0/s | met |",
        Goal(31, of_ratio=False): "| >= 31.0/s | **not met** |",
    }
    for goal, text in goals.items():
        found = outcome(Row("X", "x", "/s", A, "the other", B, goal), LAPS)
        assert page.line(found).endswith(text)
        assert page.missed([found]) == ([] if found.is_met else ["X x"])
    assert page.line(outcome(Row("X", "x", "/s", A), LAPS)) == "| X | x | 30.0/s |  |  |  |  |"


def test_a_page_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(SystemExit, match="put them back"):
        page.with_table("# a page\n", "figures")


def test_the_page_in_docs_has_a_place_for_the_table() -> None:
    text = page.PAGE.read_text()
    for place in (page.FIGURES, page.PEERS, falls.PLACE):
        assert "| new |" in page.with_table(text, "| new |", place)


def test_the_figures_in_docs_are_those_of_the_results() -> None:
    results = json.loads(bench.RESULTS.read_text())
    assert bench.figures(results) in page.PAGE.read_text()
    peers = json.loads(bench_peers.RESULTS.read_text())
    assert bench_peers.figures(peers) in page.PAGE.read_text()


def test_the_ceiling_writes_five_rows_a_turn() -> None:
    first, second = ceiling.groups(
        ceiling.GROUP_TURNS + 100, 10, ceiling.Sizes(200, 60, 70), ceiling.Share()
    )
    assert [len(rows) for rows in first] == [*[ceiling.GROUP_TURNS] * 4, 0]
    assert [len(rows) for rows in second] == [100] * 5
    assert set(second.deletes) < {key for key, _ in first.inbox}
    assert {len(value) for _, value in first.journal} == {200}


def test_the_bare_loop_hands_each_message_on_and_counts_it(tmp_path: Path) -> None:
    args = [str(tmp_path / "bare"), "--turns", "35", "--actors", "10", "--group", "8"]
    assert raw.figures([*args, "--journal", "230", "--state", "70"])["turns"] == 35
    file = LedgerFile(tmp_path / "bare", raw.MAP_BYTES, raw.MAP_BYTES, readonly=True)
    rows, _ = file.chunk(file.tables, b"\x01", 100)
    events, _ = file.chunk(file.journal, b"\x00", 100)
    file.close()
    states = [raw.unpack(row)[1]["seen"] for key, row in rows if key[0] == Table.STATE]
    assert states == [4, 4, 4, 4, 4, 3, 3, 3, 3, 3]
    inboxes = [key for key, _ in rows if key[0] == Table.INBOX]
    assert len(inboxes) == 10  # each actor has one message at any time
    assert {abs(len(event) - 230) <= 8 for _, event in events[10:]} == {True}
    assert min(raw.unpack(raw.unpack(event)[4])[1] for _, event in events) == raw.HOPS - 4


def test_the_bare_loop_makes_each_call_after_its_intent_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    write = os.write

    def look(file: int, line: bytes) -> int:
        seen.append(environment.view(lambda txn: txn.stat(environment.journal)["entries"]))
        return write(file, line)

    create_ledger(tmp_path, raw.MAP_BYTES)
    environment = LedgerFile(tmp_path, raw.MAP_BYTES, raw.MAP_BYTES, readonly=False)
    monkeypatch.setattr(os, "write", look)
    assert raw.effects(environment, 4, tmp_path / "lines") == 7
    assert (seen, (tmp_path / "lines").read_text()) == ([1, 3, 5, 7], "a0 1\na0 2\na0 3\na0 4\n")


def test_only_flushes_are_counted_in_what_strace_says() -> None:
    summary = (
        "% time     seconds  usecs/call     calls    errors syscall\n"
        " 99.67    0.014399         757        19           fdatasync\n"
        "  0.33    0.000047          15         3         1 fsync\n"
        "100.00    0.014446         656        22         1 total\n"
    )
    assert bench.read_strace(summary) == {"fdatasync": 19, "fsync": 3}


def test_memory_file_systems_are_seen_for_what_they_are(tmp_path: Path) -> None:
    assert contest.file_system(Path("/proc")) == "proc"
    assert contest.file_system(tmp_path) not in ("", "proc")


def test_the_examples_of_the_benchmarks_run() -> None:
    for module in (bench, page):
        failed, tried = doctest.testmod(module)
        assert (failed, tried > 0) == (0, True)


def test_turns_of_many_steps_are_timed_from_first_to_resume(tmp_path: Path) -> None:
    found = steps.compare(tmp_path, [20, 40], repeats=1)
    assert found["steps"] == [20, 40]
    assert found["slopes"].keys() == found["seconds"].keys() == {"first", "retry", "resume"}
    assert all(seconds > 0 for times in found["seconds"].values() for seconds in times)


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


def test_the_fastest_of_the_durable_peers_is_found_lap_by_lap() -> None:
    slow, quick, volatile = (
        bench_peers.Peer(name, name, (), is_durable=name != "volatile")
        for name in ("slow", "quick", "volatile")
    )
    rates = (
        {"slow": 1.0, "quick": 2.0, "volatile": 9.0},
        {"slow": 3.0, "quick": 2.5, "volatile": 9},
    )
    laps = [{name: {"rate": rate} for name, rate in lap.items()} for lap in rates]
    found = bench_peers.with_fastest(laps, [slow, quick, volatile])
    assert [lap["fastest"]["rate"] for lap in found] == [2.0, 3.0]
    assert bench_peers.with_fastest(laps, [volatile]) == laps


def test_a_peer_that_does_not_run_is_named_by_its_last_words() -> None:
    words = "import sys; print('no such wheel', file=sys.stderr); sys.exit(1)"
    with pytest.raises(bench_peers.Absent, match=r"^no such wheel$"):
        bench_peers.attempt([sys.executable, "-c", words], 60)
    with pytest.raises(bench_peers.Absent, match="nothing-of-that-name"):
        bench_peers.attempt(["nothing-of-that-name"], 60)


def test_each_peer_has_a_program_that_takes_the_steps() -> None:
    for peer in bench_peers.ALL:
        part = peer.part(1, 5)
        assert (ROOT / "benchmarks" / f"{part.program.replace('.', '/')}.py").is_file()
        assert part.python == str(peer.python)


def test_a_part_that_lasts_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    os.mkfifo(fifo := tmp_path / "fifo")
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(subprocess.TimeoutExpired):
        contest.finish(["sh", "-c", f"exec 3>{fifo}; sleep 100 & wait"], 0.2)
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""  # whoever had it open for writing is gone
    os.close(reader)


def test_laps_go_round_all_contests_and_end_when_the_time_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, order = [0.0], []

    def run(part: contest.Part, home: Path, *, inside: bool) -> contest.Figures:
        order.append(part.name)
        now[0] += 10.0
        return {"rate": 1.0}

    monkeypatch.setattr(contest, "run", run)
    monkeypatch.setattr(contest.time, "monotonic", lambda: now[0])
    wanted = [contest.Contest(n, laps, (contest.Part(n, n),)) for n, laps in (("a", 3), ("b", 1))]
    contest.hold(wanted, tmp_path, inside=True, seconds=1_000.0)
    assert order == ["a", "b", "a", "a"]
    held = contest.hold(wanted, tmp_path, inside=True, seconds=30.0)
    assert contest.counts(held) == "a 2, b 1"


def test_a_lap_in_which_a_part_fails_does_not_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = contest.Part("good", "ceiling", ("{}", "--turns", 10, *bare_sizes()))
    bad = contest.Part("bad", "ceiling", ("{}", "--turns", "many"))
    wanted = [contest.Contest("both", 1, (good, bad)), contest.Contest("one", 1, (good,))]
    held = contest.hold(wanted, tmp_path, inside=True, seconds=60.0)
    assert list(held) == ["one"]
    assert "both 1 of 1 does not count" in capsys.readouterr().err
