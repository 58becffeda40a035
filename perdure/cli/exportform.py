"""A record as an export has it: all that it says, for programs that know nothing of ours."""

from __future__ import annotations

import base64
from typing import Any

from perdure.cli.recordform import ENCODED, Reader
from perdure.cli.say import FORMAT
from perdure.errors import LedgerDamaged
from perdure.ledger.blobs import digest_of, is_reference, size_of
from perdure.ledger.group import RawRecord
from perdure.ledger.journal import read_record
from perdure.ledger.records import FORMAT_VERSION, Body, Send, Turn
from perdure.ledger.standins import StandInCodec
from perdure.runtime.view import View


class _ByReference(StandInCodec):
    """A codec that leaves large values where they are, and names them."""

    def form(self, data: bytes) -> Any:
        return _blob(data) if is_reference(data) else super().form(data)


class Exporter:
    """Puts the records of a run in forms; `blobs`: large values and artifacts are in them."""

    def __init__(self, view: View, *, blobs: bool, raw: bool) -> None:
        self.view = view
        self._blobs, self._raw = blobs, raw
        if not blobs:
            view.codec = _ByReference()
            view.codec.read_blob = view.store.blob
        self.reader = Reader(view)

    def concerns(self, raw: RawRecord, address: str) -> bool:
        """Whether a record is of an actor, or sends to it, or changes its life."""
        return self.reader.concerns(read_record(raw), address)

    def form(self, raw: RawRecord) -> dict[str, Any]:
        """The form of one record. Raises `LedgerDamaged`."""
        record = read_record(raw)
        body = record.body
        form = {"format": FORMAT, **self.reader.form(record, body.time)}
        del form["seconds"]
        form["time_ns"] = body.time
        if isinstance(getattr(body, "actor", None), int):
            form["actor_id"] = body.actor  # type: ignore[union-attr]
        form |= self._large(body)
        for sent, wire in zip(form.get("sends", ()), body.sends, strict=False):
            sent.update(_particulars(Send(*wire)))
        if isinstance(body, Turn) and body.artifacts:
            form["artifacts"] = [self._artifact(*each) for each in body.artifacts]
        if self._raw:
            payload = base64.b64encode(raw.payload).decode()
            form["raw"] = {"kind": raw.kind, "format": FORMAT_VERSION, "payload": payload}
        return form

    def _large(self, body: Body) -> dict[str, Any]:
        """The fields that are no values of the run, and refer to a blob: code."""
        large = {
            name: value
            for name, value in body._asdict().items()
            if name not in ENCODED and isinstance(value, bytes) and is_reference(value)
        }
        codec = self.view.codec
        return {name: codec.form(value) for name, value in large.items()}

    def _artifact(self, path: str, digest: bytes, size: int) -> dict[str, Any]:
        form: dict[str, Any] = {"path": path, "digest": digest.hex(), "bytes": size}
        if self._blobs:
            data = self.view.store.blob(digest)
            if data is None:
                raise LedgerDamaged(f"the bytes of artifact {path} are gone. Restore a backup.")
            form["data"] = base64.b64encode(data).decode()
        return form


def _particulars(send: Send) -> dict[str, Any]:
    """What only an audit asks of a message that is sent."""
    found: dict[str, Any] = {"to_id": send.to, "cost": send.cost}
    if send.est is not None:
        found["est"] = send.est
    if send.reply is not None:
        found["reply"] = list(send.reply)
    return found


def _blob(reference: bytes) -> dict[str, Any]:
    return {"$blob": digest_of(reference).hex(), "bytes": size_of(reference)}
