"""Nothing happens silently: what independent witnesses saw of a busy run is in its ledger.

The witnesses know nothing of the ledger: tools that write down who called them, a bank that counts
its money, actors that keep diaries outside of their state, the observer of the run, and who
operates it. What they saw is compared with what the journal says, item by item, in both directions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest

from perdure import Actor, Backoff, Child, Reject, Run, field, tool
from perdure.actors.events import Event
from perdure.ledger import records
from perdure.ledger.journal import read_record, send_of
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Lane, Life, Record, Send
from perdure.ledger.standins import StandInCodec
from tests.kit import SECONDS, Disk, budget, on_kernel, program, resumed, running, settle, until

AGENTS = 6
TASKS = 120
KINDS = (
    "pay", "read", "flaky", "tell", "ask", "sleep", "crash", "poison", "reject", "later", "write",
    "spawn", "nobody", "refuse",
)  # fmt: skip
Seen = dict[str, Counter[Any]]
"""What was seen, by who saw it: calls, money, turns, sends, events, operations."""


class Witnesses:
    """What happened, as those saw it to whom it happened."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.seen: Seen = {
            name: Counter() for name in ("calls", "turns", "sends", "events", "operations")
        }
        self.money = 0

    def copy(self) -> Seen:
        """What was seen up to now."""
        return {name: +counter for name, counter in self.seen.items()}

    def event(self, event: Event) -> None:
        if event.kind in EVENTS:
            place = event.message if event.kind == "artifact" else event.address
            self.seen["events"][event.kind, place] += 1


EVENTS = ("crashed", "restarted", "dead", "artifact", "start_failed")
HERE = Witnesses()


@pytest.fixture(autouse=True)
def _nobody_has_seen_anything() -> None:
    HERE.clear()


@tool("bank.pay", effect="financial", idempotent=True, tokens=lambda amount, **_: amount)
async def pay(amount: int, idempotency_key: str = "") -> int:
    HERE.seen["calls"]["bank.pay", amount, True] += 1
    HERE.money += amount
    return amount


@tool("page.read", effect="read", retries=1)
async def read(page: str) -> str:
    ok = "flaky" not in page or HERE.seen["calls"]["page.read", page, False] > 0
    HERE.seen["calls"]["page.read", page, ok] += 1
    if not ok:
        raise OSError("the line is busy")
    return page.upper()


@tool("door.open", effect="irreversible")
async def open_door(what: str) -> None:
    HERE.seen["calls"]["door.open", what, False] += 1
    raise PermissionError("closed on Sundays")


class Agent(Actor, name="tests.completeness.agent"):
    """Does one thing for each message, (kind, number), and writes it into a diary."""

    done: list[str] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        attempt, sends = self.attempt, list[tuple[str, str, Any]]()
        try:
            answer = await self._do(message, sends)
        except Reject:
            HERE.seen["turns"][self.address, message, attempt, "rejected"] += 1
            raise
        except Exception as error:
            HERE.seen["turns"][self.address, message, attempt, type(error).__name__] += 1
            raise
        HERE.seen["turns"][self.address, message, attempt, "closed"] += 1
        HERE.seen["sends"].update(sends)
        return answer

    async def _do(self, message: Any, sends: list[tuple[str, str, Any]]) -> Any:
        kind, number = message
        other = f"/r/{number % AGENTS}"
        match kind:
            case "pay":
                return await self.call(pay, amount=number)
            case "read" | "flaky":
                return await self.call(read, page=f"{kind} {number}")
            case "refuse":
                try:
                    await self.call(open_door, what=f"door {number}")
                except PermissionError:
                    return None
            case "tell" | "nobody" | "later":
                to = "/r/none" if kind == "nobody" else other
                self.tell(to, ("noted", number), delay=5.0 if kind == "later" else None)
                sends.append((self.address, to, ("noted", number)))
            case "ask":
                if other != self.address:
                    sends.append((self.address, other, ("asked", number)))
                    return await self.ask(other, ("asked", number), timeout=600.0)
            case "sleep":
                await self.sleep(1.0)
            case "crash" if self.attempt == 1:
                raise ValueError("once")
            case "poison":
                raise KeyError(number)
            case "reject":
                raise Reject("not today")
            case "write":
                await self.artifact(f"{number}.txt", str(message))
            case "spawn":
                self.spawn(Agent, f"child{number}")
        self.done.append(f"{kind} {number}")
        return number


def tree() -> Any:
    options: Any = {"attempts_max": 2, "backoff": Backoff(first=0.5)}
    agents = (Child(str(number), Agent, **options) for number in range(AGENTS))
    return program(*agents, tokens=1_000_000)


def busy(run: Run, seed: int, tasks: int = TASKS) -> None:
    """Give a run a lot to do, and operate it meanwhile."""
    chance = Random(seed)
    for number in range(tasks):
        address = f"/r/{chance.randrange(AGENTS)}"
        _operate(run, "tell", address, (KINDS[number % len(KINDS)], number))
        if number % 10 == 0:
            settle(run)  # a turn that is killed in the middle leaves its witnesses half a story
        if number % 40 == 10:
            _operate(run, "suspend", address)
            _operate(run, "unsuspend", address)
        if number % 40 == 20:
            _operate(run, "exit", address)
        if number % 40 == 30:
            _operate(run, "stop", address)


def _operate(run: Run, verb: str, address: str, message: Any = None) -> None:
    match verb:
        case "tell":
            run.tell(address, message).get(timeout=SECONDS)
        case "suspend":
            run.suspend(address)
        case "unsuspend":
            run.unsuspend(address)
        case "exit":
            run.exit(address, "kill")
        case "stop":
            run.stop(address)
    HERE.seen["operations"][verb, address, message] += 1


class Journal:
    """What the journal says of all that witnesses can see, from a record on."""

    def __init__(self, store: MemoryStore, first: int = 1) -> None:
        self.seen: Seen = {name: Counter() for name in HERE.seen}
        self._codec = StandInCodec()
        self._codec.read_blob = store.blob
        self._bodies: dict[int, Any] = {}
        self._addresses: dict[int, str] = {}
        self._news: Counter[Any] = Counter()
        for raw in store.records():
            record = read_record(raw)
            self._bodies[record.seq] = record.body
            if isinstance(record.body, records.Birth):
                self._addresses[record.seq] = record.body.address
            if record.seq >= first:
                self._read(record)

    def _read(self, record: Record) -> None:
        body = record.body
        match body:
            case records.Turn():
                self._turn(body)
            case records.Crash():
                self._crash(body)
            case records.Result() if body.digest and not body.name.startswith("ask "):
                self._call(body)
            case records.Ask() if body.digest:
                self._sends(self._addresses[body.actor], body.sends)
            case records.Post() if body.origin == "outside":
                (send,) = (Send(*wire) for wire in body.sends)
                is_told = send.lane == Lane.USER
                message = self._codec.decode(send.body) if is_told else None
                self.seen["operations"][
                    "tell" if is_told else "exit", self._addresses[send.to], message
                ] += 1
            case records.Post() if body.origin == "stop":
                self.seen["operations"]["stop", self._addresses[body.sends[0][0]], None] += 1
            case records.Suspend():
                verb = "suspend" if body.incarnation else "unsuspend"
                self.seen["operations"][verb, self._addresses[body.actor], None] += 1
            case records.Release():
                self.seen["events"]["artifact", body.path] += 1
        for id, incarnation, life in getattr(body, "lives", ()):
            if life == Life.STARTING and incarnation > 1:
                self.seen["events"]["restarted", self._addresses[id]] += 1

    def _message(self, id: tuple[int, int]) -> tuple[Send, Any]:
        send = send_of(self._bodies[id[0]], id[1])
        return send, self._codec.decode(send.body)

    def _turn(self, body: records.Turn) -> None:
        send, message = self._message(body.message)
        if send.lane != Lane.USER:
            return
        how = "closed" if body.rejected is None else "rejected"
        self.seen["turns"][self._addresses[body.actor], message, body.attempt, how] += 1
        self._sends(self._addresses[body.actor], body.sends)

    def _crash(self, body: records.Crash) -> None:
        address = self._addresses[body.actor]
        _, message = self._message(body.message)
        kind = body.reason.partition(":")[0]
        self.seen["turns"][address, message, body.attempt, kind] += 1
        self.seen["events"]["crashed", address] += 1
        if any((row[0], row[1]) == body.message for row in body.dead):
            self.seen["events"]["dead", address] += 1

    def _call(self, body: records.Result) -> None:
        asked = self._bodies[body.intent].asked if body.intent else body.asked
        _, given = self._codec.decode(asked)
        self.seen["calls"][body.name, next(iter(given.values())), body.ok] += 1

    def _sends(self, sender: str, sends: Iterable[Any]) -> None:
        for send in (Send(*wire) for wire in sends):
            if send.lane == Lane.USER:
                to = send.dead[0] if send.dead else self._addresses[send.to]
                self.seen["sends"][sender, to, self._codec.decode(send.body)] += 1


def silent(seen: Seen, journal: Seen) -> dict[str, tuple[Counter[Any], Counter[Any]]]:
    """What only the witnesses saw, and what only the journal says."""
    return {
        name: (seen[name] - journal[name], journal[name] - seen[name])
        for name in seen
        if seen[name] != journal[name]
    }


def test_what_witnesses_saw_of_a_busy_run_is_what_its_ledger_says() -> None:
    store = MemoryStore()
    with running(tree(), store, observer=HERE.event) as run:
        busy(run, seed=7)
        settle(run)
    assert silent(HERE.seen, Journal(store.reopened()).seen) == {}
    assert budget(store).spent == HERE.money > 0
    print({name: counter.total() for name, counter in HERE.seen.items()}, HERE.money)
    assert all(counter.total() > 10 for counter in HERE.seen.values())
    kinds = {kind for kind, _ in HERE.seen["events"]}
    assert kinds == {"crashed", "restarted", "dead", "artifact"}


def test_what_was_seen_of_a_process_that_died_is_in_the_ledger_that_it_left() -> None:
    disk = Disk()
    with running(tree(), disk, observer=HERE.event) as run:
        busy(run, seed=7, tasks=60)
        disk.open.clear()  # it dies in the middle: from here on nothing becomes durable
        run.tell("/r/0", ("pay", 1_000))
        run.tell("/r/1", ("read", 1_001))
        assert disk.waited.wait(SECONDS)
        until(run, lambda: not run.kernel.dispatch.ready)
        left, before, money = on_kernel(run, lambda: (disk.reopened(), HERE.copy(), HERE.money))
        disk.open.set()
    said = Journal(left).seen
    assert before["events"] - said["events"] == Counter()  # shown is durable (G3)
    assert before["operations"] - said["operations"] == Counter()  # confirmed is durable
    paid = Counter({call: n for call, n in before["calls"].items() if call[0] == "bank.pay"})
    assert paid - _intended(left) == Counter()  # begun is intended, and that is durable (G3)
    assert money == sum(call[1] * times for call, times in paid.items())

    HERE.clear()
    head = left.head().seq
    with resumed(tree(), left, observer=HERE.event) as run:
        busy(run, seed=8, tasks=60)
        settle(run)
    assert silent(HERE.seen, Journal(left.reopened(), head + 1).seen) == {}


def _intended(store: MemoryStore) -> Counter[Any]:
    codec = StandInCodec()
    intents = (read_record(raw).body for raw in store.reopened().records())
    found: Counter[Any] = Counter()
    for body in intents:
        if isinstance(body, records.Intent):
            _, given = codec.decode(body.asked)
            found[body.name, next(iter(given.values())), True] += 1
    return found
