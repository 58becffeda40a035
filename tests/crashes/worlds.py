"""Small runs that do, between them, all that a run can do: what is crashed at every write."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from perdure import (
    Actor,
    AskTimeout,
    Backoff,
    Child,
    Crashed,
    DeadLetter,
    Down,
    Exited,
    Reject,
    SupervisorSpec,
    field,
    message,
    tool,
)
from perdure.actors.kernel import Kernel
from perdure.ledger.keys import Table, dead_id, posted_key
from perdure.ledger.spool import Post
from perdure.runtime.program import Program
from perdure.supervisors import (
    CountChildren,
    DeleteChild,
    RestartChild,
    StartChild,
    TerminateChild,
)
from perdure.testing.lives import Act, Subject
from tests.kit import program

QUICK = Backoff(first=0.5)
SPEED = float(os.environ.get("WORLDS_SPEED", "1"))
"""How much faster than they say things wait: in real time, they are to be quick."""

CALLS: list[str] = []
"""What tools did, seen from outside of everything."""


def did(what: str) -> int:
    """Note what a tool does; how often that was done now. Its log may be a file."""
    CALLS.append(what)
    log = os.environ.get("WORLDS_LOG")
    if log is None:
        return CALLS.count(what)
    with open(log, "a") as file:
        file.write(what + "\n")
    return Path(log).read_text().splitlines().count(what)


def secs(number: float) -> float:
    return number / SPEED


@message("worlds.do")
class Do:
    what: str
    n: int = 0


# --- steps of every effect class


def look(n: int) -> int:
    did(f"look {n}")
    return n


@tool("worlds.read", effect="read", tokens=3)
async def read(n: int) -> int:
    did(f"read {n}")
    return n


@tool("worlds.write", effect="reversible", tokens=2)
async def write(n: int) -> int:
    did(f"write {n}")
    return n


@tool("worlds.delete", effect="irreversible")
def delete(n: int) -> str:
    did(f"delete {n}")
    return f"deleted {n}"


@tool("worlds.pay", effect="financial", idempotent=True, tokens=5)
def pay(n: int, idempotency_key: str = "") -> str:
    did(f"pay {n} {idempotency_key}")
    return f"paid {n}"


@tool("worlds.mail", effect="external", retries=2, backoff=QUICK)
async def mail(n: int) -> str:
    if did(f"mail {n}") == 1:
        raise ConnectionError("the first try fails")
    return f"mailed {n}"


@tool("worlds.run", effect="code")
def run_code(n: int) -> int:
    did(f"run {n}")
    return n * n


@tool("worlds.grant")
def grant(n: int) -> int:
    did(f"grant {n}")
    return n


class Doer(Actor, name="worlds.doer"):
    """Calls one tool of each class; the second message crashes once in its middle."""

    seen: list[Any] = field(default_factory=list)
    years: set[int] = field(default_factory=set)

    async def on_receive(self, message: Do) -> None:
        self.years.add(self.now().year)
        self.seen.append(await self.once(look, message.n))
        both = await self.gather(self.call(read, n=message.n), self.call(write, n=message.n))
        self.seen += both
        self.seen.append(await self.call(delete, n=message.n))
        if message.n == 2 and self.attempt == 1:
            raise ValueError("in the middle")
        for each in (pay, mail, run_code, grant):
            self.seen.append(await self.call(each, n=message.n))
        await self.artifact(f"{message.n}.txt", f"{self.seen}")


class PlainDoer(Actor, name="worlds.plain_doer"):
    """The same in a thread."""

    seen: list[Any] = field(default_factory=list)

    def on_receive(self, message: Do) -> None:
        self.seen.append(self.once(look, message.n).get())
        self.seen.append(self.call(delete, n=message.n).get())
        self.sleep(secs(5.0)).get()
        self.seen.append(self.call(pay, n=message.n).get())


# --- waits


class Mute(Actor, name="worlds.mute"):
    async def on_receive(self, message: Do) -> str:
        await self.sleep(secs(100.0))
        return "too late"


class Echo(Actor, name="worlds.echo"):
    heard: int = 0

    async def on_receive(self, message: Do) -> int:
        self.heard += 1
        if message.what == "refuse":
            raise Reject("no")
        if message.what == "crash":
            raise ValueError("never")
        await self.sleep(secs(message.n))
        return message.n * 2


class Waiter(Actor, name="worlds.waiter"):
    got: list[Any] = field(default_factory=list)

    async def on_receive(self, message: Do) -> None:
        if message.what == "later":
            self.got.append("later")
            return
        self.send_after(secs(20.0), self.address, Do("later"))
        self.tell("../echo", Do("twice", 1), delay=secs(7.0))
        try:
            await self.ask("../mute", Do("ask"), timeout=secs(10.0))
        except AskTimeout:
            self.got.append("timeout")
        self.got += await self.gather(
            self.ask("../echo", Do("a", 3)), self.ask("../echo", Do("b", 2), timeout=86_400.0)
        )
        for what in ("refuse", "crash"):
            try:
                await self.ask("../echo", Do(what))
            except (Reject, Crashed) as error:
                self.got.append(type(error).__name__)
        await self.sleep(secs(30.0))


# --- falls


class Twice(Actor, name="worlds.twice"):
    """Sets two timers for one moment."""

    rung: list[str] = field(default_factory=list)

    async def on_receive(self, message: Do) -> None:
        if message.what == "set":
            for what in ("one", "other"):
                self.send_after(9.0, self.address, Do(what))
        self.rung.append(message.what)


class Faller(Actor, name="worlds.faller"):
    """Falls on what it is told to; a poison is a dead letter in the end."""

    up: int = 0
    seen: list[str] = field(default_factory=list)

    async def on_start(self) -> None:
        self.up += 1

    async def on_receive(self, message: Do) -> None:
        if message.what == "mark":
            self.mark("good")
        self.seen.append(message.what)
        if message.what == "once" and self.attempt == 1:
            raise ValueError("once")
        if message.what == "poison":
            raise ValueError("poison")
        if message.what == "spawn":
            self.spawn(Faller, "child", attempts_max=1)
            self.tell("child", Do("once"))
        if message.what == "stop":
            self.stop()


class Watcher(Actor, name="worlds.watcher"):
    """Is told of ends and of dead letters."""

    trap_exit = True
    told: list[str] = field(default_factory=list)

    async def on_start(self) -> None:
        for name in ("one", "rest/b"):
            self.monitor(f"/r/{name}")
        self.link("/r/all/d")

    async def on_receive(self, message: Down | Exited | DeadLetter) -> None:
        of = message.to if isinstance(message, DeadLetter) else message.address
        self.told.append(f"{type(message).__name__} {of}")


def faller(id: str, **options: Any) -> Child:
    return Child(id, Faller, backoff=QUICK, attempts_max=2, **options)


def branch(id: str, strategy: str, *ids: str) -> Child:
    children = [faller(each) for each in ids]
    return Child(id, supervisor=SupervisorSpec(strategy=strategy, children=children, intensity=9))


class Boss(Actor, name="worlds.boss"):
    """Has children started, in pools and elsewhere, and one of them stopped and started again."""

    began: list[Any] = field(default_factory=list)

    async def on_receive(self, message: Do) -> None:
        for n in (1, 2):
            self.began.append(await self.ask("../many", StartChild(init={"seen": [f"{n}"]})))
        self.began.append(await self.ask("../any", StartChild(faller("free"))))
        for pool in ("many", "any"):
            self.tell(f"../{pool}/1", Do("once"))
        self.tell("../many/2", Do("poison"))
        await self.ask("../few", TerminateChild("a"))
        await self.ask("../few", RestartChild("a"))
        await self.ask("../few", TerminateChild("b"))
        await self.ask("../few", DeleteChild("b"))
        self.tell("../few/a", Do("lives"))
        self.began.append(await self.ask("../few", CountChildren()))


# --- what is done to a run from outside, once


def posted(id: str, verb: str, fields: Callable[[Kernel], dict[str, Any]]) -> Act:
    """A post of another process, handed in again until it is durable that it was done."""
    post_id = id.ljust(32, "0")

    def act(kernel: Kernel) -> bool:
        if kernel.book.store.get(posted_key(post_id)) is not None:
            return False
        kernel.door.hand(Post(post_id, verb, fields(kernel)), lambda: None)
        return True

    return act


def post(id: str, verb: str, **fields: Any) -> Act:
    return posted(id, verb, lambda kernel: fields)


def first_dead(kernel: Kernel) -> dict[str, Any]:
    """The fields of a post that requeues the oldest dead letter."""
    seq, index = min(dead_id(key) for key, _ in kernel.book.store.scan(bytes([Table.DEAD])))
    return {"message": f"{seq}.{index}"}


def told(what: str, n: int = 0) -> dict[str, Any]:
    return {"$": "worlds.do", "what": what, "n": n}


class World(NamedTuple):
    """A run to be crashed: its program, its first messages, what is done to it."""

    program: Program
    tells: Iterable[tuple[str, object]]
    acts: Iterable[Act] = ()

    @property
    def subject(self) -> Subject:
        return Subject(self.program, self.tells, self.acts)


def effects() -> World:
    children = (Child("doer", Doer, backoff=QUICK), Child("plain", PlainDoer))
    tells = [("/r/doer", Do("do", n)) for n in (1, 2)] + [("/r/plain", Do("do", 3))]
    return World(replace(program(*children), tokens=100), tells)


def waits() -> World:
    children = [Child("waiter", Waiter), Child("mute", Mute), Child("echo", Echo, attempts_max=1)]
    return World(program(*children), [("/r/waiter", Do("wait"))])


def falls() -> World:
    children = (
        Child("watcher", Watcher),
        faller("one", restore=("committed", "mark:good", "fresh"), restore_after=1),
        branch("all", "one_for_all", "c", "d"),
        branch("rest", "rest_for_one", "a", "b"),
    )
    whats = ["mark", "a", "once", "poison", "spawn"]
    tells = [("/r/one", Do(what)) for what in whats]
    tells += [("/r/all/c", Do("once")), ("/r/rest/a", Do("poison")), ("/r/rest/b", Do("stop"))]
    return World(program(*children, dead_letters_to="/r/watcher"), tells)


def pools() -> World:
    many = SupervisorSpec(strategy="simple_one_for_one", children=[faller("each")])
    dynamic = SupervisorSpec(strategy="dynamic", children_max=5, children=[])
    children = (
        Child("many", supervisor=many),
        Child("any", supervisor=dynamic),
        branch("few", "one_for_one", "a", "b"),
        Child("boss", Boss),
    )
    return World(program(*children), [("/r/boss", Do("begin"))])


def door() -> World:
    children = (faller("one"), Child("echo", Echo, attempts_max=1), faller("gone"))
    acts = [
        post("a", "tell", to="/r/one", message=told("posted")),
        post("b", "suspend", address="/r/one", on=True),
        post("c", "tell", to="/r/one", message=told("while suspended")),
        post("d", "suspend", address="/r/one", on=False),
        post("e", "ask", to="/r/echo", message=told("ask", 4)),
        posted("f", "requeue", first_dead),
        post("1", "cancel", address="/r/gone"),
        post("2", "tell", to="/r/nobody", message=told("refused")),
    ]
    return World(program(*children), [("/r/one", Do("poison"))], acts)


WORLDS = {each.__name__: each for each in (effects, waits, falls, pools, door)}
