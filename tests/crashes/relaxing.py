"""The shelf with one flush for each commit: a power cut may undo the last group, and no other."""

from __future__ import annotations

from functools import partial

from tests.crashes.shelf import check, drive, end, scenario

drive = partial(drive, is_relaxed=True)  # type: ignore[assignment]

__all__ = ["check", "drive", "end", "scenario"]
