"""A plan of compaction as a file: made by one process, carried out by the run's owner."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

import msgpack

from perdure.errors import UsageError
from perdure.ledger.compacted import Left
from perdure.ledger.compaction import Plan
from perdure.ledger.durable import write_whole
from perdure.ledger.group import blob_digest

PLANS = "compacting"
"""The folder of plans that wait for the owner; below the run."""

_NAME = re.compile(r"[0-9a-f]{32}")
_DIGEST_BYTES = 32


def hand_over(run: Path, plan: Plan) -> str:
    """Write a plan where the owner of a run finds it; returns its name. It is durable then."""
    folder, name = run / PLANS, uuid4().hex
    folder.mkdir(exist_ok=True)
    data: bytes = msgpack.packb(
        (
            plan.at, plan.hash, plan.bases, sorted(plan.left.records), sorted(plan.left.stubs),
            plan.blobs, plan.unused, plan.cut_before, plan.is_new,
        )
    )  # fmt: skip
    write_whole(folder / name, blob_digest(data) + data, top=folder.absolute())
    return name


def take_over(run: Path, name: str) -> Plan:
    """Read a plan that was handed over. Raises `UsageError` for what is none."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r:.99} is no name of a plan.")
    try:
        data = (run / PLANS / name).read_bytes()
    except OSError as error:
        raise UsageError(f"the plan {name} cannot be read: {error.strerror}.") from error
    if blob_digest(data[_DIGEST_BYTES:]) != data[:_DIGEST_BYTES]:
        raise UsageError(f"the plan {name} is not what was written. Compact again.")
    at, hash, bases, records, stubs, blobs, unused, cut_before, is_new = msgpack.unpackb(
        data[_DIGEST_BYTES:], use_list=False, strict_map_key=False
    )
    left = Left(set(records), set(stubs))
    return Plan(at, hash, bases, left, blobs, unused, cut_before=cut_before, is_new=is_new)


def clear_plans(run: Path) -> None:
    """Delete all plans, and what was left of writing some."""
    folder = run / PLANS
    for path in folder.iterdir() if folder.is_dir() else ():
        path.unlink(missing_ok=True)
