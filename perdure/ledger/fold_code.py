"""Which code a journal says ran: processes, reloads, and who keeps what it had."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perdure.ledger.interventions import Keep, Reload
from perdure.ledger.rows import CodeRow
from perdure.limits import CODES_LISTED_MAX

if TYPE_CHECKING:
    from perdure.ledger.fold import Fold

NO_CODE = CodeRow((), 0, (), "")


def opened(row: CodeRow, seq: int, code_hash: bytes, durability: str) -> CodeRow:
    """A process took the ledger: everybody runs the code that it found, at its level.

    >>> opened(NO_CODE, 2, b"a", "each").since
    2
    """
    return CodeRow(_listed(row, (seq, code_hash, ())), seq, (), durability)


def reloaded(row: CodeRow, seq: int, body: Reload) -> CodeRow:
    """Everybody, or some, are to run other code."""
    versions = _listed(row, (seq, body.code_hash, tuple(body.scope)))
    if body.scope:
        return row._replace(versions=versions)
    gone = tuple(name for name, _, now in body.versions if not now)
    return row._replace(versions=versions, since=seq, gone=gone)


def _listed(row: CodeRow, version: tuple[int, bytes, tuple[int, ...]]) -> Any:
    return (*row.versions, version)[-CODES_LISTED_MAX:]


def _reload(fold: Fold, seq: int, body: Reload) -> None:
    since, below = fold.code.since, set(body.scope)
    fold.code = reloaded(fold.code, seq, body)
    for id, agent in fold.agents.items():  # parents are born before their children
        if not body.scope or id in below or agent.parent in below:
            below.add(id)
            agent.kept = 0 if agent.kept >= since else agent.kept  # what is void already stays
    for id, _ in body.kept:
        fold._agent(seq, id).kept = seq


def _keep(fold: Fold, seq: int, body: Keep) -> None:
    fold._agent(seq, body.actor).kept = seq


EFFECTS: dict[type[Any], Callable[[Fold, int, Any], object]] = {Reload: _reload, Keep: _keep}
