"""What is done to a run from outside: work for it, posts through its door, and people's acts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from perdure.actors import signals
from perdure.ledger import keys, rows
from perdure.ledger.keys import Table
from perdure.ledger.records import Life
from perdure.ledger.rows import unpack_row
from perdure.ledger.spool import Post
from perdure.mailbox.signals import Replace
from perdure.runtime.doubts import Doubt, doubts
from perdure.simulation.cast import Work
from perdure.simulation.checks import Checks
from perdure.simulation.lives import Process
from perdure.simulation.outside import Outside
from perdure.simulation.plots import Plots

ACTS = {
    "tell": 10, "ask": 5, "post": 4, "double": 1, "die": 0.15, "burn": 0.3, "suspend": 1,
    "release": 0.7, "cancel": 0.04, "stop": 1, "exit": 1, "requeue": 1, "repair": 1.5,
    "replace": 0.3,
}  # fmt: skip

WORK = ("tell", "ask", "post", "requeue")
WAITING_MAX = 40  # messages


class Acts:
    """Acts on the run of a world, whichever process is at it."""

    def __init__(
        self, outside: Outside, checks: Checks, chance: Random, addresses: list[str]
    ) -> None:
        self.outside = outside
        self.checks = checks
        self.chance = chance
        self.addresses = addresses
        self.plots = Plots(chance, addresses)
        self.spool: dict[str, Post] = {}  # posts that nobody has unlinked
        self.expected: set[str] = set()  # ids of posts that are to be done
        self._number = 0
        self._handed: set[str] = set()

    def act(self, process: Process) -> None:
        """Do something; more work only when most of the last is done."""
        names, weights = zip(*ACTS.items(), strict=True)
        (name,) = self.chance.choices(names, weights)
        if name in WORK and len(self.checks.fold.waiting) > WAITING_MAX:
            return
        self.outside.count(f"act: {name}")
        self.outside.note(f"act: {name}")
        getattr(self, f"_{name}")(process)

    def _work(self) -> Work:
        self._number += 1
        return Work(f"u{self._number}", self.plots.root())

    def _to(self) -> str:
        return self.chance.choice(self.addresses)

    # --- work

    def _tell(self, process: Process) -> None:
        receipt = process.run.tell(self._to(), self._work())
        receipt.add_done_callback(self._received)

    def _received(self, receipt: Any) -> None:
        if receipt.exception() is None:
            self.checks.received(receipt.get().seq)

    def _ask(self, process: Process) -> None:
        work = self._work()
        answer = process.run.kernel.outside.ask(self._to(), work)

        def answered(future: Any) -> None:
            if future.exception() is None:
                self.checks.answered(work.uid, future.get())

        answer.add_done_callback(answered)

    def _die(self, process: Process) -> None:
        self._number += 1
        process.run.tell(self._to(), Work(f"u{self._number}", [["die"]]))

    def _burn(self, process: Process) -> None:
        """A handler holds its thread for so long that the watchdog may end the process."""
        self._number += 1
        process.run.tell(self._to(), Work(f"u{self._number}", [["burn", 45.0]]))

    # --- the door

    def _post(self, process: Process) -> None:
        work = self._work()
        form = {"$": "sim.work", "uid": work.uid, "plot": work.plot}
        verb = self.chance.choice(("tell", "ask"))
        self.post(process, verb, {"to": self._to(), "message": form})

    def post(self, process: Process, verb: str, fields: dict[str, Any]) -> None:
        """Put a post into the spool."""
        post = Post(f"{self.chance.getrandbits(128):032x}", verb, fields)
        self.spool[post.id] = post
        self.expected.add(post.id)
        self.hand_over(process)

    def _double(self, process: Process) -> None:
        """Hand over what was handed over already: it was done, or is on its way."""
        for post in list(self.spool.values())[:3]:
            process.run.kernel.door.hand(post, lambda: None)

    def arrive(self, process: Process) -> None:
        """A process looks at the spool, as its doorkeeper does."""
        self._handed.clear()
        self.hand_over(process)

    def hand_over(self, process: Process) -> None:
        """Hand what is in the spool to the kernel, once."""
        for id, post in list(self.spool.items()):
            if id not in self._handed:
                self._handed.add(id)
                process.run.kernel.door.hand(post, self._unlinker(process, id))

    def _unlinker(self, process: Process, id: str) -> Callable[[], None]:
        def done() -> None:
            if process.life.is_dead:
                return
            if self.checks.store.get(keys.posted_key(id)) is None:
                self.outside.wrong(f"G3: post {id} is said to be done, and that is not durable")
            if self.chance.random() < 0.7:  # else it dies before it has unlinked it
                self.spool.pop(id, None)

        return done

    # --- people

    def _suspend(self, process: Process) -> None:
        self.post(process, "suspend", {"address": self._to(), "on": True})

    def _release(self, process: Process) -> None:
        for address in self.suspended():
            self.post(process, "suspend", {"address": address, "on": False})

    def _cancel(self, process: Process) -> None:
        self.post(process, "cancel", {"address": self._to()})

    def _stop(self, process: Process) -> None:
        self._intervene(process, "send_stop", self._to(), self.chance.choice(("normal", "tired")))

    def _exit(self, process: Process) -> None:
        self._intervene(process, "send_exit", self._to(), self.chance.choice(("broken", "kill")))

    def _intervene(self, process: Process, name: str, *args: Any) -> None:
        process.run.kernel.outside.intervene(getattr(signals, name), *args)

    def _replace(self, process: Process) -> None:
        to = self._to()
        process.run.kernel.outside.ask(to, Replace({"heard": 0}))

    def _requeue(self, process: Process) -> None:
        dead = list(self._dead())
        if dead:
            seq, index = self.chance.choice(dead)
            uid = self.checks.model.work.get((seq, index))
            if uid is not None:
                self.outside.again.add(uid)
                self.post(process, "requeue", {"message": f"{seq}.{index}"})

    def _dead(self) -> Iterator[tuple[int, int]]:
        for key, _ in self.checks.store.scan(bytes([Table.DEAD])):
            yield keys.dead_id(key)

    def _repair(self, process: Process) -> None:
        self.repair(process)

    def repair(self, process: Process) -> None:
        """Give verdicts, and have stalled actors looked at again."""
        for doubt in list(doubts(self.checks.store)):
            self._judge(process, doubt)
        for address in self.stalled():
            how = self.chance.choice(("again", "again", "dead"))
            self.post(process, "clear", {"address": address, "how": how, "redo": False})

    def _judge(self, process: Process, doubt: Doubt) -> None:
        """Look whether a step in doubt happened, and say so."""
        uid = self.checks.model.of_intent.get(doubt.intent)
        if uid is None:
            return
        calls = self.outside.calls.get(f"U:{uid};", [])
        here = process.machine.number
        if any(call.state == "running" and call.process == here for call in calls):
            return  # it is under way
        if any(call.state == "done" for call in calls):
            self.post(process, "happened", {"step": doubt.intent, "result": f"U:{uid};:done"})
            return
        for call in calls:
            call.is_refuted = True
        self.post(process, "did-not-happen", {"step": doubt.intent})

    # --- what the tables say

    def actors(self) -> Iterator[rows.ActorRow]:
        """The rows of all actors."""
        for _, raw in self.checks.store.scan(bytes([Table.ACTOR])):
            yield unpack_row(rows.ActorRow, raw)

    def stalled(self) -> list[str]:
        """Who waits for a repair."""
        return [row.address for row in self.actors() if row.stalled and row.life < Life.STOPPED]

    def suspended(self) -> list[str]:
        """Who takes no messages."""
        return [row.address for row in self.actors() if row.suspended and row.life < Life.STOPPED]
