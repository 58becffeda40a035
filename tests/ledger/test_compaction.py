"""Compaction: what is left of a ledger is whole, says the same, and goes on as before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, Run, field
from perdure.errors import Compacted, LedgerDamaged
from perdure.ledger import keys
from perdure.ledger.audit import audit_store
from perdure.ledger.compacted import base_row
from perdure.ledger.compaction import Plan, groups, plan
from perdure.ledger.group import Drop, Group, Store
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Kind
from perdure.ledger.rows import pack_row
from perdure.ledger.verify import verify_store
from perdure.runtime.fork import fork_store
from perdure.runtime.oldcode import read_code
from perdure.runtime.view import View
from tests.kit import SECONDS, program, resumed, running, settle
from tests.lived import lived
from tests.runtime.test_fork import mixed
from tests.runtime.test_fork_everything import ended, tree
from tests.tables import assert_tables_follow


def compact(store: Store, at: int, **options: Any) -> Plan:
    """Compact an open store."""
    found = plan(store, at, **options)
    for group in groups(store, found):
        store.commit(group)
    return found


def whole(store: MemoryStore) -> None:
    """Nothing is wrong with a store, by any reckoning."""
    twin = store.reopened()
    verify_store(twin)
    assert audit_store(twin) == []
    assert_tables_follow(twin)


@pytest.fixture(scope="module")
def busy() -> MemoryStore:
    """A run that is over, with spawns, asks, timers, crashes and a mark."""
    store = MemoryStore()
    with Run(tree(9), store=store, seed=1, clock=FakeClock()) as run:
        run.wait(SECONDS)
    return store.reopened()


def test_a_ledger_is_whole_wherever_it_is_cut(busy: MemoryStore) -> None:
    for source in (busy, lived().reopened()):
        rows = [row for row in source.scan(b"") if row[0][0] != keys.Table.RUN]
        for at in range(1, source.head().seq + 1):
            store = source.reopened()
            found = compact(store, at)
            whole(store)
            head = store.head()
            assert (head.seq, head.cut) == (source.head().seq + 1, at)
            left = len(found.left.records) + len(found.left.stubs)
            assert head.gone == at - left == found.records_dropped
            assert [row for row in store.scan(b"") if row[0][0] != keys.Table.RUN] == rows


def test_after_each_of_its_steps_a_ledger_is_whole_and_the_next_compaction_ends_it(
    busy: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.ledger.compaction.DROP_RECORDS_MAX", 7)
    at = busy.head().seq - 9
    done = busy.reopened()
    compact(done, at)
    for steps in range(99):
        store = busy.reopened()
        taken = list(zip(range(steps), groups_committed(store, plan(store, at)), strict=False))
        whole(store)
        again = compact(store, at)
        assert again.is_new == (steps < 2)  # what the bases are made of comes first
        whole(store)
        assert list(store.left()) == list(done.left())
        assert set(store.digests()) == set(done.digests())
        if len(taken) < steps:
            break
    assert steps > 8


def groups_committed(store: Store, found: Plan) -> Any:
    for group in groups(store, found):
        store.commit(group)
        yield group


def test_what_waits_is_handled_in_the_next_process_wherever_the_ledger_was_cut() -> None:
    """Each record of a run is where its process might have died; all of the past goes then."""
    source = MemoryStore()
    with Run(tree(9), store=source, seed=1, clock=FakeClock()) as run:
        run.wait(SECONDS)
    end, moments = ended(source), died_at_each_commit()
    for moment in moments:
        short = moment.reopened()
        compact(short, short.head().seq)
        store = short.reopened()
        with Run.resume(None, store=store, program=tree(9), clock=FakeClock()) as run:
            run.wait(SECONDS)
        whole(store)
        view = View(store.reopened())
        assert view.status.status == "finished"
        lead = view.state("/r/team/lead")["answers"]
        assert lead == end["/r/team/lead"][1]["answers"]


def test_a_run_with_steps_tokens_and_posts_goes_on_the_same_wherever_it_was_cut() -> None:
    def gone_on(store: MemoryStore) -> tuple[Any, ...]:
        with resumed(mixed(), store) as run:
            settle(run)
        view = View(store.reopened())
        dead = [(each.to, each.reason) for each in view.dead_letters()]
        return view.state("/r/mixer"), view.budget, dead, view.totals()

    end = gone_on(lived().reopened())
    for at in range(3, lived().head().seq + 1, 8):
        store = lived().reopened()
        compact(store, at)
        assert repr(gone_on(store)) == repr(end), at


def test_the_level_of_the_last_process_is_known_after_compaction_and_in_a_fork() -> None:
    store = lived().reopened()
    with resumed(mixed(), store, durability="relaxed") as run:
        settle(run)
    store = store.reopened()
    compact(store, store.head().seq)
    fork = MemoryStore()
    fork_store(store.reopened(), store.head().seq, fork)
    compact(fork, fork.head().seq)
    for each in (store, fork):
        whole(each)
        assert read_code(each.reopened()).durability == "relaxed"
    with resumed(mixed(), store := store.reopened(), durability="each") as run:
        settle(run)
        assert read_code(store.reopened()).durability == "each"  # while it is at it


def died_at_each_commit() -> list[MemoryStore]:
    moments: list[MemoryStore] = []
    store = MemoryStore(lambda number: moments.append(store.reopened()))
    with Run(tree(9), store=store, seed=1, clock=FakeClock()) as run:
        run.wait(SECONDS)
    return [moment for moment in moments if moment.head().seq > 3][::4]


def test_a_ledger_may_be_compacted_again_and_again(busy: MemoryStore) -> None:
    store = busy.reopened()
    for at in range(5, busy.head().seq, 11):
        compact(store, at)
        whole(store)
    once = busy.reopened()
    compact(once, store.head().cut)
    one, other = base_row(store), base_row(once)
    assert one is not None
    assert other is not None
    assert one.bases == other.bases  # a base of a base is the base
    assert [key for key, _ in store.left()] == [key for key, _ in once.left()]


class Noted(Actor, name="tests.compaction.noted"):
    things: list[str] = field(default_factory=list)

    async def on_receive(self, message: str) -> None:
        self.things.append(message)
        if message.startswith("mark"):
            self.mark(message.split()[1])


def noted(*messages: str) -> MemoryStore:
    store = MemoryStore()
    with running(program(Child("a", Noted)), store) as run:
        for message in messages:
            run.tell("/r/a", message).get(timeout=SECONDS)
        settle(run)
    return store.reopened()


def test_marks_keep_a_base_each_and_a_mark_that_moved_on_has_none() -> None:
    store = noted("x", "mark one", "mark two", "mark one", "x", "x")
    marks = {key: int.from_bytes(raw, "big") for key, raw in store.scan(bytes([keys.Table.MARK]))}
    at = store.head().seq - 1
    found = compact(store, at)
    assert [seq for seq, _ in found.bases] == [*sorted(set(marks.values())), at]
    assert found.marks_lost == 0
    whole(store)
    with resumed(program(Child("a", Noted)), store) as run:
        run.tell("/r/a", "mark two").get(timeout=SECONDS)
        settle(run)
    store = store.reopened()
    found = compact(store, store.head().seq)
    assert len(found.bases) == 3  # one, two, and the cut; where two was is not kept


def test_past_their_bound_the_oldest_marks_are_lost_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("perdure.ledger.compaction.BASES_KEPT_MAX", 2)
    store = noted("mark one", "mark two", "mark three", "x")
    found = compact(store, store.head().seq)
    assert (len(found.bases), found.marks_lost) == (3, 1)
    whole(store)


def test_blobs_that_only_the_past_had_go_and_others_stay() -> None:
    one, two, three = "1" * 9_000, "2" * 9_000, "3" * 9_000
    store = MemoryStore()
    with running(program(Child("a", Keeper)), store) as run:
        for text in (one, two, three):
            run.tell("/r/a", text).get(timeout=SECONDS)
        settle(run)
    store = store.reopened()
    before = set(store.digests())
    found = compact(store, store.head().seq)
    assert len(found.unused) == 2
    assert set(store.digests()) == before - set(found.unused) | set(found.blobs)
    whole(store)
    assert View(store).state("/r/a") == {"last": three}


class Keeper(Actor, name="tests.compaction.keeper"):
    last: str = ""

    async def on_receive(self, message: str) -> None:
        self.last = message


def test_posts_and_dead_letters_stay_unless_they_are_to_be_forgotten() -> None:
    store = lived().reopened()
    head = store.head()
    compact(store, head.seq)
    assert store.head().counts == {**head.counts, keys.Table.RUN: head.counts[keys.Table.RUN] + 1}
    store = lived().reopened()
    compact(store, head.seq, posts_until=head.seq, dead_until=head.seq)
    assert not store.head().counts.keys() & {keys.Table.POSTED, keys.Table.DEAD}
    whole(store)


def test_a_ledger_that_contradicts_itself_is_not_compacted() -> None:
    store = lived().reopened()
    key = next(key for key, _ in store.scan(bytes([keys.Table.INBOX])))
    head = store.head()
    store.commit(Group(head.seq + 1, deletes=[key], time_ns=head.time_ns))
    with pytest.raises(LedgerDamaged, match=r"not compacted: .* which nobody consumed"):
        plan(store, head.seq)
    assert store.head().cut == 0


def test_what_is_gone_says_so(busy: MemoryStore) -> None:
    store = busy.reopened()
    compact(store, 40)
    with pytest.raises(Compacted, match="up to record 40"):
        list(View(store).records(1))
    assert View(store).record(41).seq == 41


# --- what is damaged is found


def damaged(change: Callable[[MemoryStore, Plan], None]) -> list[str]:
    """What verification says of a compacted ledger to which something was done."""
    store = lived().reopened()
    found = compact(store, store.head().seq - 5)
    change(store, found)
    try:
        verify_store(store)
        return [str(each) for each in audit_store(store)]
    except LedgerDamaged as error:
        return [str(error)]


def test_a_kept_record_that_is_dropped_is_missed() -> None:
    for seq in sorted(plan(lived().reopened(), lived().head().seq - 5).left.records):
        assert damaged(lambda store, _, seq=seq: store._journal.pop(seq))  # type: ignore[misc]

        def stubbed(store: MemoryStore, _: Plan, seq: int = seq) -> None:
            head = store.head()
            store.commit(Group(head.seq + 1, time_ns=head.time_ns, drop=Drop(head.cut, (), (seq,))))

        assert damaged(stubbed) == [f"record {seq}: it was dropped, and is still needed"]


def test_a_changed_stub_is_found() -> None:
    for seq in sorted(plan(lived().reopened(), lived().head().seq - 5).left.stubs):

        def flip(store: MemoryStore, _: Plan, seq: int = seq) -> None:
            row = bytearray(store._journal[seq])
            row[9] ^= 1
            store._journal[seq] = bytes(row)

        assert damaged(flip)


def test_a_changed_or_missing_base_is_found() -> None:
    def flip(store: MemoryStore, found: Plan) -> None:
        digest = next(iter(found.blobs))
        store._blobs[digest] = b"?" + store._blobs[digest][1:]

    def take(store: MemoryStore, found: Plan) -> None:
        del store._blobs[found.bases[-1][1]]

    assert "is not what its name says" in damaged(flip)[0]
    assert "is not in the ledger" in damaged(take)[0]


def test_another_base_than_its_record_names_is_found() -> None:
    def swap(store: MemoryStore, found: Plan) -> None:
        row = base_row(store)
        assert row is not None
        moved = row._replace(bases=(*row.bases[:-1], (row.at, bytes(32))))
        head = store.head()
        put = (keys.BASE_KEY, pack_row(moved))
        store.commit(Group(head.seq + 1, puts=[put], time_ns=head.time_ns))

    assert "should name the base" in damaged(swap)[0]


def test_the_record_of_a_compaction_is_of_its_own_kind(busy: MemoryStore) -> None:
    store = busy.reopened()
    compact(store, 30)
    raw = store.record(store.head().seq)
    assert raw is not None
    assert raw.kind == Kind.BASE
