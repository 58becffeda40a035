"""The planted library: `tests/data/survey` plus what git cannot hold."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).resolve().parents[1] / "data" / "survey"

UNREAD_IN_GIT = {
    "bad_cookie.py": "SyntaxError",
    "bom_against_cookie.py": "SyntaxError",
    "syntax_error.py": "SyntaxError",
    "not_utf8.py": "SyntaxError",
    "not_utf8_later.py": "SyntaxError",
}
"""Files of `tests/data/survey` that are no Python, with the class of what is raised."""

UNREADABLE = (OSError, SyntaxError, ValueError, RecursionError)
"""All that `parse_file` may raise."""

NOBODY = 65534


class Library(NamedTuple):
    """A planted folder: what cannot be read in it, and the class of the error; what is skipped."""

    folder: Path
    unread: dict[str, str]
    skipped: tuple[str, ...]


@contextmanager
def planted(folder: Path) -> Iterator[Library]:
    """A new library at `folder`, which must not exist. Leaves it removable, and does not remove it.

    To the superuser every file is readable: `unread` and `skipped` say what holds for this user.
    """
    shutil.copytree(DATA, folder)
    unread = UNREAD_IN_GIT | {"nul_byte.py": _class_of_nul_byte()}
    skipped = ["linked_folder/"]
    unread |= _plant_links(folder)
    unread |= _plant_odd_files(folder)
    _plant_left_out(folder)
    if _plant_undecodable(folder):
        skipped.append("caf\\udce9.py")
    closed = folder / "no_permission.py"
    closed.write_text("x = 1\n")
    closed.chmod(0)
    locked = folder / "locked"
    locked.mkdir()
    (locked / "hidden.py").write_text("x = 1\n")
    locked.chmod(0)
    if not os.access(closed, os.R_OK):
        unread["no_permission.py"] = "PermissionError"
        skipped.append("locked/")
    try:
        yield Library(folder, dict(sorted(unread.items())), tuple(sorted(skipped)))
    finally:
        locked.chmod(0o755)
        closed.chmod(0o644)


@contextmanager
def unprivileged() -> Iterator[None]:
    """The rest of the block as a user whom permissions hold for, also when tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def _plant_links(folder: Path) -> dict[str, str]:
    (folder / "loop_a.py").symlink_to("loop_b.py")
    (folder / "loop_b.py").symlink_to("loop_a.py")
    (folder / "dangling.py").symlink_to("nowhere.py")
    (folder / "linked_file.py").symlink_to("fine.py")
    (folder / "linked_folder").symlink_to(".", target_is_directory=True)
    return {
        "loop_a.py": "OSError",
        "loop_b.py": "OSError",
        "dangling.py": "FileNotFoundError",
    }


def _plant_odd_files(folder: Path) -> dict[str, str]:
    (folder / "folder.py").mkdir()
    (folder / "folder.py" / "inside.py").write_text("from .other import x\nfrom ..fine import y\n")
    (folder / "deep_minus.py").write_text("-" * 100_000 + "1\n")
    (folder / "deep_list.py").write_text("[" * 50_000 + "]" * 50_000 + "\n")
    (folder / "deep_attribute.py").write_text("a" + ".a" * 100_000 + "\n")
    (folder / "odd |`name.py").write_text('"""A name that Markdown would trip over."""\n')
    os.mkfifo(folder / "pipe.py")
    return {
        "folder.py": "IsADirectoryError",
        "deep_minus.py": "RecursionError",
        "deep_list.py": "SyntaxError",  # the tokenizer's own limit: too many nested parentheses
        "deep_attribute.py": "RecursionError",
        "pipe.py": "OSError",
    }


def _plant_left_out(folder: Path) -> None:
    for name in ("__pycache__", "site-packages"):
        (folder / "pkg" / name).mkdir()
        (folder / "pkg" / name / "left_out.py").write_text("x = 1\n")


def _plant_undecodable(folder: Path) -> bool:
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.py")).write_text("x = 1\n")
    except OSError:  # some file systems hold only UTF-8 names
        return False
    return True


def _class_of_nul_byte() -> str:
    try:
        compile(b"\x00", "", "exec")
    except (SyntaxError, ValueError) as error:  # ValueError before Python 3.12
        return type(error).__name__
    raise AssertionError("Python compiles NUL bytes now")
