"""Whoever asks about the past of a compacted run is told it, or from where on it can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perdure import Child, FakeClock, Run
from perdure.errors import Compacted
from perdure.ids import MessageId
from perdure.ledger.audit import audit_store
from perdure.ledger.keys import mark_key
from perdure.ledger.memory import MemoryStore
from perdure.ledger.verify import verify_store
from perdure.runtime.compare import Changes
from perdure.runtime.evidence import evidence
from perdure.runtime.fork import fork_store
from perdure.runtime.history import earlier
from perdure.runtime.points import point
from perdure.runtime.restore import restore
from perdure.runtime.view import View
from tests.kit import SECONDS, program, settle
from tests.ledger.test_compaction import Keeper, compact, whole
from tests.lived import lived
from tests.replaying import assert_identical
from tests.runtime.test_compact import DIARY, pages, written
from tests.runtime.test_fork_everything import ended, tree


@pytest.fixture(scope="module")
def source() -> MemoryStore:
    """A run that is over, with spawns, asks, timers, crashes and a mark."""
    store = MemoryStore()
    with Run(tree(9), store=store, seed=1, clock=FakeClock()) as run:
        run.wait(SECONDS)
    return store.reopened()


def mark_of(store: MemoryStore) -> int:
    return int.from_bytes(store.get(mark_key(0, "asked")) or b"", "big")


def compacted(source: MemoryStore, at: int) -> MemoryStore:
    store = source.reopened()
    compact(store, at)
    return store


# --- states


def test_the_state_of_an_actor_is_told_at_any_record_after_the_cut(source: MemoryStore) -> None:
    full = View(source)
    ids = [node.id for node in full.actors() if node.supervision is None]
    for cut in (30, 60, source.head().seq - 3):
        view = View(compacted(source, cut))
        for at in range(cut, source.head().seq + 1, 3):
            for id in ids:
                if id <= at:
                    was, now = earlier(full, id, at), earlier(view, id, at)
                    assert (was.fields, was.state_hash) == (now.fields, now.state_hash)
                    assert was.seq == now.seq


def test_the_state_before_the_cut_is_told_at_a_mark_and_nowhere_else(source: MemoryStore) -> None:
    mark, full = mark_of(source), View(source)
    view = View(compacted(source, source.head().seq))
    id = view.find("/r/team/lead")
    assert point(view, "asked") == mark
    assert earlier(view, id, mark).fields == earlier(full, id, mark).fields
    for at in (mark - 1, mark + 1):
        with pytest.raises(Compacted, match=f"record {at} .* up to record {source.head().seq}"):
            earlier(view, id, at)


def test_a_time_before_the_cut_is_none_of_a_record(source: MemoryStore) -> None:
    head = source.head().seq
    view = View(compacted(source, head - 2))
    assert point(view, "+9:00:00") == head + 1
    with pytest.raises(Compacted):
        point(view, "+0")


# --- forks


def test_a_fork_after_the_cut_is_a_whole_ledger_that_comes_to_the_same_end(
    source: MemoryStore,
) -> None:
    end = ended(source)
    for cut, every in ((25, 7), (60, 9)):
        short = compacted(source, cut)
        for at in range(cut, source.head().seq + 1, every):
            fork = MemoryStore()
            fork_store(short, at, fork)
            whole(fork)
            fork = fork.reopened()
            with Run.resume(None, store=fork, program=tree(9), clock=FakeClock()) as run:
                run.wait(SECONDS)
            assert ended(fork) == end, (cut, at)
            assert fork.reopened().head().cut == cut


def test_a_fork_at_a_mark_before_the_cut_goes_on_from_there(source: MemoryStore) -> None:
    mark, end = mark_of(source), ended(source)
    short = compacted(source, source.head().seq)
    fork = MemoryStore()
    fork_store(short, mark, fork, live=True)
    whole(fork)
    assert fork.head().cut == mark
    fork = fork.reopened()
    with Run.resume(None, store=fork, program=tree(9), clock=FakeClock()) as run:
        run.wait(SECONDS)
    assert ended(fork) == end
    fork = fork.reopened()
    compact(fork, fork.head().seq)  # and a fork is compacted as any other run
    whole(fork)
    again = MemoryStore()
    fork_store(fork, fork.head().seq, again)
    whole(again)


def test_there_is_no_fork_at_a_record_before_the_cut(source: MemoryStore) -> None:
    short = compacted(source, 40)
    with pytest.raises(Compacted, match=r"record 39 .* up to record 40"):
        fork_store(short, 39, MemoryStore())


def test_a_fork_has_what_its_source_was_to_forget_forgotten_too() -> None:
    short = lived().reopened()
    at = short.head().seq
    compact(short, at, posts_until=at, dead_until=at)
    for last in (at, at + 1):
        fork = MemoryStore()
        fork_store(short, last, fork)
        whole(fork)
        assert list(View(fork).dead_letters()) == []


def test_a_fork_of_large_values_has_all_that_its_base_refers_to() -> None:
    store = MemoryStore()
    parts = program(Child("a", Keeper))
    with Run(parts, store=store, seed=1, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/a", "1" * 9_000).get(timeout=SECONDS)
        settle(run)
    store = store.reopened()
    compact(store, store.head().seq)
    fork = MemoryStore()
    fork_store(store, store.head().cut, fork)
    whole(fork)
    assert View(fork).state("/r/a") == {"last": "1" * 9_000}


# --- restoring


def test_a_state_is_set_back_to_a_mark_before_the_cut(tmp_path: Path) -> None:
    path = written(tmp_path / "run", "one", "mark half", "two", "three")
    with View(path) as view:
        head = view.head.seq
    from perdure.runtime.compact import compact as compact_run

    compact_run(path, head)
    (found,) = restore_diary(path)
    assert found.undone >= 2
    assert pages(path) == ["one", "mark half"]
    verify_store(path)
    with View(path) as view:
        assert audit_store(view.store) == []
    written(path, "four", resume=DIARY)
    assert pages(path) == ["one", "mark half", "four"]


def restore_diary(path: Path) -> list[Any]:
    import perdure.runtime.restore as module

    resume = Run.resume

    class Known(Run):
        @classmethod
        def resume(cls, directory: Any, **options: Any) -> Run:  # type: ignore[override]
            return resume(directory, program=DIARY, clock=FakeClock(jumps=False), **options)

    module.Run, kept = Known, module.Run  # type: ignore[misc]
    try:
        return restore(path, "/r/diary", "half")
    finally:
        module.Run = kept  # type: ignore[misc]


# --- replay


def test_a_replay_begins_at_the_base_and_all_after_it_is_identical(source: MemoryStore) -> None:
    whole_run = assert_identical(tree(9), source.reopened())
    for cut in range(3, source.head().seq, 4):
        store = compacted(source, cut)
        replay = assert_identical(tree(9), store)
        assert replay.turns <= whole_run.turns, cut
        if cut < 20:
            assert replay.turns > whole_run.turns / 2


# --- evidence, changes, dead letters


def test_the_evidence_for_each_record_is_what_is_left_of_it(source: MemoryStore) -> None:
    full, cut = View(source), 40
    view = View(compacted(source, cut))
    for seq in range(cut + 1, source.head().seq + 1):
        was, now = evidence(full, seq), evidence(view, seq)
        assert (was.before, was.after) == (now.before, now.after)
        assert now.input in (None, was.input)
        kept = {record.seq for record in now.causes}
        assert kept <= {record.seq for record in was.causes}
        assert {each.seq for each in was.causes if each.seq > cut} <= kept
        if any(step.seq <= cut for step in was.steps):
            assert not now.is_whole
    with pytest.raises(Compacted):
        evidence(view, 3)


def test_what_changed_is_told_between_any_two_records_after_the_cut(source: MemoryStore) -> None:
    full, view = View(source), View(compacted(source, 30))
    for first in (30, 41, 60):
        was = list(Changes(full, first, source.head().seq).actors())
        assert list(Changes(view, first, source.head().seq).actors()) == was
    with pytest.raises(Compacted):
        Changes(view, 29, 60)


def test_a_fork_is_compared_with_its_compacted_source(source: MemoryStore) -> None:
    short, fork = compacted(source, 30), MemoryStore()
    fork_store(short, 50, fork)
    found = Changes(View(short), source.head().seq, fork.head().seq, View(fork))
    assert found.shared == 50
    assert list(found.actors())


def test_a_dead_letter_of_before_the_cut_is_read() -> None:
    store = lived().reopened()
    compact(store, store.head().seq)
    view = View(store)
    letters = list(view.dead_letters())
    assert repr(letters) == repr(list(View(lived().reopened()).dead_letters()))
    assert view.message(MessageId(*letters[0].id)) is not None
