"""Figures of a run's turns, from its journal alone."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Backoff, Child, FakeClock, Reject, tool
from perdure.actors.signals import suspend
from perdure.ledger.memory import MemoryStore
from perdure.runtime.stats import Kind, Stats
from perdure.runtime.view import View
from tests.kit import SECONDS, advance, at_once, on_kernel, program, running, settle


class Clerk(Actor, name="tests.stats.clerk"):
    """Handles (kind, seconds): the clock goes on while it works."""

    async def on_receive(self, message: Any) -> Any:
        what, seconds = message
        self._turn.kernel.book.clock.clock.advance(seconds)
        if what == "flaky" and self.attempt <= 2:
            raise ValueError(f"{what}\nand more")
        if what == "poison":
            raise OSError("no")
        if what == "rejected":
            raise Reject("not today")
        return self.attempt


def still(**options: Any) -> dict[str, Any]:
    return {"clock": FakeClock(jumps=False), **options}


def stats_of(store: MemoryStore) -> Stats:
    view = View(store.reopened())
    stats = Stats(view.codec.type_name, view.actor, 1)
    for record in view.records():
        stats.add(record)
    return stats


KIND = Kind("tests.stats.clerk", "tuple")


def test_attempts_successes_and_times_are_those_of_the_journal() -> None:
    store, quick = MemoryStore(), Backoff(first=0.0)
    child = Child("a", Clerk, attempts_max=3, backoff=quick)
    with running(program(child), store, **still()) as run:
        for message in [("plain", 1.0), ("flaky", 2.0), ("poison", 0.5), ("rejected", 4.0)]:
            run.tell("/r/a", message).get(timeout=SECONDS)
            settle(run)
    stats = stats_of(store)
    clerk = stats.handlings[KIND]
    assert (clerk.turns, clerk.rejected, clerk.crashes, clerk.attempts, clerk.dead) == (
        3, 1, 5, 8, 1,
    )  # fmt: skip
    assert clerk.success == 3 / 8
    assert clerk.service.mean == pytest.approx(7e9 / 3, rel=0.01)
    assert clerk.failing.total == pytest.approx((2 + 2 + 0.5 * 3) * 1e9, rel=0.01)
    assert clerk.service.quantile(0.5) == pytest.approx(2e9, rel=0.03)
    assert clerk.waiting == 0
    assert stats.reasons == {(KIND, "ValueError: flaky"): 2, (KIND, "OSError: no"): 3}


def test_a_message_waits_for_its_actor_and_an_actor_for_a_slot() -> None:
    store = MemoryStore()
    tree = program(Child("a", Clerk), Child("b", Clerk), concurrency=1)
    with running(tree, store, clock=FakeClock()) as run:
        settle(run)
        with at_once(run):
            on_kernel(run, _post, run, ("/r/a", "/r/a", "/r/b"))
        settle(run)
    clerk = stats_of(store).handlings[KIND]
    # a, a, b or a, b, a: each turn takes a second, and there is one slot
    assert clerk.wait.total == pytest.approx(3e9, rel=0.01)
    assert clerk.slot.most == pytest.approx(1e9, rel=0.01) or clerk.slot.most == pytest.approx(
        2e9, rel=0.01
    )
    assert clerk.most_waiting == 3


def _post(run: Any, addresses: tuple[str, ...]) -> None:
    """Send to several in one go."""
    for address in addresses:
        run.tell(address, ("plain", 1.0))


def test_messages_that_are_delayed_wait_from_when_they_are_due() -> None:
    class Later(Actor, name="tests.stats.later"):
        async def on_receive(self, message: str) -> None:
            if message == "first":
                self.tell(self.address, "second", delay=100.0)

    store = MemoryStore()
    with running(program(Child("a", Later)), store) as run:
        run.tell("/r/a", "first")
        settle(run)
    later = stats_of(store).handlings[Kind("tests.stats.later", "str")]
    assert (later.turns, later.waiting) == (2, 0)
    assert later.wait.most < 1e9


def test_tools_have_figures_of_their_own_and_waits_have_none() -> None:
    @tool("shop.buy", effect="financial", tokens=7)
    async def buy(what: str) -> str:
        if what == "moon":
            raise ValueError("not for sale")
        return what

    class Buyer(Actor, name="tests.stats.buyer"):
        async def on_receive(self, message: str) -> None:
            await self.sleep(1.0)
            self.now()
            try:
                await self.call(buy, what=message)
            except ValueError:
                await self.ask("/r/b", ("plain", 0.0))

    store = MemoryStore()
    with running(program(Child("a", Buyer), Child("b", Clerk)), store) as run:
        for what in ("bread", "moon", "milk"):
            run.tell("/r/a", what)
        settle(run)
    stats = stats_of(store)
    assert {name: (c.ok, c.failed, c.tokens) for name, c in stats.calls.items()} == {
        "shop.buy": (2, 1, 21)
    }


def test_what_waits_is_counted_and_sends_that_a_full_inbox_refused_are_too() -> None:
    class Pusher(Actor, name="tests.stats.pusher"):
        async def on_receive(self, message: int) -> int:
            refused = 0
            for number in range(message):
                try:
                    self.tell("/r/a", ("plain", float(number)))
                except Exception:  # noqa: BLE001 - InboxFull, of which the figures tell
                    refused += 1
            return refused

    store = MemoryStore()
    with running(program(Child("a", Clerk), Child("b", Pusher)), store, **still()) as run:
        on_kernel(run, setattr, run.kernel.pressure, "hard_max", 2)
        on_kernel(run, suspend, run.kernel, "/r/a", True)
        run.tell("/r/a", ("plain", 0.0)).get(timeout=SECONDS)
        run.tell("/r/a", ("plain", 0.0)).get(timeout=SECONDS)
        assert run.ask("/r/b", 3, timeout=SECONDS) == 3
        advance(run, 5.0)
        settle(run)
    stats = stats_of(store)
    assert stats.refused == 3
    assert (stats.handlings[KIND].waiting, stats.handlings[KIND].most_waiting) == (2, 2)


def test_a_journal_of_which_the_beginning_is_gone_gives_figures_of_the_rest() -> None:
    store = MemoryStore()
    with running(program(Child("a", Clerk)), store, **still()) as run:
        for _ in range(5):
            run.tell("/r/a", ("plain", 1.0)).get(timeout=SECONDS)
            settle(run)
    view = View(store.reopened())
    stats = Stats(view.codec.type_name, view.actor, 1)
    for record in view.records(view.head.seq - 3):
        stats.add(record)
    assert [(*kind, each.turns) for kind, each in stats.handlings.items()] == [(*KIND, 1)]
