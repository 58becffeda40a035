"""A base: a fold that was written and read again goes on exactly as the one that was not."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure import FakeClock, Run
from perdure.errors import Broken, LedgerDamaged
from perdure.ledger.base import WrittenBase, blobs_of, read_base, read_list, write_base
from perdure.ledger.blobs import digest_of, refer
from perdure.ledger.fold import Fold
from perdure.ledger.folded import Agent, Letter, Violation
from perdure.ledger.images import Image
from perdure.ledger.journal import read_record
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Life, Record
from perdure.runtime.fork import fork_store
from tests.kit import SECONDS
from tests.lived import lived
from tests.runtime.test_fork_everything import tree

HASH = bytes(range(16))


def journal(store: MemoryStore) -> list[Record]:
    return [read_record(raw) for raw in store.reopened().records()]


@cache
def journals() -> list[list[Record]]:
    """Of a run with tools, posts and a crash; of one with spawns, asks and restarts; of a fork."""
    store = MemoryStore()
    with Run(tree(9), store=store, seed=1, clock=FakeClock()) as run:
        run.wait(SECONDS)
    fork = MemoryStore()
    fork_store(store.reopened(), store.reopened().head().seq // 2, fork)
    return [journal(lived()), journal(store), journal(fork)]


def folded(records: list[Record], fold: Fold | None = None) -> Fold:
    fold = Fold() if fold is None else fold
    for record in records:
        fold.add(record)
    return fold


def again(fold: Fold) -> Fold:
    base = write_base(fold, HASH)
    return read_base(base.digest, base.blobs.get)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_from_the_base_at_any_record_the_journal_goes_on_to_the_same_end(number: int) -> None:
    records = journals()[number]
    end, upto = write_base(folded(records), HASH), Fold()
    for at, record in enumerate(records):
        assert write_base(folded(records[at:], again(upto)), HASH) == end, at
        upto.add(record)
    assert write_base(again(upto), HASH) == end


def test_a_base_says_which_record_it_is_as_of_and_its_hash() -> None:
    records = journals()[0]
    base = write_base(folded(records[:9]), records[8].hash)
    assert read_list(base.digest, base.blobs.get)[:2] == (9, records[8].hash)


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(st.integers(1, 2**63), st.binary(max_size=40), max_size=40),
    st.dictionaries(st.tuples(st.integers(1, 99), st.integers(0, 9)), st.text(), max_size=9),
)
def test_equal_folds_have_equal_bases_in_whatever_order_they_came_to_be(
    states: dict[int, bytes], letters: dict[tuple[int, int], str]
) -> None:
    one, other = Fold(), Fold()
    for fold, order in (one, 1), (other, -1):
        for id, data in list(states.items())[::order]:
            agent = Agent(f"/{id}", "A", 0, Life.RUNNING, 1, images={"x": Image(data, [])})
            fold.agents[id], fold.names[agent.address] = agent, id
        for letter, reason in list(letters.items())[::order]:
            fold.dead[letter] = Letter("/a", reason, 1, 5, 7)
    base = write_base(one, HASH)
    assert base == write_base(other, HASH)
    assert again(one).agents == one.agents
    assert again(one).names == one.names
    assert again(one).dead == one.dead


def of_agents(changed: int = 0) -> WrittenBase:
    """The base of many agents with states, of which one may have another."""
    fold = Fold()
    for id in range(1, 2_001):
        state = Image(bytes([id % 7]) * (1_500 if id == changed else 1_000), [("append", b"x")], 17)
        fold.agents[id] = Agent(f"/a/{id}", "A", 0, Life.RUNNING, 1, images={"x": state})
    return write_base(fold, HASH)


def test_bases_share_the_pieces_in_which_nothing_changed() -> None:
    one, other = of_agents(), of_agents(changed=900)
    assert len(one.blobs) > 8
    new = {digest: data for digest, data in other.blobs.items() if digest not in one.blobs}
    assert len(new) <= 3  # the piece with the agent, maybe the next, and the list
    assert sum(map(len, new.values())) < sum(map(len, one.blobs.values())) / 4


def test_what_a_base_refers_to_can_be_listed() -> None:
    fold, reference = Fold(), refer(b"page")
    ops = [("append", reference)]
    fold.agents[1] = Agent("/a", "A", 0, Life.RUNNING, 1, images={"x": Image(b"\x90", ops)})
    fold.artifacts["out.txt"] = (b"d" * 32, 3, 1, True)
    base = write_base(fold, HASH)
    found = set(blobs_of(base.digest, base.blobs.get))
    assert found == {*base.blobs, digest_of(reference), b"d" * 32}


def test_a_base_of_which_anything_is_missing_or_else_is_damage() -> None:
    base = write_base(folded(journals()[0]), HASH)
    for gone in base.blobs:
        rest = {digest: data for digest, data in base.blobs.items() if digest != gone}
        with pytest.raises(LedgerDamaged):
            read_base(base.digest, rest.get)
        short = {**base.blobs, gone: base.blobs[gone][:-1]}
        with pytest.raises(LedgerDamaged):
            read_base(base.digest, short.get)


def test_there_is_no_base_of_a_journal_that_contradicts_itself() -> None:
    fold = folded(journals()[0])
    fold.violations.append(Violation(3, "it lies"))
    with pytest.raises(Broken, match="record 3: it lies"):
        write_base(fold, HASH)
