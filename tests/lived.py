"""A run that has some of everything, kept in memory: what views and audits are tried on.

`/r/mixer` handled `Mix`: it told `/r/bad`, which crashed and waits for its second attempt; told
`/r/nobody`, a dead letter; set a timer; spawned a child; took tokens; made an artifact. The next
`Mix` crashed after its first step, on a word seen before, and waits for its second attempt. Another
process posted something that no run does.
"""

from __future__ import annotations

from functools import cache
from threading import Event

from perdure import Actor, Backoff, Child, FakeClock, Run, field, message, tool
from perdure.ledger.memory import MemoryStore
from perdure.ledger.spool import Post
from tests.kit import SECONDS, program, settle


@message
class Mix:
    words: list[str]


@message("lived.poison")
class Poison:
    word: str


both_are_told = Event()


@tool("text.weigh", effect="read", tokens=5)
def weigh(text: str) -> int:
    assert both_are_told.wait(SECONDS)  # the second waits while the first is handled
    return len(text)


class Mixer(Actor):
    weights: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    last: Poison | None = None

    async def on_receive(self, message: Mix) -> None:
        for word in message.words:
            self.weights[word] = await self.call(weigh, text=word)
            if word in self.seen:
                raise ValueError(f"{word} is in already")
            self.seen.add(word)
        self.last = Poison(message.words[0])
        self.tell("../bad", self.last)
        self.tell("../nobody", Poison("unread"))
        self.tell("../bad", Poison("later"), delay=3_600)
        self.spawn(Quiet, "child")
        self.tell("child", Poison("heard"))
        self.mark("mixed")
        await self.artifact("weights.txt", "\n".join(self.seen))


class Quiet(Actor):
    heard: int = 0

    async def on_receive(self, message: Poison) -> None:
        self.heard += 1
        self.monitor("/r")


class Bad(Actor):
    async def on_receive(self, message: Poison) -> None:
        raise ValueError(f"cannot take {message.word}")


@cache
def lived() -> MemoryStore:
    """The ledger; nobody changes it."""
    store = MemoryStore()
    parts = (Child("mixer", Mixer), Child("bad", Bad, backoff=Backoff(first=600.0, max=600.0)))
    with Run(program(*parts), store=store, seed=7, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/mixer", Mix(["salt", "pepper"])).get(timeout=SECONDS)
        run.tell("/r/mixer", Mix(["salt"])).get(timeout=SECONDS)
        both_are_told.set()
        done = Event()
        run.kernel.door.hand(Post("f" * 32, "dance", {}), done.set)
        assert done.wait(SECONDS)
        settle(run)  # a poisoned message waits for its next attempt
        run.kernel.on_kernel(run.kernel.ending.begin, "waiting", "only timers or people remain")
        assert run.kernel.ended.wait(SECONDS)
    return store.reopened()
