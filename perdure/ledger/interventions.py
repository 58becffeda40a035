"""The records of what is done to a run from above its actors: by people, supervisors, a fork.

They are read like those of `records.py`, which has their kinds.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Cancel(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    actor: int  # it and all below it
    reason: str
    lives: tuple[Any, ...]  # [(actor id, incarnation, Life)…]
    dead: tuple[Any, ...]  # Dead rows: their inboxes


class Verdict(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    actor: int
    message: tuple[int, int] | None
    key: str | None  # of the step that it is about
    verdict: str  # happened, did-not-happen, again, forget, dead, kills_process
    value: bytes | None  # the encoded result of a step that happened
    dead: tuple[Any, ...] = ()  # Dead rows: the message, when it is given up
    lives: tuple[Any, ...] = ()  # [(actor id, incarnation, Life)…]: the children it had spawned


class Restore(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    actor: int
    incarnation: int  # that begins with it
    rung: str  # "mark:NAME" or "fresh"; "settings": child specs of a fork
    as_of: int  # the record whose state it is; 0 for a fresh one
    undone: int  # turns whose changes are gone
    delta: tuple[Any, ...]  # from the state before to this one; see images.py
    state_hash: bytes
    previous: int  # as in Turn


class Suspend(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    actor: int
    incarnation: int  # that takes no messages from here on; 0: it takes them again


class Fork(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    run_id: bytes  # of the fork
    parent: bytes  # the run id that the records before were written under
    at: int  # the last record that they share
    settings: dict[str, Any]
    code: str | None  # where its code is, if not where the original's was
    code_hash: bytes
    inits: tuple[Any, ...] = ()  # [(actor id, init)…] of those without a state, by its settings


class Reload(NamedTuple):
    """From the next message on, the actors in `scope` and all below them run other code.

    A turn under way ends on the code that it began with; its actor has the new code after it.
    """

    time: int
    sends: tuple[Any, ...]
    code_hash: bytes
    code: bytes  # a reference to its files, as `Open` has it
    scope: tuple[int, ...]  # actor ids; none: everybody
    versions: tuple[tuple[str, int, int], ...]  # (class name, before, now); 0: there is none
    kept: tuple[tuple[int, str], ...]  # (actor id, why): they go on with the code that they had
    under_way: tuple[tuple[int, int, int, int], ...]  # (actor id, incarnation, message seq, index)


class Keep(NamedTuple):
    """An actor that could not be loaded with newer code goes on with this, from here on."""

    time: int
    sends: tuple[Any, ...]
    actor: int
    code_hash: bytes
    reason: str


class Base(NamedTuple):
    """Of the records up to `at` only some are left; the fold of all of them is a base."""

    time: int
    sends: tuple[Any, ...]
    at: int
    hash: bytes  # of record `at`
    bases: tuple[tuple[int, bytes], ...]  # (record, name of its base) of marks; `at` comes last
    left: int  # rows of the journal up to `at` that are left, records and stubs
    posts_until: int = 0  # what became of posts up to this record is forgotten
    dead_until: int = 0  # dead letters up to this record are gone


class Live(NamedTuple):
    time: int
    sends: tuple[Any, ...]
