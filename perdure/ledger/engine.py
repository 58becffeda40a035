"""Which LMDB writes ledgers here."""

from __future__ import annotations

from importlib.metadata import version

import lmdb


def engine() -> tuple[str, tuple[int, ...]]:
    """The version of the binding to LMDB, and of the engine that ledgers are written with."""
    return version("lmdb"), tuple(lmdb.version(subpatch=True))[:3]
