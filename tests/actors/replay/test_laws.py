"""Whatever a program does by its verbs, its replay does too: small programs by chance."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from perdure import Actor, Child, Reject, field, tool
from perdure.errors import Crashed
from perdure.ledger.memory import MemoryStore
from tests.kit import SECONDS, program, resumed, running, settle
from tests.replaying import assert_identical

ADDRESSES = ("/r/a", "/r/b", "/r/c", "/r/a/kid", "/r/nobody")
ACTS = (
    "count", "append", "drop", "tell", "later", "once", "call", "fail", "ask", "gather", "draw",
    "now", "spawn", "sleep", "artifact", "crash", "once-crash", "reject", "stop",
)  # fmt: skip


def halve(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2


@tool("laws.charge", effect="external", tokens=2, idempotent=True)
async def charge(number: int) -> dict[str, int]:
    await asyncio.sleep(0)
    return {"charged": number}


class Doing(Actor, name="tests.laws.doing"):
    """Does what its message says: a list of (act, number)."""

    total: int = 0
    seen: list[Any] = field(default_factory=list)
    by_act: dict[str, int] = field(default_factory=dict)

    def on_restart(self, reason: str) -> None:
        self.seen.append(reason)

    def on_stop(self) -> None:
        self.total += 1

    async def on_receive(self, message: list[Any]) -> int:
        for act, number in message:
            self.by_act[act] = self.by_act.get(act, 0) + 1
            await self.act(act, number)
        return self.total

    async def act(self, act: str, number: int) -> None:
        to = ADDRESSES[number % len(ADDRESSES)]
        match act:
            case "count":
                self.total += number
            case "append":
                self.seen.append({number: [act]})
            case "drop":
                del self.seen[: number % 3]
            case "tell":
                self.tell(to, [["count", number]], cost=float(number + 1))
            case "later":
                self.tell(to, [["append", number]], delay=number + 0.5)
            case "once":
                self.total += await self.once(halve, number * 2)
            case "call":
                self.seen.append(await self.call(charge, number=number))
            case "fail":
                await self.failing(number)
            case "ask":
                await self.asking(to, number)
            case "gather":
                await asyncio.gather(*(self.once(halve, 2 * each) for each in range(number)))
            case "draw":
                self.seen.append(self.random.random())
            case "now":
                self.seen.append((self.now(), self.attempt, self.sender))
            case "spawn":
                self.tell(self.spawn(Doing, "kid", init={"total": number}), [["count", 1]])
            case "sleep":
                await self.sleep(number)
            case "artifact":
                await self.artifact(f"{number}.txt", act)
            case _:
                self.ends(act, number)

    def ends(self, act: str, number: int) -> None:
        if act == "crash" or (act == "once-crash" and self.attempt == 1):
            raise KeyError(number)
        if act == "reject":
            raise Reject(f"no {number}")
        if act == "stop":
            self.stop()

    async def failing(self, number: int) -> None:
        try:
            await self.once(halve, 2 * number + 1)
        except ValueError as error:
            self.seen.append(str(error))

    async def asking(self, to: str, number: int) -> None:
        if to.startswith(self.address):
            return  # it would wait for itself
        try:
            self.total += await self.ask(to, [["count", number]], timeout=5.0) or 0
        except (Reject, Crashed, TimeoutError) as error:
            self.seen.append(type(error).__name__)


class Plain(Doing, name="tests.laws.plain"):
    """The same in a thread, as far as a `def` handler can."""

    def on_receive(self, message: list[Any]) -> int:  # type: ignore[override]
        for act, number in message:
            if act in ("once", "gather"):
                self.total += self.once(halve, number * 2).get()
            elif act == "call":
                self.seen.append(self.call(charge, number=number).get())
            elif act in ("crash", "once-crash", "reject", "stop"):
                self.ends(act, number)
            elif act == "tell":
                self.tell("/r/a", [["append", number]])
            else:
                self.total += number
        return self.total


MESSAGES = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 6)), min_size=1, max_size=5)
POSTS = st.lists(st.tuples(st.sampled_from(ADDRESSES[:3]), MESSAGES), min_size=1, max_size=6)


@settings(max_examples=50)  # each runs, resumes and replays a whole program
@given(first=POSTS, then=POSTS)
def test_a_run_of_any_program_and_its_resumed_half_replay_identically(
    first: list[Any], then: list[Any]
) -> None:
    tree = program(Child("a", Doing), Child("b", Plain), Child("c", Doing), concurrency=3)
    store = MemoryStore()
    with running(tree, store) as run:
        post(run, first)
    store = store.reopened()
    with resumed(tree, store) as run:
        post(run, then)
    assert_identical(tree, store)


def post(run: Any, messages: list[Any]) -> None:
    for address, acts in messages:
        run.tell(address, [list(act) for act in acts]).get(timeout=SECONDS)
    settle(run)
