"""Records as people and programs read them: whom they are of, what they say; addresses for ids."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from perdure.cli.words import called, clipped
from perdure.errors import Compacted, LedgerDamaged
from perdure.ids import MessageId
from perdure.ledger import records
from perdure.ledger.journal import sender_of
from perdure.ledger.jsonform import to_json
from perdure.ledger.records import Body, Lane, Life, Record, Send
from perdure.runtime.view import View

CACHED_MAX = 4_096
ENCODED = {"init", "value", "finish", "result", "asked"}
"""Fields that hold an encoded value."""

CONTROL = {
    "start": "start",
    "stop": "stop",
    "depart": "stop of itself",
    "kill": "kill",
    "signal": "exit signal of",
    "exit": "exit of",
    "started": "started",
    "start_failed": "failed start of",
    "ignored": "declined start of",
    "stopped": "stopped",
    "new_code": "new code",
    "try_again": "try again",
    "terminate_child": "stop",
    "delete_child": "forget",
    "wake": "wake up",
    "timeout": "time is up",
}
"""Messages of the control lane, in words."""


class Reader:
    """Puts names for numbers: addresses for actor ids, messages for message ids."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.address = lru_cache(CACHED_MAX)(self._address)
        self.message = lru_cache(CACHED_MAX)(self._message)

    def _address(self, id: int) -> str:
        return self.view.actor(id).address if id else ""

    def _message(self, seq: int, index: int) -> Any:
        try:
            return self.view.message(MessageId(seq, index))
        except (LedgerDamaged, Compacted):
            return None

    def said(self, seq: int, index: int) -> str:
        """A message in short; of the control lane, in words."""
        message = self.message(seq, index)
        if message is None and seq <= self.view.head.cut:
            return "(gone)"
        kind = type(message).__name__.removeprefix("perdure.")
        if kind not in CONTROL:
            return called(message)
        child, reason = getattr(message, "child", None), getattr(message, "reason", None)
        who = self.address(child) if isinstance(child, int) else str(child or "")
        if kind == "signal":
            who = message.sender or "the outside"
        incarnation = message.incarnation if kind == "start" and message.incarnation > 1 else 0
        which = f"(incarnation {incarnation})" if incarnation else ""
        words = " ".join(part for part in (CONTROL[kind], who, which) if part)
        return f"{words}: {clipped(_reason(reason))}" if reason is not None else words

    def actor_of(self, record: Record) -> str:
        """The address of the actor that a record is of; '' for the run itself."""
        body = record.body
        if isinstance(body, records.Birth):
            return body.address
        return self.address(getattr(body, "actor", 0))

    def concerns(self, record: Record, address: str) -> bool:
        """Whether a record is of an actor, or sends to it, or changes its life."""
        if self.actor_of(record) == address:
            return True
        body = record.body
        ids = {Send(*wire).to for wire in body.sends}
        ids |= {change[0] for change in getattr(body, "lives", ())}
        return any(self.address(id) == address for id in ids)

    def is_new_call(self, record: Record) -> bool:
        """Whether a record is of a call that a fork made itself."""
        is_call = isinstance(record.body, records.Intent | records.Result)
        return is_call and 0 < self.view.lineage.at < record.seq

    def sends(self, seq: int, body: Body) -> list[dict[str, Any]]:
        """The messages that a record sends, for JSON."""
        found = []
        for index, wire in enumerate(body.sends):
            send = Send(*wire)
            form: dict[str, Any] = {
                "id": str(MessageId(seq, index)),
                "to": send.dead[0] if send.dead else self.address(send.to),
                "message": self.view.codec.form(send.body),
            }
            sender = sender_of(body, send)
            if sender != getattr(body, "actor", 0):
                form["sender"] = self.address(sender)
            if send.lane == Lane.CONTROL:
                form["lane"] = "control"
            if send.dead:
                form["dead"] = send.dead[1]
            if send.due is not None:
                form["due_ns"] = send.due
            found.append(form)
        return found

    def form(self, record: Record, start_ns: int) -> dict[str, Any]:
        """A whole record, for JSON."""
        seq, _, body = record
        form: dict[str, Any] = {
            "seq": seq,
            "seconds": round((body.time - start_ns) / 1e9, 6),
            "kind": type(body).__name__.lower(),
        }
        fields: Mapping[str, Any] = body._asdict()
        for name, value in fields.items():
            if name not in ("time", "sends") and value not in (None, (), ""):
                form[name] = self._field(name, value)
        if isinstance(body, records.Result) and not body.ok:
            form["value"] = self._failure(body.value)
        if self.is_new_call(record):
            form["new"] = True
        form["hash"] = record.hash.hex()
        if body.sends:
            form["sends"] = self.sends(seq, body)
        return form

    def _field(self, name: str, value: Any) -> Any:
        match name:
            case "actor" | "parent" if isinstance(value, int):  # a fork's parent is a run
                return self.address(value)
            case "message" | "timer" | "requeued":
                return str(MessageId(*value))
            case "life":
                return Life(value).name.lower()
            case "lives":
                return [[self.address(id), n, Life(life).name.lower()] for id, n, life in value]
            case "watches":
                return [[verb, self.address(id) or None, monitor] for verb, id, monitor in value]
            case "delta":
                return [[self._part(part) for part in entry] for entry in value]
            case "scope":
                return [self.address(id) for id in value]
            case "kept":
                return [[self.address(id), why] for id, why in value]
            case "under_way":
                return [[self.address(id), n, str(MessageId(*at))] for id, n, *at in value]
            case "inits" | "specs":
                return [[self.address(row[0]), self.view.codec.form(row[-1])] for row in value]
            case "answer":
                return {"ok": value[1], "value": self.view.codec.form(value[2])}
            case _ if name in ENCODED:
                return self.view.codec.form(value)
            case _:
                return _plain(value)

    def _failure(self, value: bytes) -> Any:
        """What a step failed with: class, text and module, and what else could be stored."""
        kind, text, *more = self.view.codec.decode(value)
        found = {"kind": kind, "text": text}
        if more:
            found["module"] = more[0]
        if len(more) > 1:
            args, found["attributes"] = self.view.codec.decode(more[1])
            found["args"] = list(args)
        return to_json(found)

    def _part(self, part: Any) -> Any:
        return self.view.codec.form(part) if isinstance(part, bytes) else part


def _reason(reason: Any) -> str:
    """Why an actor ended, from the stand-in of a `Reason`."""
    text = reason.detail if reason.kind == "crash" and reason.detail else reason.kind
    if reason.kind != "crash" and reason.detail:
        text = f"{text}: {reason.detail}"
    if reason.child is not None:
        text = f"{text} {reason.child!r}"
    return str(text) if reason.cause is None else f"{text}: {_reason(reason.cause)}"


def _plain(value: Any) -> Any:
    """What JSON has of a value: bytes become hex, tuples lists."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return value
