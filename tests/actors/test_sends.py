"""To send takes no lock and is not done under one, whatever thread a handler runs in.

Actors that wait for each other in a circle are told so at once: that is in test_cycles.py.
"""

from __future__ import annotations

import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

import pytest

from perdure import Actor, Child, Run, field
from perdure.actors.asks import Asks
from perdure.actors.blocking import closed_gate
from perdure.actors.book import Book
from perdure.actors.closing import Closing
from perdure.actors.dispatch import Dispatch
from perdure.actors.futures import Future
from perdure.actors.kernel import Kernel
from perdure.actors.outside import Outside
from perdure.actors.plain import Plain
from perdure.actors.runners import Runners
from perdure.actors.spawning import Spawning
from perdure.actors.turn import Turn
from perdure.ledger.environment import LedgerFile
from tests.kit import SECONDS, program, settle

ROUNDS = 60
NEW_LOCK, NEW_RLOCK = threading.Lock, threading.RLock
LOCKS = (type(threading.Lock()), type(threading.RLock()))

SENDS: dict[tuple[Any, str], Any] = {
    (part, name): vars(part)[name]
    for part, names in [
        (Turn, ("tell", "ask", "spawn", "exit")),
        (Run, ("tell",)),
        (Outside, ("tell", "_tell", "post")),
        (Asks, ("ask",)),
        (Spawning, ("spawn",)),
        (Closing, ("close",)),
        (Plain, ("close",)),
        (Book, ("append", "deliver", "enqueue")),
        (Dispatch, ("consider",)),
        (Runners, ("kick",)),
        (Kernel, ("on_kernel",)),
    ]
    for name in names
}
"""What a message goes through between its handler and the inbox, as it is before it is watched."""


class Taken(NamedTuple):
    """Where a lock is taken, or waited for: within these functions of perdure, innermost first."""

    thread: str
    within: tuple[CodeType, ...]

    @property
    def is_wait(self) -> bool:
        """Whether it is the gate of one who waits for an answer; nobody else does at that."""
        return self.is_in(closed_gate, Future._wait)

    def is_in(self, *functions: Any) -> bool:
        return any(function.__code__ in self.within for function in functions)

    def __repr__(self) -> str:
        return f"{self.thread}: {' < '.join(code.co_qualname for code in self.within)}"


def here() -> Taken:
    within, frame = [], sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("perdure."):
            within.append(frame.f_code)
        frame = frame.f_back  # type: ignore[assignment]
    # a thread that begins, and is in no function of perdure yet, has no name either
    return Taken(threading.current_thread().name if within else "", tuple(within))


class Locks:
    """Which locks were taken, and what was sent by threads that had one."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.sent_under: list[Taken] = []
        self.had: dict[int, list[Watched]] = defaultdict(list)  # by thread

    def to_send(self) -> list[Taken]:
        return [each for each in self.taken if each.is_in(*SENDS.values()) and not each.is_wait]

    def takers(self) -> set[str]:
        """What takes locks in the threads that do a run's work."""
        work = [each for each in self.taken if each.thread in ("perdure-kernel", "perdure-pool")]
        return {each.within[0].co_qualname for each in work if not each.is_wait}


class Watched:
    """A lock that notes who takes it."""

    def __init__(self, lock: Any, locks: Locks) -> None:
        self.lock, self.locks = lock, locks

    def acquire(self, *args: Any, **kwargs: Any) -> bool:
        place = here()
        if place.within:
            self.locks.taken.append(place)
        is_taken = bool(self.lock.acquire(*args, **kwargs))
        if is_taken and place.within and not place.is_wait:
            self.locks.had[threading.get_ident()].append(self)
        return is_taken

    def release(self) -> None:
        had = self.locks.had[threading.get_ident()]
        if self in had:
            had.remove(self)
        self.lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *args: object) -> None:
        self.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lock, name)


@pytest.fixture
def locks(monkeypatch: pytest.MonkeyPatch) -> Locks:
    """All locks that perdure has and makes are watched, and all sends."""
    locks = Locks()

    def maker(new: Callable[[], Any]) -> Callable[[], Watched]:
        return lambda: Watched(new(), locks)

    makers = {NEW_LOCK: maker(NEW_LOCK), NEW_RLOCK: maker(NEW_RLOCK)}
    modules = [each for name, each in sys.modules.items() if name.startswith("perdure")]
    inside = [
        value
        for each in modules
        for value in vars(each).values()
        if not isinstance(value, ModuleType)
    ]
    for holder in (*modules, *inside):
        for name, value in list(getattr(holder, "__dict__", {}).items()):
            if isinstance(value, LOCKS):
                monkeypatch.setattr(holder, name, Watched(value, locks))
            elif value is NEW_LOCK or value is NEW_RLOCK:
                monkeypatch.setattr(holder, name, makers[value])
    monkeypatch.setattr(threading, "Lock", makers[NEW_LOCK])
    monkeypatch.setattr(threading, "RLock", makers[NEW_RLOCK])
    for (part, name), send in SENDS.items():
        monkeypatch.setattr(part, name, watched(send, locks))
    return locks


def watched(send: Callable[..., Any], locks: Locks) -> Callable[..., Any]:
    def sent(*args: Any, **kwargs: Any) -> Any:
        if locks.had[threading.get_ident()]:
            locks.sent_under.append(here())
        return send(*args, **kwargs)

    return sent


class Talks(Actor, name="tests.sends.talks"):
    next: str
    heard: list[int] = field(default_factory=list)

    def handle(self, message: Any) -> Future[Any] | int:
        if message == "ask":
            return self.ask(self.next, "heard")
        if message == "bear":
            self.spawn(Born, "born", init={"above": self.address})
        elif message != "heard":
            self.heard.append(message)
            if message > 0:
                self.tell(self.next, message - 1)
        return len(self.heard)


class Async(Talks, name="tests.sends.async"):
    async def on_receive(self, message: Any) -> Any:
        answer = self.handle(message)
        return await answer if isinstance(answer, Future) else answer


class Threaded(Talks, name="tests.sends.threaded"):
    def on_receive(self, message: Any) -> Any:
        answer = self.handle(message)
        return answer.get() if isinstance(answer, Future) else answer


class Born(Actor, name="tests.sends.born"):
    above: str

    def on_start(self) -> None:
        self.tell(self.above, 0)


def ring(*kinds: type[Talks]) -> Any:
    return program(
        *(
            Child(f"{n}", kinds[n % len(kinds)], init={"next": f"/r/{(n + 1) % 4}"})
            for n in range(4)
        )
    )


def talk(run: Run) -> Iterator[int]:
    """Everybody tells, asks and is told; how many messages each has heard."""
    for n in range(4):
        run.tell(f"/r/{n}", ROUNDS)
        run.ask(f"/r/{n}", "ask", timeout=SECONDS)
    settle(run)
    for n in range(4):
        yield run.ask(f"/r/{n}", "heard", timeout=SECONDS)


@pytest.mark.parametrize("kinds", [[Async], [Threaded], [Async, Threaded]])
def test_to_tell_and_to_ask_takes_no_lock(
    kinds: list[type[Talks]], locks: Locks, tmp_path: Path
) -> None:
    with Run(ring(*kinds), tmp_path / "run") as run:
        assert sum(talk(run)) == 4 * (ROUNDS + 1)
    assert locks.to_send() == []


def test_nothing_is_sent_under_a_lock(locks: Locks, tmp_path: Path) -> None:
    with Run(ring(Async, Threaded), tmp_path / "run") as run:
        for n in range(4):
            run.ask(f"/r/{n}", "bear", timeout=SECONDS)
        assert sum(talk(run)) == 4 * (ROUNDS + 2)
    assert locks.sent_under == []


def test_a_run_at_work_takes_locks_to_count_threads_to_read_and_to_commit(
    locks: Locks, tmp_path: Path
) -> None:
    with Run(ring(Async, Threaded), tmp_path / "run") as run:
        settle(run)
        locks.taken.clear()
        for n in range(4):
            run.ask(f"/r/{n}", "bear", timeout=SECONDS)
        list(talk(run))
        takers = locks.takers()
    threads, commits = {"Pool.call", "Pool._serve"}, {"ShortWaits.__enter__", "ShortWaits.__exit__"}
    ours = {"Run._on_quiet"}  # it tells this test
    reads = {"LedgerFile.view", "LedgerFile._remap"}  # the map is let go of now and then
    assert threads <= takers <= threads | commits | ours | reads


def test_to_send_to_an_actor_that_is_not_in_memory_reads_the_ledger_once(
    locks: Locks, tmp_path: Path
) -> None:
    tree = ring(Async, Threaded)
    with Run(tree, tmp_path / "run"):
        pass
    with Run.resume(tmp_path / "run", program=tree) as run:
        first = list(talk(run))
        assert locks.to_send()
        assert all(each.is_in(LedgerFile.view) for each in locks.to_send())
        locks.taken.clear()
        assert [2 * heard for heard in first] == list(talk(run))
        assert locks.to_send() == []
