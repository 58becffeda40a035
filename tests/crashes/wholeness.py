"""What must hold in a ledger after any kill: the rules of all ledgers, then those of a scenario.

Nothing here imports a scenario or what runs one: states and messages are read as plain forms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from perdure.ledger import rows
from perdure.ledger.audit import audit_store
from perdure.ledger.group import Store, blob_digest
from perdure.ledger.images import materialise, read_images
from perdure.ledger.journal import read_record, send_of
from perdure.ledger.keys import STATUS_KEY, Table, actor_of, inbox_id
from perdure.ledger.records import Turn
from perdure.ledger.standins import StandInCodec
from perdure.ledger.states import scan_states
from perdure.ledger.store import open_store
from perdure.ledger.verify import verify_store

Form = dict[str, Any]


class Snapshot(NamedTuple):
    """A ledger between two processes: what resume will find in its tables."""

    records: int
    status: str
    states: dict[str, Form]  # address -> field -> value
    pending: list[tuple[str, Form]]  # (address, message) of all inboxes
    unreleased: tuple[str, ...]  # artifacts that are durable and not known to be in place

    def messages(self, name: str) -> list[Form]:
        """The messages of that name that wait somewhere."""
        return [form for _, form in self.pending if form["$"] == name]


def look(directory: Path) -> Snapshot:
    """Verify and audit a ledger, and the artifacts beside it; what it holds."""
    verify_store(directory)
    store = open_store(directory, write=False)
    try:
        assert [str(violation) for violation in audit_store(store)] == []
        _check_artifacts(store, directory)
        return _snapshot(store)
    finally:
        store.close()


def artifacts(directory: Path) -> dict[str, bytes]:
    """The files that are out, without those half written."""
    folder = directory / "artifacts"
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".partial")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _check_artifacts(store: Store, directory: Path) -> None:
    """Nothing is out that is not durable (G3), and what is out is whole."""
    out = {path: blob_digest(data) for path, data in artifacts(directory).items()}
    durable = _artifact_rows(store)
    published: dict[str, set[bytes]] = {path: {row.digest} for path, row in durable.items()}
    for raw in store.records(store.head().cut + 1):
        body = read_record(raw).body
        for path, digest, _ in body.artifacts if isinstance(body, Turn) else ():
            published.setdefault(path, set()).add(digest)  # a later one may not be in place yet
    assert all(digest in published.get(path, ()) for path, digest in out.items()), out.keys()
    released = {path: row.digest for path, row in durable.items() if row.released}
    assert released.items() <= out.items()


def _artifact_rows(store: Store) -> dict[str, rows.ArtifactRow]:
    found = store.scan(bytes([Table.ARTIFACT]))
    return {key[1:].decode(): rows.unpack_row(rows.ArtifactRow, raw) for key, raw in found}


def _snapshot(store: Store) -> Snapshot:
    codec = StandInCodec()
    codec.read_blob = store.blob
    actors = store.scan(bytes([Table.ACTOR]))
    address = {actor_of(k): rows.unpack_row(rows.ActorRow, raw).address for k, raw in actors}
    states = {}
    for actor, row in scan_states(store):
        images = read_images(row.images)
        fields = {name: materialise(image, codec.decode) for name, image in images.items()}
        states[address[actor]] = fields
    pending = []
    for key, _ in store.scan(bytes([Table.INBOX])):
        actor, _, seq, index = inbox_id(key)
        body = read_record(store.record(seq)).body
        pending.append((address[actor], codec.form(send_of(body, index).body)))
    status = store.get(STATUS_KEY)
    return Snapshot(
        records=store.head().seq,
        status="" if status is None else rows.unpack_row(rows.StatusRow, status).status,
        states=states,
        pending=pending,
        unreleased=tuple(path for path, row in _artifact_rows(store).items() if not row.released),
    )


def check_money(snapshot: Snapshot, accounts: int, opening: int, transfers: int) -> None:
    """The total is what it was, and each transfer is in exactly one place."""
    states = [snapshot.states.get(f"/transfers/accounts/{n}", {}) for n in range(1, accounts + 1)]
    debits, credits = snapshot.messages("Debit"), snapshot.messages("Credit")
    held = sum(state.get("balance", opening) for state in states)
    assert held + sum(credit["amount"] for credit in credits) == accounts * opening
    ordered = Counter(debit["transfer"] for debit in debits)
    on_the_way = Counter(credit["transfer"] for credit in credits)
    debited = Counter(transfer for state in states for transfer in state.get("debited", ()))
    credited = Counter(transfer for state in states for transfer in state.get("credited", ()))
    assert debited == on_the_way + credited
    everything = ordered + on_the_way + credited
    assert everything in (Counter(), Counter(range(1, transfers + 1)))


def check_files(snapshot: Snapshot, files: Collection[str]) -> None:
    """Each file is in exactly one place, and the index has added up those that it has."""
    index = snapshot.states.get("/survey/index", {})
    counted = index.get("files", {})
    dead = [letter["message"] for letter in snapshot.messages("perdure.dead_letter")]
    waiting = [form for name in ("Read", "Facts", "Unread") for form in snapshot.messages(name)]
    everything = Counter(form["path"] for form in [*waiting, *dead])
    everything += Counter([*counted, *index.get("unread", {})])
    assert everything in (Counter(), Counter(files))
    lines = sum(facts.lines for facts in counted.values())
    assert index.get("totals", {}).get("lines", 0) == lines
