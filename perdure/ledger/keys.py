"""The tables and their ordered keys: one kind byte, then big-endian ids, so that order is time.

Every table is a fold of the journal. Keys of one actor are neighbours; an inbox key ends in the
message's own id, so the order of sending is the order of the inbox and no counter is needed.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct


class Table(IntEnum):
    """The kind byte that a table's keys start with."""

    ACTOR = 1  # id -> who it is and where in its life
    NAME = 2  # address -> id of the actor that answers to it now
    STATE = 3  # id -> committed field images, state hash, turns; of a large state, a snapshot
    INBOX = 4  # id, lane, seq, index -> nothing: the body is in record seq
    STEP = 5  # id, seq, index, key -> a step of the message at the head
    TIMER = 6  # due, seq, index -> nothing
    DEAD = 7  # seq, index -> a dead letter
    ARTIFACT = 8  # path -> digest, size, whether its file is in place
    CHILD = 9  # parent id, child id -> nothing
    RUN = 10  # name -> what the run as a whole is up to
    DELTA = 11  # id, seq -> what a group changed in a large state since its row
    UNRELEASED = 12  # path -> nothing: an artifact whose file is not in place
    MARK = 13  # id (0: the run), name -> seq of the record that has the mark
    WATCH = 14  # id, other's id, monitor -> how the one's life hangs on the other's
    POSTED = 15  # post id -> what became of a post of another process


_ID = Struct(">BQ")
_PAIR = Struct(">BQQ")
_INBOX = Struct(">BQBQI")
_MESSAGE = Struct(">BQI")
_OWNED = Struct(">BQQI")

STATUS_KEY = bytes([Table.RUN]) + b"status"
BUDGET_KEY = bytes([Table.RUN]) + b"budget"
INTERRUPTED_KEY = bytes([Table.RUN]) + b"interrupted"
FORK_KEY = bytes([Table.RUN]) + b"fork"
CODE_KEY = bytes([Table.RUN]) + b"code"
BASE_KEY = bytes([Table.RUN]) + b"base"


def actor_key(actor: int) -> bytes:
    return _ID.pack(Table.ACTOR, actor)


def state_key(actor: int) -> bytes:
    return _ID.pack(3, actor)


def name_key(address: str) -> bytes:
    return b"\x02" + address.encode()


def inbox_key(actor: int, lane: int, seq: int, index: int) -> bytes:
    return _INBOX.pack(4, actor, lane, seq, index)


def inbox_id(key: bytes) -> tuple[int, int, int, int]:
    """(actor, lane, seq, index) of an inbox key."""
    _, actor, lane, seq, index = _INBOX.unpack(key)
    return actor, lane, seq, index


def inbox_prefix(actor: int) -> bytes:
    return _ID.pack(Table.INBOX, actor)


def step_key(actor: int, seq: int, index: int, key: str) -> bytes:
    return _OWNED.pack(Table.STEP, actor, seq, index) + key.encode()


def step_id(key: bytes) -> tuple[int, int, int, str]:
    """(actor, seq, index, step key) of a step's key."""
    _, actor, seq, index = _OWNED.unpack_from(key)
    return actor, seq, index, key[_OWNED.size :].decode()


def step_prefix(actor: int) -> bytes:
    return _ID.pack(Table.STEP, actor)


def timer_key(due: int, seq: int, index: int) -> bytes:
    return _OWNED.pack(Table.TIMER, due, seq, index)


def timer_id(key: bytes) -> tuple[int, int, int]:
    """(due, seq, index) of a timer's key."""
    _, due, seq, index = _OWNED.unpack(key)
    return due, seq, index


def dead_key(seq: int, index: int) -> bytes:
    return _MESSAGE.pack(Table.DEAD, seq, index)


def dead_id(key: bytes) -> tuple[int, int]:
    """(seq, index) of a dead letter's key."""
    _, seq, index = _MESSAGE.unpack(key)
    return seq, index


def posted_key(post_id: str) -> bytes:
    return bytes([Table.POSTED]) + post_id.encode()


def artifact_key(path: str) -> bytes:
    return bytes([Table.ARTIFACT]) + path.encode()


def unreleased_key(path: str) -> bytes:
    return bytes([Table.UNRELEASED]) + path.encode()


def child_key(parent: int, child: int) -> bytes:
    return _PAIR.pack(Table.CHILD, parent, child)


def child_id(key: bytes) -> tuple[int, int]:
    """(parent, child) of a child's key."""
    _, parent, child = _PAIR.unpack(key)
    return parent, child


def watch_key(actor: int, other: int, monitor: str) -> bytes:
    return _PAIR.pack(Table.WATCH, actor, other) + monitor.encode()


def watch_id(key: bytes) -> tuple[int, int, str]:
    """(actor, other, monitor's id: '' for a link) of a watch's key."""
    _, actor, other = _PAIR.unpack_from(key)
    return actor, other, key[_PAIR.size :].decode()


def watch_prefix(actor: int) -> bytes:
    return _ID.pack(Table.WATCH, actor)


def mark_key(actor: int, name: str) -> bytes:
    return mark_prefix(actor) + name.encode()


def mark_id(key: bytes) -> tuple[int, str]:
    """(actor, name) of a mark's key."""
    return actor_of(key[: _ID.size]), key[_ID.size :].decode()


def mark_prefix(actor: int) -> bytes:
    return _ID.pack(Table.MARK, actor)


def child_prefix(parent: int) -> bytes:
    return _ID.pack(Table.CHILD, parent)


def delta_key(actor: int, seq: int) -> bytes:
    return _PAIR.pack(Table.DELTA, actor, seq)


def delta_id(key: bytes) -> tuple[int, int]:
    """(actor, seq) of a delta row's key."""
    _, actor, seq = _PAIR.unpack(key)
    return actor, seq


def delta_prefix(actor: int) -> bytes:
    return _ID.pack(Table.DELTA, actor)


def actor_of(key: bytes) -> int:
    """The id in the key of an actor or a state row."""
    actor: int = _ID.unpack(key)[1]
    return actor
