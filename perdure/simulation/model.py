"""What the journal says, read once more: of effects, of work handled, of what may be let out.

It is told each record as it becomes durable, and knows nothing but those.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from perdure.ledger import records
from perdure.ledger.messages import Names
from perdure.ledger.records import Lane, Record, Send
from perdure.ledger.standins import StandInCodec
from perdure.ledger.steprecords import ABANDONED, CANCELLED, REFUTED, UNASKED, Intent, Result
from perdure.ledger.values import Codec
from perdure.mailbox import control
from perdure.simulation import cast
from perdure.simulation.cast import Report, Work

UID = re.compile(rb"U:(.*?);")
PASSED = re.compile(rb"P:(.*?);")
Id = tuple[int, int]


class Model:
    """What is durable, as far as the outside can tell."""

    def __init__(self, read_blob: Any) -> None:
        self.codec = Codec(Names.of(vars(cast), vars(control)))
        self.codec.read_blob = read_blob
        self.forms = StandInCodec()
        self.forms.read_blob = read_blob
        self.kinds: Counter[str] = Counter()
        self.intents: dict[str, list[int]] = {}  # uid of a step -> its intents
        self.of_intent: dict[int, str] = {}
        self.effects: dict[str, str] = {}
        self.done: set[str] = set()  # uids of steps with a recorded success
        self.failed: Counter[str] = Counter()  # how often a step has a recorded failure
        self.used: set[int] = set()  # intents of tries that failed
        self.void: Counter[str] = Counter()  # intents of effects that were given up unbegun
        self.passed: set[str] = set()
        self.work: dict[Id, str] = {}  # messages that are work -> uid
        self.addressed: dict[Id, int] = {}
        self.handled: dict[int, list[str]] = {}  # actor -> uids in the order of its turns
        self.closed: set[str] = set()  # uids of work whose turn has closed, or was rejected
        self.unreliable: set[int] = set()  # actors whose state was set back, or given
        self.classes: dict[int, str] = {}
        self.addresses: dict[int, str] = {}
        self.dead: set[str] = set()  # uids of work that became a dead letter
        self.after: dict[str, str] = {}  # uid of work -> what was sent to the same actor before it
        self.skipped: list[tuple[int, str, str]] = []  # (actor, uid, what should have come before)
        self.posts: Counter[str] = Counter()
        self.artifacts: dict[str, list[bytes]] = {}
        self.processes = 0

    def add(self, record: Record) -> None:
        """One more record is durable."""
        seq, body = record.seq, record.body
        self.kinds[type(body).__name__] += 1
        for index, wire in enumerate(body.sends):
            self._sent((seq, index), Send(*wire))
        for row in getattr(body, "dead", ()):
            self.dead.add(self.work.get((row[0], row[1]), ""))
        if isinstance(body, Intent):
            self._intended(seq, body)
        elif isinstance(body, Result) and not body.missed:
            self._concluded(body)
        elif isinstance(body, records.Turn):
            self._closed(body)
        elif isinstance(body, records.Birth):
            self.classes[seq], self.addresses[seq] = body.class_name, body.address
        elif isinstance(body, records.Restore):
            self.unreliable.add(body.actor)
        elif isinstance(body, records.Post):
            self.posts[body.post_id] += bool(body.post_id)
        elif isinstance(body, records.Open):
            self.processes += 1

    def _sent(self, id: Id, send: Send) -> None:
        if send.lane != Lane.USER or (send.due is not None and not send.to):
            return
        message = self.codec.decode(send.body)
        if isinstance(message, Work):
            self.work[id] = message.uid
            if message.after:
                self.after[message.uid] = message.after
            if send.dead is not None:
                self.dead.add(message.uid)
        elif isinstance(message, Report):
            self.kinds["a report asked for"] += 1

    def _intended(self, seq: int, body: Intent) -> None:
        found = UID.search(body.asked)
        if found is not None:
            uid = found[1].decode()
            self.intents.setdefault(uid, []).append(seq)
            self.of_intent[seq] = uid
            self.effects[uid] = body.effect
            self.kinds[f"an effect that is {body.effect}"] += 1

    def _concluded(self, body: Result) -> None:
        uid = self.of_intent.get(body.intent)
        if uid is None and body.asked is not None:
            found = UID.search(body.asked)
            uid = None if found is None else found[1].decode()
            past = PASSED.search(body.asked)
            if past is not None and body.ok:
                self.passed.add(past[1].decode())
        if uid is None:
            return
        if body.ok:
            self.done.add(uid)
            return
        kind, text = map(str, self.forms.decode(body.value)[:2])
        self.kinds[f"a step that failed: {kind}" if kind in KNOWN else "a step that failed"] += 1
        if kind != ABANDONED:
            self.failed[uid] += 1
        if kind == CANCELLED and text.endswith("it had not begun"):
            # one that waits for its next try has an intent that was used
            self.void[uid] += bool(body.intent) and body.intent not in self.used
        self.used.add(body.intent)

    def _closed(self, body: records.Turn) -> None:
        uid = self.work.get(body.message)
        for path, digest, _ in body.artifacts:
            self.artifacts.setdefault(path, []).append(digest)
        if uid is not None:
            before = self.after.get(uid, "")
            if before and before not in self.closed and before not in self.dead:
                self.skipped.append((body.actor, uid, before))
            self.closed.add(uid)
            if body.rejected is None:
                self.handled.setdefault(body.actor, []).append(uid)
        self.kinds["a rejection"] += body.rejected is not None


KNOWN = {ABANDONED, CANCELLED, REFUTED, UNASKED}
