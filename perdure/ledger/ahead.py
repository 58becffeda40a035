"""Zeros at the end of a ledger's file, where its next pages go.

A commit that makes the file longer has its new length flushed too, which takes a quick disk a
third longer; of small commits every fifth did. LMDB looks at no page that it has not written.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from perdure.limits import DISK_FREE_BYTES_PLENTY, FILE_AHEAD_BYTES


def lengthen(data: Path, used_bytes: int) -> None:
    """Append zeros to a file, unless there are enough, or the disk has little room.

    An error is nothing: it is for a commit to say what is wrong with the disk.
    """
    with suppress(OSError):
        is_short = data.stat().st_size < used_bytes + FILE_AHEAD_BYTES // 2
        if is_short and shutil.disk_usage(data.parent).free >= DISK_FREE_BYTES_PLENTY:
            with data.open("ab") as file:
                file.write(bytes(FILE_AHEAD_BYTES))
