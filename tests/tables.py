"""Tables written from the journal alone, beside those that the runtime wrote as it went along."""

from __future__ import annotations

import json
from typing import Any

from perdure.ledger import rows
from perdure.ledger.fold import Fold
from perdure.ledger.group import Store
from perdure.ledger.images import materialise, read_images
from perdure.ledger.journal import read_record
from perdure.ledger.jsonform import to_json
from perdure.ledger.keys import Table
from perdure.ledger.rows import unpack_row
from perdure.ledger.standins import StandInCodec
from perdure.ledger.tables import tables
from perdure.runtime.fork import CONTROL, last_words

_codec = StandInCodec()


def assert_tables_follow(store: Store) -> None:
    """A fold of the journal writes the tables that are there, but for what no journal says."""
    fold = Fold()
    for raw in store.records():
        fold.add(read_record(raw))
    written = {key: _plain(key, row) for key, row in tables(fold, CONTROL, last_words)}
    there = {key: _plain(key, row) for key, row in store.scan(b"")}
    for key in [key for key in {*written, *there} if written.get(key) != there.get(key)]:
        assert written.get(key) == there.get(key), (Table(key[0]).name, key)


def _plain(key: bytes, raw: bytes) -> Any:
    """A row, without what is measured or may be written in several ways."""
    match Table(key[0]):
        case Table.STATE:
            row = unpack_row(rows.StateRow, raw)
            images = read_images(row.images)
            values = {name: materialise(each, _codec.decode) for name, each in images.items()}
            return row._replace(images={n: json.dumps(to_json(v)) for n, v in values.items()})
        case Table.ACTOR:
            actor = unpack_row(rows.ActorRow, raw)
            return actor._replace(not_before=actor.attempts and actor.not_before, version=0)
        case Table.DEAD:
            return unpack_row(rows.DeadRow, raw)._replace(time=0)
        case Table.RUN if key.endswith(b"status"):
            status = unpack_row(rows.StatusRow, raw)
            return status._replace(reason="") if status.status == "starting" else status
        case _:
            return raw
