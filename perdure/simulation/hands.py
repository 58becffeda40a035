"""Hands: threads of which one moves at a time, and a seed says which one is next.

Each simulated thread is a thread of Python's that waits until it is handed the baton. It hands it
on where a real one could be interrupted, or would block; so nothing runs in parallel, and the same
seed has the same threads do the same things in the same order. Time is a number: it passes a
little with each step, and leaps when all wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random
from typing import Self

from perdure.actors.blocking import use_gates

NS = 1_000_000_000
SWITCH_STEPS_MAX = 12  # between two moments at which others may go on
BEGIN_SECONDS_MAX = 60.0  # real ones, for a thread of the system's to begin


class Killed(BaseException):
    """The process of a thread has died: this unwinds what is left of it."""


class Stuck(Exception):
    """All threads wait, and nothing is to come."""


class Life:
    """One process: its threads die with it."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.is_dead = False


class Hand:
    """One thread: what it waits for, and until when. It may go on when `ready()` is true."""

    __slots__ = ("baton", "due_ns", "is_over", "life", "name", "ready")

    def __init__(self, name: str, life: Life) -> None:
        self.name = name
        self.life = life
        self.baton = threading.Lock()
        self.baton.acquire()
        self.ready: Callable[[], object] | None = None
        self.due_ns: int | None = None
        self.is_over = False

    def is_able(self, now_ns: int) -> bool:
        """Whether it can go on."""
        ready = self.ready
        if ready is None or self.life.is_dead or ready():
            return True
        return self.due_ns is not None and self.due_ns <= now_ns


class Hands:
    """All threads of a world. The one that enters it is the first hand, whose life never ends.

    `steps` counts the moments at which a thread could be interrupted: a crash is planned by it.
    """

    def __init__(self, chance: Random, *, step_ns: int = 3_000) -> None:
        self.chance = chance
        self.now_ns = 0
        self.steps = 0
        self.switches = 0
        self.step_ns = step_ns
        self.is_stuck = False
        self.failures: list[BaseException] = []  # of threads that should not have any
        self.on_leap: Callable[[], None] = lambda: None
        self._switch_at = 1
        self._first = Hand("director", Life("world"))
        self.current = self._first
        self.alive: list[Hand] = [self._first]

    def __enter__(self) -> Self:
        use_gates(lambda: Gate(self))
        return self

    def __exit__(self, *_: object) -> None:
        use_gates(threading.Lock)

    # --- moments at which another may go on

    def step(self, life: Life) -> None:
        """A moment passes; now and then another thread goes on first."""
        if life.is_dead:
            raise Killed
        self.steps += 1
        self.now_ns += self.step_ns
        if self.steps >= self._switch_at:
            self._switch_at = self.steps + self.chance.randint(1, SWITCH_STEPS_MAX)
            self.wait(life, _at_once)

    def wait(self, life: Life, ready: Callable[[], object], seconds: float | None = None) -> bool:
        """Let others go on until `ready()`, or that long; whether it is ready."""
        if life.is_dead:
            raise Killed
        hand = self.current
        hand.ready = ready
        hand.due_ns = None if seconds is None else self.now_ns + max(0, int(seconds * NS))
        self._hand_on(hand)
        hand.ready = hand.due_ns = None
        if life.is_dead:
            raise Killed
        if self.is_stuck and hand is self._first:
            raise Stuck("every thread waits, and nothing is to come")
        return bool(ready())

    def sleep(self, life: Life, seconds: float) -> None:
        """Let time pass."""
        self.wait(life, _never, seconds)

    def _hand_on(self, hand: Hand) -> None:
        """Hand the baton to whoever is next, and wait until it comes back."""
        chosen = self._next()
        if chosen is not hand:
            self.switches += 1
            self.current = chosen
            chosen.baton.release()
            hand.baton.acquire()

    def _next(self) -> Hand:
        """Who goes on: chance takes one of those who can; if nobody can, time leaps."""
        able = [hand for hand in self.alive if hand.is_able(self.now_ns)]
        if not able:
            self.on_leap()
            able = [hand for hand in self.alive if hand.is_able(self.now_ns)]
        while not able:
            dues = [hand.due_ns for hand in self.alive if hand.due_ns is not None]
            if not dues:
                self.is_stuck = True
                return self._first
            self.now_ns = max(self.now_ns, min(dues))
            able = [hand for hand in self.alive if hand.is_able(self.now_ns)]
        return able[0] if len(able) == 1 else self.chance.choice(able)

    # --- lives

    def begin(self, hand: Hand, target: Callable[[], object]) -> None:
        """Begin a thread; it moves when the baton comes to it."""

        def run() -> None:
            hand.baton.acquire()
            use_gates(lambda: Gate(self))
            try:
                if not hand.life.is_dead:
                    target()
            except Killed:
                pass
            except BaseException as error:  # noqa: BLE001 - whoever made this world is told
                if not hand.life.is_dead:
                    self.failures.append(error)
            finally:
                self._end(hand)

        self.alive.append(hand)
        threading.Thread(target=run, name=f"simulated {hand.name}", daemon=True).start()

    def _end(self, hand: Hand) -> None:
        hand.is_over = True
        self.alive.remove(hand)
        chosen = self._first if hand.life.is_dead else self._next()
        self.current = chosen
        chosen.baton.release()

    def bury(self, life: Life) -> None:
        """Unwind the threads of a life that is dead; only for the first hand."""
        while (hand := next((each for each in self.alive if each.life is life), None)) is not None:
            self.current = hand
            hand.baton.release()
            self._first.baton.acquire()


def _at_once() -> bool:
    return True


def _never() -> bool:
    return False


class Gate:
    """A lock that is waited at in a world: see `perdure.actors.blocking`."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._is_held = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        seconds = None if timeout < 0 else timeout
        hands = self._hands
        if self._is_held and not hands.wait(hands.current.life, lambda: not self._is_held, seconds):
            return False
        self._is_held = True
        return True

    def release(self) -> None:
        self._is_held = False


class Flag:
    """`threading.Event`, of one life."""

    def __init__(self, hands: Hands, life: Life) -> None:
        self._hands = hands
        self._life = life
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        self._hands.step(self._life)

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        return self._is_set or self._hands.wait(self._waiter, self.is_set, timeout)

    @property
    def _waiter(self) -> Life:
        return self._hands.current.life


class Line:
    """`queue.SimpleQueue`, of one life."""

    def __init__(self, hands: Hands, life: Life) -> None:
        self._hands = hands
        self._life = life
        self._items: list[object] = []

    def put(self, item: object) -> None:
        self._items.append(item)
        self._hands.step(self._life)

    def get(self) -> object:
        if not self._items:
            self._hands.wait(self._life, lambda: self._items)
        return self._items.pop(0)


class Thread:
    """`threading.Thread`, of one life."""

    def __init__(self, hands: Hands, life: Life, target: Callable[[], object], name: str) -> None:
        self._hands = hands
        self._target = target
        self._hand = Hand(name, life)
        self.ident: int | None = None

    def start(self) -> None:
        hand = self._hand
        self.ident = id(self)
        self._hands.begin(hand, self._target)
        self._hands.step(hand.life)

    def join(self, timeout: float | None = None) -> None:
        if self.ident is not None:
            self._hands.wait(self._hands.current.life, lambda: self._hand.is_over, timeout)
