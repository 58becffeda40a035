"""Tables written from the journal alone, beside those that the runtime wrote as it went along."""

from __future__ import annotations

import json
from typing import Any

from perdure.ledger import rows
from perdure.ledger.base import read_base, write_base
from perdure.ledger.compacted import beginning
from perdure.ledger.group import Store
from perdure.ledger.images import materialise, read_images
from perdure.ledger.journal import read_record
from perdure.ledger.jsonform import to_json
from perdure.ledger.keys import Table, actor_of
from perdure.ledger.rows import unpack_row
from perdure.ledger.standins import StandInCodec
from perdure.ledger.states import read_state
from perdure.ledger.tables import tables
from perdure.runtime.fork import CONTROL, last_words


def assert_tables_follow(store: Store) -> None:
    """A fold of the journal writes the tables that are there, but for what no journal says.

    In the middle it is written down as a base and read again.
    """
    fold, middle = beginning(store), store.head().seq // 2
    for raw in store.records(fold.seq + 1):
        fold.add(read_record(raw))
        if raw.seq == middle and not fold.violations:
            base = write_base(fold, raw.hash)
            fold = read_base(base.digest, base.blobs.get)
    written = {key: _plain(key, row) for key, row in tables(fold, CONTROL, last_words)}
    there = {key: _plain(key, row) for key, row in store.scan(b"") if key[0] != Table.DELTA}
    codec = StandInCodec()
    codec.read_blob = store.blob
    for key in [key for key in there if key[0] == Table.STATE]:
        found = read_state(store, actor_of(key))
        assert found is not None
        there[key] = _state(found[0], codec)
        written[key] = _state(_images(written[key]), codec)
    for key in [key for key in {*written, *there} if written.get(key) != there.get(key)]:
        assert (Table(key[0]).name, written.get(key)) == (Table(key[0]).name, there.get(key))


def _images(row: rows.StateRow) -> rows.StateRow:
    return row._replace(images=read_images(row.images))


def _state(row: rows.StateRow, codec: StandInCodec) -> rows.StateRow:
    """A state with its values written out, however its rows hold them."""
    values = {name: materialise(image, codec.decode) for name, image in row.images.items()}
    texts = {name: json.dumps(to_json(value)) for name, value in values.items()}
    return row._replace(images=texts, is_snapshot=False)


def _plain(key: bytes, raw: bytes) -> Any:
    """A row, without what is measured or may be written in several ways."""
    match Table(key[0]):
        case Table.STATE:
            return unpack_row(rows.StateRow, raw)
        case Table.ACTOR:
            actor = unpack_row(rows.ActorRow, raw)
            return actor._replace(not_before=actor.attempts and actor.not_before)
        case Table.DEAD:
            return unpack_row(rows.DeadRow, raw)._replace(time=0)
        case Table.RUN if key.endswith(b"status"):
            status = unpack_row(rows.StatusRow, raw)
            return status._replace(reason="") if status.status == "starting" else status
        case _:
            return raw
