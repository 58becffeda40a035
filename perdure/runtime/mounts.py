"""File systems that a ledger may be on: told from the system's table of mounts; pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from perdure.runtime.findings import OK, PROBLEM, WARNING, Finding

ABOUT = "file system"

_LOCAL = {
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "jfs", "reiserfs", "apfs",
}  # fmt: skip
_SHARED = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "virtiofs",
    "vboxsf", "prl_fs", "gpfs", "beegfs", "ocfs2", "gfs2", "ncpfs", "davfs",
}  # fmt: skip
_GONE = {"tmpfs": "with the machine's memory", "ramfs": "with the machine's memory"}
_ESCAPE = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A file system: where it is mounted, and of which kind."""

    point: str
    kind: str


def mount_of(path: str, table: str) -> Mount | None:
    """The mount that an absolute path is on, from the text of `/proc/mounts`; the last one counts.

    >>> mount_of("/data/run", "a / ext4 rw 0 0\\nb /data nfs4 rw 0 0\\n")
    Mount(point='/data', kind='nfs4')
    """
    found: Mount | None = None
    for line in table.splitlines():
        words = line.split(" ")
        if len(words) < 3:
            continue
        point = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), words[1])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and (found is None or len(point) >= len(found.point)):
            found = Mount(point, words[2])
    return found


def judge_mount(mount: Mount | None) -> Finding:
    """Whether a ledger may be there.

    >>> judge_mount(Mount("/", "ext4")).verdict, judge_mount(Mount("/", "nfs")).verdict
    ('ok', 'problem')
    """
    if mount is None:
        way = "Have runs on a local disk."
        return Finding(ABOUT, WARNING, "this system does not say what it is", way)
    text = f"{mount.kind} at {mount.point}"
    kind = mount.kind.partition(".")[0]
    if kind in _SHARED or kind.startswith("fuse"):
        return Finding(
            ABOUT, PROBLEM, f"{text}: file locks and shared pages do not hold there as LMDB needs",
            "Set PERDURE_HOME to a folder on a local disk. `perdure ship` brings copies elsewhere.",
        )  # fmt: skip
    if kind in _GONE:
        text = f"{text}: what is there goes {_GONE[kind]}"
        return Finding(ABOUT, WARNING, text, "Have runs that are to last on a disk.")
    if kind in ("overlay", "aufs"):
        text = f"{text}: what is there goes with the container"
        return Finding(ABOUT, WARNING, text, "Mount a volume, and set PERDURE_HOME to it.")
    if kind not in _LOCAL:
        way = "See that it is local, and keeps what was synced."
        return Finding(ABOUT, WARNING, f"{text}: not one that perdure was tried on", way)
    return Finding(ABOUT, OK, text)
