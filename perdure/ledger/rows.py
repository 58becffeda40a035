"""The values of table rows, as plain data, and their bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import msgpack

from perdure.errors import LedgerDamaged

R = TypeVar("R")

_packer = msgpack.Packer(use_bin_type=True)


class ActorRow(NamedTuple):
    """Who an actor is, and where in its life."""

    address: str
    class_name: str  # as registered
    version: int
    parent: int
    spec: dict[str, Any]
    init: bytes
    incarnation: int
    life: int
    crashes: int
    restarts: int
    attempts: int  # failed tries at the head message, without progress since
    not_before: int  # ledger time of the next try
    reason: str  # of the last exit
    falls: int = 0  # crashes in a row, no message handled in between
    fell_at: int = 0  # its turns at the last of them
    stalled: str = ""  # why it waits for a repair, if it does
    suspended: int = 0  # the incarnation that takes no messages
    watches: int = 0  # rows of it in table WATCH
    tokens: int = 0  # that its steps have spent
    kept: int = 0  # the record by which it goes on with older code; void once all have other code


def born(
    address: str,
    class_name: str,
    version: int,
    parent: int,
    spec: dict[str, Any],
    init: bytes,
    life: int,
) -> ActorRow:
    """The row of an actor that is born: with a life, or before its first."""
    incarnation = 0 if life == 0 else 1
    who = (address, class_name, version, parent, spec, init)
    return ActorRow(*who, incarnation, int(life), 0, 0, 0, 0, "")


class StateRow(NamedTuple):
    """The committed state of an actor: `images` is field -> (base bytes, ops).

    A snapshot is that of a large state, which rows of table DELTA may have changed since.
    """

    turns: int
    seq: int  # the record that it is as of
    state_hash: bytes
    images: dict[str, Any]
    is_snapshot: bool = False


class DeltaRow(NamedTuple):
    """What the turns of one group changed in a large state."""

    previous: int  # the record that the state was as of before
    turns: int
    state_hash: bytes
    delta: Sequence[tuple[Any, ...]]


class StepRow(NamedTuple):
    """A step of the message at the head of an inbox; `phase` is intent, asked or done."""

    phase: str
    name: str
    digest: bytes
    ok: bool
    value: bytes
    reserved: int
    seq: int  # of the record that says so
    begun: int = 0  # how far the journal was when the step was begun; 0: nothing follows from it
    intent: int = 0  # the record of its intent, if it needed one
    tries: int = 0  # executions so far, over all attempts at the message
    chance: int = 1  # the attempt that seeds the message's chance
    effect: str = ""  # of its tool; none for asks, births and times
    redone: bool = True  # made again when nobody knows whether it happened
    again: bool = False  # a failure that its own policy does not leave at that
    missed: int = 0  # the record by which its handler was cancelled before it got the outcome


class DeadRow(NamedTuple):
    """A message that will not be handled."""

    to: str
    reason: str
    attempts: int
    time: int
    seq: int  # of the record that says so


class ArtifactRow(NamedTuple):
    """Bytes for the outside, and whether their file is in place."""

    digest: bytes
    size: int
    seq: int
    released: bool


class StatusRow(NamedTuple):
    """What the run is up to: running, waiting, finished, failed or interrupted."""

    status: str
    reason: str
    result: bytes | None


class ForkRow(NamedTuple):
    """What a fork is: `pasts` are the runs that its first records are of, (last seq, run id)."""

    run_id: bytes
    pasts: tuple[tuple[int, bytes], ...]
    held: bool  # only tools that read may run


class InterruptedRow(NamedTuple):
    """Messages that were running when the last processes died: (seq, index, deaths in a row)."""

    counts: tuple[tuple[int, int, int], ...]


class PostedRow(NamedTuple):
    """What became of a post of another process; `ok` is None while its answer is to come."""

    verb: str
    seq: int  # of the POST record
    ok: bool | None
    value: bytes | None  # encoded: what the verb said, the answer, or (kind, text) of a failure


class CodeRow(NamedTuple):
    """Which code a run has run, and how its last process does.

    `versions` are the newest of (seq, digest, scope of the reload).
    """

    versions: tuple[tuple[int, bytes, tuple[int, ...]], ...]
    since: int  # the last record from which on everybody was to run other code
    gone: tuple[str, ...]  # classes that the code of that record does not have
    durability: str  # the level of the process that took the run last


class BaseRow(NamedTuple):
    """How a ledger was compacted: record `seq` says so, and `at` is the cut."""

    seq: int
    at: int
    bases: tuple[tuple[int, bytes], ...]  # as in the record


class BudgetRow(NamedTuple):
    """The run's token budget; `limit` None is no limit."""

    limit: int | None
    spent: int
    reserved: int


def pack_row(row: tuple[Any, ...]) -> bytes:
    """The bytes of a row. Called on the kernel thread only: the packer is reused."""
    return bytes(_packer.pack(row))


def unpack_row(kind: Callable[..., R], data: bytes) -> R:
    """The row of that kind in `data`; raises `LedgerDamaged` for anything else."""
    try:
        return kind(*msgpack.unpackb(data, use_list=False, strict_map_key=False))
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise LedgerDamaged(f"a table row cannot be read as {kind!r}: {error}.") from error
