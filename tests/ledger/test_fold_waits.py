"""The audit of waits: each is settled once, in time, and takes its timer along."""

from __future__ import annotations

from functools import cache
from typing import Any

from perdure import Actor, Child, FakeClock
from perdure.errors import AskTimeout
from perdure.ledger import records
from perdure.ledger.audit import audit, audit_store
from perdure.ledger.journal import read_record
from perdure.ledger.keys import Table
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Record
from tests.kit import SECONDS, at_once, on_kernel, program, rows, running, settle


class Asleep(Actor, name="tests.fold.asleep"):
    """Sleeps, asks in vain, asks with an answer, and sleeps again for long."""

    async def on_receive(self, message: Any) -> Any:
        if message == "answer":
            return "an answer"
        if message == "mute":
            await self.sleep(3_600.0)
            return None
        await self.sleep(5.0)
        try:
            await self.ask("/r/b", "mute", timeout=5.0)
        except AskTimeout:
            await self.ask("/r/c", "answer", timeout=60.0)
        await self.sleep(86_400.0)
        return None


@cache
def waited() -> MemoryStore:
    """A ledger in which an actor is in its last sleep; nobody changes it."""
    store, clock = MemoryStore(), FakeClock()
    tree = program(*(Child(name, Asleep) for name in "abc"))
    with running(tree, store, clock=clock) as run:
        with at_once(run):  # else the half minute is over before there is anything to wait for
            half_a_minute = run.kernel.book.now_ns() + 30 * 10**9
            on_kernel(run, run.kernel.timers.at, half_a_minute, lambda: stop(clock))
            run.tell("/r/a", "go").get(timeout=SECONDS)
        settle(run)
    return store.reopened()


def stop(clock: FakeClock) -> None:
    """From now on time leaps no more."""
    clock.jumps = False


def journal() -> list[Record]:
    return [read_record(raw) for raw in waited().records()]


def texts(found: list[Record]) -> list[str]:
    return [wrong.text for wrong in audit(found, waited().scan(b""), [])]


def result(name: str) -> int:
    """Where the result of a step of that name is."""
    return next(
        place
        for place, record in enumerate(journal())
        if isinstance(record.body, records.Result) and record.body.name == name
    )


def changed(at: int, **fields: Any) -> list[Record]:
    whole = journal()
    whole[at] = whole[at]._replace(body=whole[at].body._replace(**fields))
    return whole


def test_a_ledger_with_waits_of_all_kinds_is_whole() -> None:
    assert audit_store(waited()) == []
    assert len(rows(waited(), Table.TIMER)) == 2  # the last sleep, and that of the mute one


def test_a_wait_that_is_settled_twice_is_named() -> None:
    whole = journal()
    again = whole[result("sleep")]._replace(seq=len(whole) + 1)
    again = again._replace(body=again.body._replace(time=whole[-1].body.time))
    assert any(
        "sleep#1 of message" in each and "a second time" in each for each in texts([*whole, again])
    )


def test_an_outcome_is_missed_once_and_only_if_it_is_there_and_got_after_all_only_then() -> None:
    whole, at = journal(), result("sleep")
    slept, time = whole[at], whole[-1].body.time

    def then(*results: tuple[bool, int]) -> list[str]:
        more = [
            Record(len(whole) + n, b"", slept.body._replace(time=time, ok=ok, missed=of))
            for n, (ok, of) in enumerate(results, 1)
        ]
        said = [wrong.text for wrong in audit([*whole, *more], waited().scan(b""), [])]
        return [text for text in said if "what record" in text]

    assert then((False, slept.seq), (True, slept.seq), (False, slept.seq)) == []
    assert any("misses what record" in text for text in then((False, slept.seq + 1)))
    assert any("misses" in text for text in then((False, slept.seq), (False, slept.seq)))
    assert any("gets after all" in text for text in then((True, slept.seq)))


def test_a_sleep_that_ends_early_is_named() -> None:
    at = result("sleep")
    time = journal()[at].body.time - 1
    assert "a wait ends 1 ns early" in texts(changed(at, time=time))


def test_a_timer_that_its_wait_did_not_take_along_is_named() -> None:
    at = result("ask /r/b")
    assert any(
        "TIMER" in each and "no row" in each for each in texts(changed(at, key="ask /r/b#9"))
    )
