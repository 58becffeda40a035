"""The spool of a run, `RUN/ingress/`: files by which other processes post to it.

A post is written under another name, made durable, and renamed: a poster that dies leaves a whole
post or an unfinished file, which is swept when it is old. The owner of the run reads the posts in
the order of their names, journals them, and unlinks them once that is durable.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from perdure.errors import LedgerError, Refused, TooLarge, UsageError
from perdure.ledger.durable import settle, sync_directory
from perdure.limits import NAME_BYTES_MAX, POST_BYTES_MAX, SPOOL_POSTS_MAX

FOLDER = "ingress"
ASIDE = "refused"
FORMAT = 1

_NAME = re.compile(r"\d{20}-([0-9a-f]{32})\.(post|new)")
_TIME_MAX = 10**20 - 1  # of the digits in a name
_AWAY = (errno.ENOENT, errno.ENOTDIR)


class Post(NamedTuple):
    """What another process asks of a run: a verb of the owner's, and its fields as plain JSON."""

    id: str
    verb: str
    fields: dict[str, Any]


class BadPost(Exception):
    """A file of the spool that is no post; the text says why."""


class Listing(NamedTuple):
    """The names in a spool: posts in the order in which they are taken, and what else there is."""

    posts: list[str]
    unfinished: list[str]
    foreign: list[str]


def name_of_post(post_id: str, wall_ns: int) -> str:
    """The file name of a post: by time, then by chance.

    >>> name_of_post("0" * 32, 7)
    '00000000000000000007-00000000000000000000000000000000.post'
    """
    return f"{wall_ns:020d}-{post_id}.post"


def id_in(name: str) -> str:
    """The post id in a file name, '' for a name that is no post's."""
    match = _NAME.fullmatch(name)
    return match[1] if match else ""


def read_post(name: str, data: bytes) -> Post:
    """The post in a file. Raises `BadPost`.

    >>> read_post(name_of_post("0" * 32, 7), b"[]")
    Traceback (most recent call last):
    perdure.ledger.spool.BadPost: it is a list, and a post is an object
    """
    try:
        form = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadPost(f"it is no JSON: {str(error)[:200]}") from None
    if not isinstance(form, dict):
        raise BadPost(f"it is a {type(form).__name__}, and a post is an object")
    if form.get("format") != FORMAT:
        raise BadPost(f"its format is {form.get('format')!r}, and {FORMAT} is read")
    post_id, verb, fields = form.get("id"), form.get("verb"), form.get("fields")
    if post_id != id_in(name):
        raise BadPost("its id is not the one in its name")
    if not isinstance(verb, str) or not 0 < len(verb.encode(errors="replace")) <= NAME_BYTES_MAX:
        raise BadPost(f"its verb is no text of 1 to {NAME_BYTES_MAX} bytes")
    if not isinstance(fields, dict):
        raise BadPost("its fields are no object")
    return Post(id_in(name), verb, fields)


def write_post(directory: Path, post: Post, wall_ns: int) -> Path:
    """Put a post into the spool of a run's directory, durably; its file.

    Raises `TooLarge`, `Refused` when as many wait as may, and `LedgerError` for a disk that does
    not take it, or a spool that is none. Then there is no post.
    """
    form = {"format": FORMAT, "id": post.id, "verb": post.verb, "fields": post.fields}
    data = _encoded(post, form)
    spool = directory / FOLDER
    final = new = spool / name_of_post(post.id, wall_ns)
    try:
        _make(spool)
        final = spool / name_of_post(post.id, max(wall_ns, _time_after(spool)))
        new = final.with_suffix(".new")
        _write(new, data)
        new.rename(final)
        settle(final, top=directory)  # the spool's name too: who made it may have died at once
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise LedgerError(
            f"the post was not written to {spool}: {error.strerror or error}. Nothing was posted. "
            "Mend that and try again."
        ) from error
    return final


def _encoded(post: Post, form: Mapping[str, Any]) -> bytes:
    try:
        data = json.dumps(form, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the fields of a post {post.verb!r} are no plain JSON: {error}") from None
    if len(data) > POST_BYTES_MAX:
        raise TooLarge(
            f"a post {post.verb!r} has {len(data):,} of at most {POST_BYTES_MAX:,} bytes. "
            "Put what is large into a file, and post its path."
        )
    return data


def _make(spool: Path) -> None:
    try:
        spool.mkdir()
    except FileExistsError:
        if spool.is_symlink() or not spool.is_dir():
            raise NotADirectoryError(
                errno.ENOTDIR, "something else has that name, and the owner would not read it"
            ) from None


def _time_after(spool: Path) -> int:
    """What a post has to be called to come after those that wait, whatever the wall clock says.

    Raises `Refused` when as many wait as may.
    """
    waiting = [name for name in os.listdir(spool) if name.endswith(".post") and id_in(name)]
    if len(waiting) >= SPOOL_POSTS_MAX:
        raise Refused(
            f"{spool} is full: {len(waiting):,} of {SPOOL_POSTS_MAX:,} posts wait there. "
            "`perdure resume RUN` takes them."
        )
    return min(int(max(waiting, default="0").partition("-")[0]) + 1, _TIME_MAX)


def _write(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(fd, left) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def withdraw(path: Path) -> bool:
    """Take a post back that nobody has taken; whether it was still there."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    sync_directory(path.parent)
    return True


class Spool:
    """The spool as its owner reads it: by the folder that was opened, never through a link."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def open(cls, directory: Path) -> Self | None:
        """The spool of a run's directory; None if nobody has posted yet. Raises `OSError`."""
        try:
            fd = os.open(directory / FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        return cls(fd)

    def close(self) -> None:
        os.close(self._fd)

    def look(self) -> Listing:
        """What is there.

        Posts of one process are taken in its order: a name that comes while a folder is read may be
        seen or not, so what came before one that was seen is looked for again.
        """
        first = self._names()
        posts = [name for name in first if name.endswith(".post") and id_in(name)]
        if posts:
            last = max(posts)
            again = (n for n in self._names() if n.endswith(".post") and id_in(n) and n <= last)
            posts = sorted({*posts, *again})
        unfinished = [name for name in first if name.endswith(".new") and id_in(name)]
        foreign = [name for name in first if not id_in(name) and name != ASIDE]
        return Listing(posts, unfinished, foreign)

    def _names(self) -> list[str]:
        return os.listdir(self._fd)

    def read(self, name: str) -> Post | None:
        """A post; None if it is gone meanwhile. Raises `BadPost` for a file that is none."""
        try:
            data = self._bytes(name)
        except OSError as error:
            if error.errno in _AWAY:
                return None
            if error.errno == errno.ELOOP:
                raise BadPost("it is a link") from None
            raise BadPost(f"it cannot be read: {error.strerror}") from None
        return read_post(name, data)

    def _bytes(self, name: str) -> bytes:
        # without O_NONBLOCK, a pipe would hold whoever opens it
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        fd = os.open(name, flags, dir_fd=self._fd)
        try:
            said = os.fstat(fd)
            if not stat.S_ISREG(said.st_mode):
                raise BadPost("it is no file")
            if said.st_size > POST_BYTES_MAX:
                raise BadPost(f"it has {said.st_size:,} of at most {POST_BYTES_MAX:,} bytes")
            with os.fdopen(os.dup(fd), "rb") as file:
                return file.read(POST_BYTES_MAX + 1)
        finally:
            os.close(fd)

    def unlink(self, name: str) -> None:
        """Remove a post that was taken, or an unfinished file; one that is gone is no error."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    def set_aside(self, name: str) -> None:
        """Move what cannot be taken to `ingress/refused/`: it is looked at no more, and kept."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(ASIDE, dir_fd=self._fd)
        kept, number = f"{ASIDE}/{name}", 1
        while self.written_ns(kept) is not None:
            number += 1
            kept = f"{ASIDE}/{name}.{number}"
        os.rename(name, kept, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def written_ns(self, name: str) -> int | None:
        """When a file was last written to, by the wall clock; None if it is gone."""
        try:
            return os.stat(name, dir_fd=self._fd, follow_symlinks=False).st_mtime_ns
        except FileNotFoundError:
            return None
