"""A fork is a run like any other: it replays from record 1, with the code that each record had."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from perdure import Child, FakeClock, Run
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from perdure.runtime.fork import fork, fork_store
from perdure.runtime.replay import Cast, Replay
from perdure.runtime.view import View
from tests.cli.verbs import COUNTER, shop
from tests.kit import SECONDS, Disk, program, resumed, running, settle
from tests.lived import lived
from tests.replaying import assert_identical
from tests.runtime.test_fork import Till, finished, forked, mixed, turns_of
from tests.runtime.test_fork_everything import tree


def on_disk(path: Path, cast: Cast | None = None) -> tuple[Replay, list[int]]:
    """A replay of a run on disk that is over, and the records whose turns it ran."""
    with View(path) as view, Replay(view, cast or Cast.recorded(view.run)) as replay:
        scenes = [scene.seq for scene in replay.scenes()]
    return replay, scenes


# --- the same code


@pytest.mark.parametrize("intensity", [9, 0])
def test_a_fork_at_each_record_replays_identically(intensity: int) -> None:
    cast, source = tree(intensity), MemoryStore()
    with Run(cast, store=source, seed=1, clock=FakeClock()) as run:
        run.wait(SECONDS)
    whole = assert_identical(cast, source)
    source = source.reopened()
    for at in range(1, source.head().seq + 1):
        store = MemoryStore()
        fork_store(source, at, store, live=True)
        store = store.reopened()
        with Run.resume(None, store=store, program=cast, clock=FakeClock()) as run:
            run.wait(SECONDS)
        assert assert_identical(cast, store).turns >= whole.turns, at


def test_a_fork_of_a_run_with_tools_and_tokens_replays_identically() -> None:
    source, cast = lived().reopened(), mixed()
    for at in range(1, source.head().seq + 1):
        store, _ = forked(source, at)
        with resumed(cast, store, live=True) as run:
            settle(run)
        assert_identical(cast, store)


def test_a_fork_that_was_held_and_then_made_live_replays_both_halves() -> None:
    cast, disk = program(Child("till", Till)), Disk()
    with running(cast, disk) as run:
        settle(run)
    store, _ = forked(disk.reopened(), disk.reopened().head().seq)
    with resumed(cast, store) as run:
        run.tell("/r/till", "tea").get(timeout=SECONDS)
        assert run.wait(SECONDS).status == "waiting"
    store = store.reopened()
    with resumed(cast, store, live=True) as run:
        assert run.ask("/r/till", "charged", timeout=SECONDS) == ["charged tea"]
    assert assert_identical(cast, store).turns == 2


def test_a_fork_of_a_fork_replays_identically() -> None:
    cast, source = tree(9), MemoryStore()
    with Run(cast, store=source, seed=1, clock=FakeClock()) as run:
        run.wait(SECONDS)
    store = source.reopened()
    for at in (30, 24, 28):
        store, _ = forked(store, at)
        with Run.resume(None, store=store, program=cast, clock=FakeClock()) as run:
            run.wait(SECONDS)
        assert_identical(cast, store)
        store = store.reopened()


# --- settings and code


def test_a_fork_with_other_settings_replays_identically(tmp_path: Path) -> None:
    finished(COUNTER, tmp_path / "run")
    with View(tmp_path / "run") as view:
        head = view.head.seq
    for at in range(1, head):
        path = tmp_path / f"fork-{at}"
        fork(tmp_path / "run", at, path, settings=["start=100"])
        with Run.resume(path, clock=FakeClock()) as run:
            run.wait(SECONDS)
        replay, _ = on_disk(path)
        assert replay.is_identical, (at, replay.diverged)


def test_a_supervisor_that_a_fork_gave_other_children_decides_the_same_again(
    tmp_path: Path,
) -> None:
    folder = shop(tmp_path / "shop", "later")
    toml = folder / "scenario.toml"
    toml.write_text(toml.read_text().rpartition("[[tell]]")[0])
    with Run(folder, tmp_path / "run", seed=1, clock=FakeClock(jumps=False)) as run:
        run.wait(SECONDS, stay=False)
    with View(tmp_path / "run") as view:
        head = view.head.seq
    fork(tmp_path / "run", head, tmp_path / "fork", settings=["price=5"])
    with Run.resume(tmp_path / "fork", clock=FakeClock(jumps=False)) as run:
        run.wait(SECONDS, stay=False)
    with View(tmp_path / "fork") as view:
        assert any(isinstance(record.body, records.Restore) for record in view.records())
    replay, _ = on_disk(tmp_path / "fork")
    assert replay.is_identical, replay.diverged


@pytest.fixture
def doubled(tmp_path: Path) -> Path:
    """A fork of a counter that goes on with code that counts everything twice."""
    other = shutil.copytree(COUNTER, tmp_path / "other")
    code = other / "actors.py"
    code.write_text(code.read_text().replace("+= number", "+= 2 * number"))
    finished(COUNTER, tmp_path / "run")
    first = turns_of(tmp_path / "run", "/counter/sum")[1]
    fork(tmp_path / "run", first, tmp_path / "fork", code=code)
    with Run.resume(tmp_path / "fork", clock=FakeClock()) as run:
        run.wait(SECONDS)
    return tmp_path / "fork"


def test_what_is_before_a_fork_runs_with_the_code_of_then_and_the_rest_with_its_own(
    doubled: Path, tmp_path: Path
) -> None:
    replay, scenes = on_disk(doubled)
    assert replay.is_identical, replay.diverged
    assert not replay.code_changed
    mine = turns_of(doubled, "/counter/sum")
    assert set(mine) <= set(scenes)
    fork(doubled, mine[-1], tmp_path / "again")  # code is inherited
    with Run.resume(tmp_path / "again", clock=FakeClock()) as run:
        run.wait(SECONDS)
    assert on_disk(tmp_path / "again")[0].is_identical


def test_code_asked_for_runs_all_of_a_fork_and_where_the_recorded_one_is_another_is_told(
    doubled: Path, tmp_path: Path
) -> None:
    with View(doubled) as view:
        begun = view.lineage.at + 1
    replay, _ = on_disk(doubled, Cast.load(Path(COUNTER)))
    assert replay.diverged is not None
    assert replay.code_changed
    assert replay.diverged.seq > replay.code_seq >= begun
    replay, _ = on_disk(doubled, Cast.load(tmp_path / "other"))
    assert replay.diverged is not None
    assert replay.code_changed
    assert replay.code_seq < replay.diverged.seq < begun


def test_code_of_a_fork_that_is_gone_is_in_its_ledger(doubled: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "other")
    replay, _ = on_disk(doubled)
    assert replay.is_identical, replay.diverged
