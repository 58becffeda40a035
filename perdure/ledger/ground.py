"""What is known of an actor as of a base: where the past of a compacted ledger begins."""

from __future__ import annotations

from typing import NamedTuple

from perdure.errors import Compacted
from perdure.ledger.base import agent_in
from perdure.ledger.compacted import base_row
from perdure.ledger.folded import Agent
from perdure.ledger.group import Store


class Ground(NamedTuple):
    """An actor as of a base, after record `seq`; None if it was not born then."""

    seq: int
    agent: Agent | None


def ground(store: Store, actor: int, at: int) -> Ground | None:
    """The newest base from which the state of an actor at record `at` can be told.

    None for a ledger that has all of its records. Raises `Compacted` for a record before the cut,
    unless it has a mark whose base was kept.
    """
    row = base_row(store)
    if row is None:
        return None
    name = dict(row.bases).get(min(at, row.at))
    if name is None:
        raise Compacted(at, row.at)
    return Ground(min(at, row.at), agent_in(name, actor, store.blob))
