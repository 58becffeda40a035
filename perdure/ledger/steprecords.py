"""The early records of a turn: what it asked of the outside, and what came back.

They are read like those of `records.py`, which has their kinds.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Intent(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    actor: int
    incarnation: int
    attempt: int
    message: tuple[int, int]
    key: str
    name: str  # tool or function
    digest: bytes  # of the arguments
    effect: str
    tokens: int  # reserved


class Result(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    actor: int
    incarnation: int
    attempt: int
    message: tuple[int, int]
    key: str
    name: str
    digest: bytes
    ok: bool
    value: bytes  # the encoded value, or (class name, text) of the failure
    tokens: int  # spent
    reserved: int  # released
    took: int


class Ask(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    actor: int
    incarnation: int
    attempt: int
    message: tuple[int, int]
    key: str
    digest: bytes
