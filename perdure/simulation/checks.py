"""What is checked: after every commit, at every effect and answer, after every death."""

from __future__ import annotations

from hashlib import blake2b
from itertools import islice
from typing import Any

from perdure.actors.events import Event
from perdure.ledger.audit import audit_store, compare
from perdure.ledger.fold import Fold
from perdure.ledger.journal import read_record
from perdure.ledger.stateaudit import States
from perdure.simulation.disk import Platter, open_platter
from perdure.simulation.model import Model
from perdure.simulation.outside import Call, Outside
from perdure.simulation.tools import IDEMPOTENT, READS

SHOWN = 3


class Checks:
    """Holds what is durable against what the outside knows."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside
        self.store = open_platter(outside.platter)  # to read only
        self.model = Model(self.store.blob)
        self.fold = Fold()
        self._found = 0
        outside.on_call = self.called
        outside.on_released = self.released

    # --- after each commit

    def committed(self, platter: Platter) -> None:
        """A group is durable: fold its records, and look at what they say."""
        first = self.fold.seq + 1
        for raw in self.store.records(first):
            record = read_record(raw)
            self.fold.add(record)
            self.model.add(record)
        self._count_effects()
        fold, wrong = self.fold, self.outside.wrong
        self.outside.note(f"records {first} to {fold.seq}, {self.store.head().hash.hex()}")
        for violation in fold.violations[self._found :]:
            wrong(f"G1/G2/G8: {violation}")
        self._found = len(fold.violations)
        if fold.reserved != fold.steps.reserved or fold.reserved < 0 or fold.spent < 0:
            wrong(
                f"G8: {fold.reserved} tokens are reserved at record {fold.seq}, and open steps "
                f"reserve {fold.steps.reserved}; spent are {fold.spent}"
            )

    def _count_effects(self) -> None:
        """Each effect has an intent of its own, and none that was given up before it began."""
        for uid, void in self.model.void.items():
            calls = self.outside.calls.get(f"U:{uid};", [])
            if not calls or calls[0].tool in READS or calls[0].tool in IDEMPOTENT:
                continue
            if len(calls) > len(self.model.intents[uid]) - void and not self.outside.is_again(uid):
                self.outside.wrong(
                    f"G4: {calls[0].tool} of step {uid} is executed, and its record says that it "
                    "was cancelled before it had begun"
                )

    # --- at each effect (G3, G4)

    def called(self, call: Call, before: list[Call]) -> None:
        """A tool begins: may it?"""
        uid, model, wrong = call.uid[2:-1], self.model, self.outside.wrong
        if self.outside.is_again(uid):
            return
        if uid in model.done:
            wrong(f"G4: {call.tool} of step {uid} is executed, and has a recorded success")
        if call.tool in READS:
            return
        if uid not in model.intents:
            wrong(f"G3: {call.tool} of step {uid} begins, and its intent is not durable")
        if call.tool in IDEMPOTENT:  # twice with one key is once
            if not call.key or any(each.key != call.key for each in before):
                wrong(f"G4: {call.tool} of step {uid} is redone with another key")
            return
        here = [each for each in before if each.process == call.process]
        if any(each.state == "done" for each in here):
            wrong(f"G4: {call.tool} of step {uid} has happened, and happens again")
        if any(each.state == "running" for each in here):
            wrong(f"G4: {call.tool} of step {uid} is under way, and begins again")
        earlier = [each for each in before if each.process != call.process]
        open_ = [each for each in earlier if not each.is_refuted]
        if len(open_) > model.failed[uid]:
            wrong(f"G4: {call.tool} of step {uid} is in doubt, and is executed again")

    # --- at what comes out (G3)

    def released(self, path: str, data: bytes) -> None:
        """A file appears: its record must be durable."""
        digest = blake2b(data, digest_size=32).digest()
        if digest not in self.model.artifacts.get(path, ()):
            self.outside.wrong(f"G3: artifact {path} is released, and its record is not durable")

    def told(self, event: Event) -> None:
        """A line for people: what it tells of must be durable."""
        self.outside.count(f"told: {event.kind}")
        if event.kind not in ("ingress", "artifact") and event.time > self.store.head().time_ns:
            self.outside.wrong(f"G3: {event.kind} of {event.address} is told before it is durable")

    def received(self, seq: int) -> None:
        """A receipt came: its record must be durable."""
        self.outside.count("a receipt")
        if seq > self.fold.seq:
            self.outside.wrong(f"G3: a receipt for record {seq} comes before it is durable")

    def answered(self, uid: str, answer: Any) -> None:
        """An answer came out: the turn that gave it must be durable, and it must be its own."""
        self.outside.count("an answer")
        if answer != f"re:{uid}":
            self.outside.wrong(f"G4: the outside asked {uid}, and is answered {answer!r}")
        if uid not in self.model.closed:
            self.outside.wrong(f"G3: the answer to {uid} comes before its turn is durable")

    # --- after each death

    def died(self) -> None:
        """A process is gone: the tables that it left must be what the journal says."""
        rows, states = self.store.scan(b""), States(self.fold, self.store.blob)
        for violation in islice(compare(self.fold, rows, states), SHOWN):
            self.outside.violations.append(f"the tables: {violation}")
        passed = self.model.passed
        outcomes = self.outside.outcomes
        for uid in [uid for uid in outcomes if uid not in passed]:
            del outcomes[uid]

    def ended(self) -> None:
        """The world is over: all of its ledger, from the first record."""
        for violation in audit_store(self.store)[:SHOWN]:
            self.outside.violations.append(f"the ledger: {violation}")
        model, loose = self.model, self.outside.loose
        for actor, uid, missed in model.skipped:
            address = model.addresses[actor]
            if missed not in model.dead and address not in loose:
                self.outside.violations.append(f"G2: {address} got {uid} before {missed}")
