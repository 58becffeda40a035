"""The actors of a run as a list: what the ledger says, and what an owner says laid over it."""

from __future__ import annotations

from typing import Any

from perdure.ledger.memory import MemoryStore
from perdure.runtime.processes import Process, ordered, processes
from perdure.runtime.view import View
from tests.actors.test_door import CAST, Add
from tests.kit import SECONDS, FakeClock, running, settle
from tests.lived import lived


def by_address(found: list[Process]) -> dict[str, Process]:
    return {each.address: each for each in found}


def test_the_ledger_says_how_each_actor_is() -> None:
    found = by_address(processes(lived()))
    assert set(found) == {"/r", "/r/mixer", "/r/bad", "/r/mixer/child"}  # no implicit supervisor
    mixer, bad = found["/r/mixer"], found["/r/bad"]
    assert (mixer.state, mixer.turns, mixer.inbox, mixer.tokens) == ("running", 1, 1, 15)
    assert (bad.inbox, bad.restarts, bad.incarnation) == (1, 1, 2)
    with View(lived()) as view:
        assert mixer.tokens == view.totals().tokens_spent
        assert {node.address: node.turns for node in view.actors() if node.address in found} == {
            address: each.turns for address, each in found.items()
        }


def test_who_waits_for_an_answer_or_for_time_is_waiting() -> None:
    store = MemoryStore()
    with running(CAST, store, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/b", Add(1)).get(timeout=SECONDS)
        settle(run)
    assert by_address(processes(store.reopened()))["/r/b"].state == "waiting"


def turn(id: int, does: str, seconds: float) -> dict[str, Any]:
    return {"id": id, "does": does, "seconds": seconds}


def test_an_owner_knows_what_each_does_now() -> None:
    ids = {each.address: each.id for each in processes(lived())}
    turns = [
        turn(ids["/r/mixer"], "waiting", 9.0),
        turn(ids["/r/bad"], "running", 1.0),
        turn(ids["/r/mixer/child"], "holding the kernel", 0.5),
    ]
    found = processes(lived(), {"turns": turns})
    assert by_address(found)["/r/mixer"].state == "waiting"
    busy = [each.address for each in ordered(found, "busy")]
    assert busy == ["/r/mixer/child", "/r/bad", "/r/mixer", "/r"]


def test_a_list_is_sorted_by_what_one_wants_to_know() -> None:
    found = processes(lived())
    assert ordered(found, "tokens")[0].address == "/r/mixer"
    assert ordered(found, "restarts")[0].address in ("/r/mixer", "/r/bad")
    addresses = [each.address for each in ordered(found, "address")]
    assert addresses == sorted(addresses)
