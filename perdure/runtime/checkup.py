"""What a machine gives to runs: versions, disk, locks, address space, clock, confinement."""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import resource
import shutil
import statistics
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from perdure.ledger.engine import engine
from perdure.limits import (
    DISK_FREE_BYTES_MIN,
    DOCTOR_FREE_BYTES_MIN,
    DOCTOR_FSYNC_SECONDS_MAX,
    DOCTOR_FSYNCS,
    MAP_BYTES_FIRST,
)
from perdure.runtime.findings import OK, PROBLEM, WARNING, Finding
from perdure.runtime.mounts import judge_mount, mount_of

_ENGINE_MIN = (0, 9, 33)  # older ones crash on files that were tampered with
_LANDLOCK_CREATE_RULESET, _LANDLOCK_VERSION = 444, 1
_EPOCH_2025 = 1_735_689_600


def check_machine(place: Path) -> list[Finding]:
    """What runs in a folder will find. Something is written into it, for a moment."""
    checks: list[Callable[[], Finding]] = [
        _versions,
        lambda: judge_mount(mount_of(os.path.realpath(place), _mounts())),
        lambda: judge_room(shutil.disk_usage(place).free, os.statvfs(place).f_favail),
        lambda: _disk(place),
        lambda: judge_address_space(resource.getrlimit(resource.RLIMIT_AS)[0], MAP_BYTES_FIRST),
        lambda: judge_clock(time.time()),
        _confinement,
    ]
    return [check() for check in checks]


def _versions() -> Finding:
    binding, number = engine()
    parts = [f"perdure {_version('perdure')}", f"python {platform.python_version()}"]
    parts.append(f"lmdb {binding}, engine {'.'.join(map(str, number))}")
    parts += [f"{name} {_version(name)}" for name in ("msgpack", "msgspec", "pykka")]
    if number < _ENGINE_MIN:
        way = "Install lmdb from its wheel: pip install --force-reinstall lmdb"
        return Finding("versions", WARNING, f"{' · '.join(parts)}: an old engine", way)
    return Finding("versions", OK, " · ".join(parts))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "?"


def _mounts() -> str:
    try:
        return Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def judge_room(free_bytes: int, free_files: int) -> Finding:
    """Whether a disk has room for runs; pure.

    >>> judge_room(10**12, 10**6).verdict, judge_room(1000, 10**6).verdict
    ('ok', 'problem')
    """
    text = f"{free_bytes:,} bytes free"
    if free_bytes < DISK_FREE_BYTES_MIN or free_files == 0:
        what = "no new files can be made" if free_files == 0 else "a run drains at once"
        way = "Make room: `perdure gc --keep N --dry-run` says what would go."
        return Finding("room", PROBLEM, f"{text}: {what}", way)
    if free_bytes < DOCTOR_FREE_BYTES_MIN:
        return Finding("room", WARNING, text, "Make room: `perdure gc --keep N` deletes old runs.")
    return Finding("room", OK, text)


def _disk(place: Path) -> Finding:
    """Whether what a ledger needs of a disk works: fsync, and how long it takes; locks."""
    try:
        with TemporaryDirectory(prefix=".doctor-", dir=place) as folder:
            fd, other = (os.open(f"{folder}/file", os.O_RDWR | os.O_CREAT) for _ in range(2))
            try:
                seconds = statistics.median(_fsync(fd) for _ in range(DOCTOR_FSYNCS))
                return judge_disk(seconds, locks=_excludes(fd, other))
            finally:
                os.close(fd)
                os.close(other)
    except OSError as error:
        way = "Let it be written to, or set PERDURE_HOME to another folder."
        return Finding("disk", PROBLEM, f"{place} cannot be written to: {error.strerror}", way)


def _fsync(fd: int) -> float:
    os.pwrite(fd, os.urandom(4_096), 0)
    began = time.perf_counter()
    os.fsync(fd)
    return time.perf_counter() - began


def _excludes(fd: int, other: int) -> bool:
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def judge_disk(fsync_seconds: float, *, locks: bool) -> Finding:
    """Whether a disk does what a ledger needs; pure.

    >>> judge_disk(0.001, locks=True).text
    'an fsync takes 1.0 ms; locks hold'
    """
    text = f"an fsync takes {fsync_seconds * 1_000:.1f} ms"
    if not locks:
        way = "Have runs on a local disk: two processes could write one ledger."
        return Finding("disk", PROBLEM, f"{text}; locks of files do not hold", way)
    if fsync_seconds > DOCTOR_FSYNC_SECONDS_MAX:
        way = "Whoever waits for durability waits that long: use a faster disk, or larger groups."
        return Finding("disk", WARNING, f"{text}; locks hold", way)
    return Finding("disk", OK, f"{text}; locks hold")


def judge_address_space(limit: int, map_bytes: int) -> Finding:
    """Whether a map of that size, and the next doubling, fit; pure.

    >>> judge_address_space(resource.RLIM_INFINITY, 1 << 26).verdict
    'ok'
    """
    if limit == resource.RLIM_INFINITY:
        return Finding("address space", OK, "not limited")
    text = f"limited to {limit:,} bytes, and a ledger maps {map_bytes:,}, doubled when it is full"
    if limit < 3 * map_bytes:
        return Finding("address space", PROBLEM, text, "Raise it: `ulimit -v unlimited`.")
    return Finding("address space", WARNING, text, "Better not limit it: `ulimit -v unlimited`.")


def judge_clock(wall: float) -> Finding:
    """Whether the wall clock can be right; pure.

    >>> judge_clock(0.0).verdict
    'warning'
    """
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(wall))
    if wall < _EPOCH_2025:
        return Finding(
            "clock", WARNING, f"{text}: that is past", "Set the clock, or have NTP do it."
        )
    return Finding("clock", OK, text)


def _confinement() -> Finding:
    """What keeps tools from what they may not do: nothing yet, whatever the machine offers."""
    could = [name for name, there in _layers() if there]
    offers = f"this machine offers {', '.join(could)}" if could else "this machine offers nothing"
    return Finding(
        "confinement",
        WARNING,
        f"none yet: tools have the rights of their process ({offers})",
        "Run what you do not trust as a user of its own, or in a container.",
    )


def _layers() -> list[tuple[str, bool]]:
    return [
        ("landlock", _landlock()),
        ("seccomp", "Seccomp:" in _read("/proc/self/status")),
        ("user namespaces", _read("/proc/sys/user/max_user_namespaces").strip() not in ("", "0")),
    ]


def _landlock() -> bool:
    try:
        libc = ctypes.CDLL(None)
        return int(libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION)) > 0
    except (OSError, AttributeError):
        return False


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
