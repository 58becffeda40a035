"""Fixed work whose cost is counted: what a run is told, and who does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from perdure import Actor, Child, SupervisorSpec, field, message, nonblocking, tool
from perdure.runtime.program import Program

RING = 100
LONG = 5_000  # items of a list that grows
PAD = "x" * 75
LEAD = "/work/lead"


@message("work.go")
class Go:
    """Do the work once more; `lap` is 0 for the lap that is not counted."""

    work: str
    lap: int


@message("work.token")
class Token:
    hops: int
    pad: str = PAD


@message("work.note")
class Note:
    number: int
    pad: str = PAD


@message("work.fall")
class Fall:
    pass


class Fell(Exception):
    """What falls, falls with this."""


async def read(number: int) -> int:
    return number + 1


@nonblocking
def look(number: int) -> int:
    return number + 1


@tool("work.act", effect="external", idempotent=True)
async def act(number: int) -> int:
    return number + 1


class Node(Actor, name="work.node"):
    """One of a ring: counts a token, and tells the next."""

    next: str = ""
    seen: int = 0

    async def on_receive(self, message: Token) -> None:
        self.seen += 1
        if message.hops > 1:
            self.tell(self.next, Token(message.hops - 1))


class Sink(Actor, name="work.sink"):
    """Counts what it is told, and answers with its count."""

    seen: int = 0

    async def on_receive(self, message: Note) -> int:
        self.seen += 1
        return self.seen


class Keeper(Actor, name="work.keeper"):
    """Keeps all that it is told in a list that is long from the start."""

    kept: list[int] = field(default_factory=list)

    async def on_start(self) -> None:
        self.kept.extend(range(LONG))

    async def on_receive(self, message: Note) -> None:
        self.kept.append(message.number)


class Doer(Actor, name="work.doer"):
    """One of several that each make calls with an effect."""

    done: int = 0

    async def on_receive(self, message: Note) -> None:
        for n in range(message.number):
            self.done = await self.call(act, n)


class Faller(Actor, name="work.faller"):
    """Crashes on each message; the next life takes the next one."""

    async def on_receive(self, message: Fall) -> None:
        raise Fell


class Leaf(Actor, name="work.leaf"):
    """One of many children."""

    async def on_receive(self, message: Note) -> None:
        return


class Lead(Actor, name="work.lead"):
    """Sets a work off, or does it in one turn."""

    last: int = 0

    async def on_receive(self, message: Go) -> None:
        work = WORKLOADS[message.work]
        if work.act is not None:
            await work.act(self, message.lap)


# --- what is done in a lap


async def many(lead: Lead, lap: int) -> None:
    for n in range(RING):
        lead.tell(f"/work/n{n}", Token(30))


async def one(lead: Lead, lap: int) -> None:
    lead.tell("/work/n0", Token(1_000))


async def tells(lead: Lead, lap: int) -> None:
    for n in range(1_000):
        lead.tell("/work/sink", Note(n))


async def asks(lead: Lead, lap: int) -> None:
    for n in range(200):
        lead.last = await lead.ask("/work/sink", Note(n))


async def effects(lead: Lead, lap: int) -> None:
    for n in range(100):
        lead.last = await lead.call(act, n)


async def effects_of_many(lead: Lead, lap: int) -> None:
    for n in range(20):
        lead.tell(f"/work/d{n}", Note(5))


async def reads(lead: Lead, lap: int) -> None:
    for n in range(100):
        lead.last = await lead.once(read, n)


async def instants(lead: Lead, lap: int) -> None:
    for n in range(100):
        lead.last = await lead.once(look, n)


async def spawns(lead: Lead, lap: int) -> None:
    for n in range(50):
        lead.spawn(Leaf, f"l{lap}-{n}")


async def falls(lead: Lead, lap: int) -> None:
    for _ in range(20):
        lead.tell("/work/faller", Fall())


class Workload(NamedTuple):
    """Some work: `number` of `unit`."""

    what: str
    number: int
    unit: str
    act: Callable[[Lead, int], Awaitable[None]] | None  # what the lead does in one turn
    children: tuple[Child, ...] = ()
    posted_to: str = ""  # who is told from outside instead, again when all is durable

    def program(self) -> Program:
        """A run in which it can be done."""
        children = [Child("lead", Lead), *self.children]
        return Program.of(
            Child("work", supervisor=SupervisorSpec(children=children, intensity=1_000))
        )


def ring() -> tuple[Child, ...]:
    return tuple(
        Child(f"n{n}", Node, init={"next": f"/work/n{(n + 1) % RING}"}) for n in range(RING)
    )


SINK = (Child("sink", Sink),)
WORKLOADS = {
    "ring": Workload("ring of 100, 100 messages in flight", 3_000, "turn", many, ring()),
    "chain": Workload("the same ring, one message in flight", 1_000, "turn", one, ring()),
    "tells": Workload("one actor tells another, in one turn", 1_000, "message", tells, SINK),
    "asks": Workload("one actor asks another, in one turn", 200, "question", asks, SINK),
    "posts": Workload("told from outside, one by one", 50, "message", None, SINK, "/work/sink"),
    "bystanders": Workload(
        "the same, beside 500 actors that have nothing to do",
        50,
        "message",
        None,
        (*SINK, *(Child(f"b{n}", Leaf) for n in range(500))),
        "/work/sink",
    ),
    "effects": Workload("calls with an effect, in one turn", 100, "call", effects),
    "crowd": Workload(
        "calls with an effect, 5 by each of 20 actors",
        100,
        "call",
        effects_of_many,
        tuple(Child(f"d{n}", Doer) for n in range(20)),
    ),
    "reads": Workload("`once` of an `async def`, in one turn", 100, "step", reads),
    "instants": Workload("`once` of a `@nonblocking`, in one turn", 100, "step", instants),
    "spawns": Workload("children spawned in one turn", 50, "child", spawns),
    "falls": Workload(
        "crashes, each with a restart",
        20,
        "crash",
        falls,
        (Child("faller", Faller, redelivery="none"),),
    ),
    "growth": Workload(
        "a list of 5,000 grows by one, told from outside",
        200,
        "turn",
        None,
        (Child("keeper", Keeper),),
        "/work/keeper",
    ),
}
