"""Which files a survey is about: every `*.py` below a folder, and what was left out and why."""

from __future__ import annotations

import os
import sysconfig
from errno import ENOTDIR

from perdure import message

FILES_MAX = 20_000
"""The index holds the facts of all files, some 300 bytes each; it travels as one message."""

LEFT_OUT = frozenset({"__pycache__", "site-packages"})
"""Folders that are no part of a library: compiled files, and what others installed into it."""

LINK = "a link to a folder is not followed"
NOT_UTF8 = "its name is not UTF-8"


@message
class Sources:
    """The files of a folder, relative and sorted, and the entries not entered with the reason."""

    files: tuple[str, ...]
    skipped: dict[str, str]


def library(folder: str) -> str:
    """The absolute path of `folder`; `""` is the running interpreter's own standard library.

    Raises `NotADirectoryError` when there is no such folder.
    """
    path = os.path.abspath(os.path.expanduser(folder or sysconfig.get_path("stdlib")))
    if not os.path.isdir(path):
        raise NotADirectoryError(
            ENOTDIR, "there is no such folder to survey; name one with --set folder=DIR", path
        )
    return path


def list_sources(folder: str) -> Sources:
    """Everything below `folder` whose name ends in `.py`: files, links, even folders.

    Whether such an entry can be read is for the reader to find out. Links to folders are not
    followed (they may loop, or count a file twice); those and folders that cannot be listed are in
    `skipped`. Raises `ValueError` for more than `FILES_MAX` files, `OSError` when `folder` itself
    cannot be listed.
    """
    files: list[str] = []
    skipped: dict[str, str] = {}
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            entries = _entries(folder, below)
        except OSError as error:
            if not below:
                raise
            skipped[below] = f"{type(error).__name__}: {error.strerror}"
            continue
        for entry in entries:
            _sort_out(entry, f"{below}{entry.name}", files, skipped, waiting)
        if len(files) > FILES_MAX:
            raise ValueError(
                f"{folder} has more than {FILES_MAX:,} Python files, the most that one survey "
                "takes; survey its folders one by one with --set folder=DIR"
            )
    return Sources(tuple(sorted(files)), dict(sorted(skipped.items())))


def _entries(folder: str, below: str) -> list[os.DirEntry[str]]:
    with os.scandir(os.path.join(folder, below)) as entries:
        return list(entries)


def _sort_out(
    entry: os.DirEntry[str],
    path: str,
    files: list[str],
    skipped: dict[str, str],
    waiting: list[str],
) -> None:
    directory = entry.is_dir(follow_symlinks=False)
    if directory and entry.name in LEFT_OUT:
        return
    if not _encodable(entry.name):
        if directory or path.endswith(".py"):
            skipped[path.encode("utf-8", "backslashreplace").decode()] = NOT_UTF8
        return
    if path.endswith(".py"):
        files.append(path)
    if directory:
        waiting.append(f"{path}/")
    elif _links_to_folder(entry):
        skipped[f"{path}/"] = LINK


def _links_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links leads nowhere
        return False


def _encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
