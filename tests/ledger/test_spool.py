"""The spool: a post is whole or not there, whoever dies; what is no post is put aside."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perdure.errors import LedgerError, Refused, TooLarge, UsageError
from perdure.ledger import spool as spools
from perdure.ledger.spool import BadPost, Post, Spool, id_in, name_of_post, withdraw, write_post

ID = "0123456789abcdef" * 2


def told(number: int = 1, verb: str = "tell") -> Post:
    return Post(f"{number:032x}", verb, {"to": "/r/a", "message": {"$": "Add", "number": number}})


def opened(directory: Path) -> Spool:
    spool = Spool.open(directory)
    assert spool is not None
    return spool


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "ingress").iterdir())


# --- posting


def test_what_was_posted_is_what_is_read(tmp_path: Path) -> None:
    path = write_post(tmp_path, told(), 7)
    spool = opened(tmp_path)
    assert spool.look().posts == [path.name]
    assert spool.read(path.name) == told()


def test_nothing_is_looked_for_before_somebody_posts(tmp_path: Path) -> None:
    assert Spool.open(tmp_path) is None


def test_posts_are_taken_in_the_order_of_posting(tmp_path: Path) -> None:
    for number in (9, 3, 5):
        write_post(tmp_path, told(number), wall_ns=10)
    spool = opened(tmp_path)
    taken = [spool.read(name) for name in spool.look().posts]
    assert [post.id for post in taken if post] == [told(n).id for n in (9, 3, 5)]


def test_a_post_that_came_before_one_that_was_seen_is_seen_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is read while names come may show the second one and not the first."""
    first, second = (write_post(tmp_path, told(n), n).name for n in (1, 2))
    third = name_of_post(ID, 3)
    shows = iter([[second], [third, second, first]])
    monkeypatch.setattr(Spool, "_names", lambda _: next(shows))
    assert opened(tmp_path).look().posts == [first, second]


def test_a_post_can_be_taken_back_until_it_is_taken(tmp_path: Path) -> None:
    path = write_post(tmp_path, told(), 7)
    assert withdraw(path)
    assert not withdraw(path)
    assert opened(tmp_path).read(path.name) is None


@pytest.mark.parametrize("fields", [{"a": {1, 2}}, {"a": float}])
def test_fields_that_are_no_json_are_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="no plain JSON"):
        write_post(tmp_path, Post(ID, "tell", fields), 1)
    assert not (tmp_path / "ingress").exists()


def test_a_post_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "POST_BYTES_MAX", 50)
    with pytest.raises(TooLarge, match="of at most 50 bytes"):
        write_post(tmp_path, told(), 1)


def test_a_spool_that_is_full_takes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "SPOOL_POSTS_MAX", 2)
    for number in (1, 2):
        write_post(tmp_path, told(number), number)
    with pytest.raises(Refused, match="2 of 2 posts wait there"):
        write_post(tmp_path, told(3), 3)
    assert len(names(tmp_path)) == 2


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_disk_that_is_full_takes_no_half_of_a_post(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((Path, call, full) if call == "rename" else (os, call, full)))
    with pytest.raises(LedgerError, match=r"No space left on device\. Nothing was posted"):
        write_post(tmp_path, told(), 1)
    assert names(tmp_path) == []


def test_something_else_with_the_name_of_the_spool_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "ingress").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LedgerError, match="something else has that name"):
        write_post(tmp_path, told(), 1)
    with pytest.raises(OSError, match=r"."):
        Spool.open(tmp_path)


def test_a_poster_that_is_killed_leaves_a_whole_post_or_an_unfinished_one(tmp_path: Path) -> None:
    for step in ("rename", "unlink"):  # before the rename; after it, and before anybody is told
        pid = os.fork()
        if not pid:
            try:
                _die_at(step)
                write_post(tmp_path, told(), 1)
            finally:
                os._exit(70)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        listing = opened(tmp_path).look()
        assert len(listing.unfinished) + len(listing.posts) == 1
        if step == "rename":
            assert listing.posts == []
            (tmp_path / "ingress" / listing.unfinished[0]).unlink()
        else:
            assert opened(tmp_path).read(listing.posts[0]) == told()


def _die_at(step: str) -> None:
    def die(*args: object, **options: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if step == "rename":
        Path.rename = die  # type: ignore[method-assign, assignment]
    else:
        spools.settle = die


# --- what is no post


def _text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text)


def _post(**changes: Any) -> Callable[[Path], object]:
    form = {"format": 1, "id": ID, "verb": "tell", "fields": {}} | changes
    return _text(json.dumps(form))


def _large(path: Path) -> None:
    path.touch()
    os.truncate(path, spools.POST_BYTES_MAX + 1)  # a hole: it takes no room


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (_text(""), "no JSON"),
    "half of one": (_text('{"format": 1, "id": "'), "no JSON"),
    "bytes": (lambda path: path.write_bytes(b"\xff\xfe\x00"), "no JSON"),
    "deep": (_text("[" * 100_000), "no JSON"),
    "a list": (_text("[1]"), "it is a list"),
    "another format": (_post(format=2), "its format is 2"),
    "another id": (_post(id="f" * 32), "its id is not the one in its name"),
    "no verb": (_post(verb=""), "its verb is no text"),
    "a verb that is none": (_post(verb=["tell"]), "its verb is no text"),
    "a long verb": (_post(verb="t" * 500), "its verb is no text"),
    "no fields": (_post(fields=[1]), "its fields are no object"),
    "too large": (_large, "of at most"),
    "a folder": (lambda path: path.mkdir(), "it is no file"),
    "a pipe": (os.mkfifo, "it is no file"),
    "a link": (lambda path: path.symlink_to("/etc/passwd"), "it is a link"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_post_says_why_and_can_be_put_aside(tmp_path: Path, kind: str) -> None:
    make, why = BAD[kind]
    name = name_of_post(ID, 1)
    (tmp_path / "ingress").mkdir()
    for again in range(2):
        make(tmp_path / "ingress" / name)
        spool = opened(tmp_path)
        with pytest.raises(BadPost, match=why):
            spool.read(name)
        spool.set_aside(name)
        assert spool.look().posts == []
        kept = names_in(tmp_path / "ingress" / "refused")
        assert len(kept) == again + 1  # none is lost, though they have one name


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_post_that_cannot_be_read_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_post(tmp_path, told(), 1)
    spool = opened(tmp_path)
    if os.geteuid():
        path.chmod(0)
    else:  # whom nothing is forbidden

        def refuse(*args: object, **options: object) -> int:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(BadPost, match="it cannot be read: Permission denied"):
        spool.read(path.name)


def test_other_files_are_named_and_left_alone(tmp_path: Path) -> None:
    write_post(tmp_path, told(), 1)
    for name in ("notes.txt", "x.post", f"{1:020d}-{ID}.post~"):
        (tmp_path / "ingress" / name).touch()
    listing = opened(tmp_path).look()
    assert len(listing.posts) == 1
    assert len(listing.foreign) == 3


def test_an_unfinished_file_has_an_age(tmp_path: Path) -> None:
    (tmp_path / "ingress").mkdir()
    path = tmp_path / "ingress" / f"{1:020d}-{ID}.new"
    path.touch()
    os.utime(path, ns=(5, 7))
    spool = opened(tmp_path)
    assert spool.look().unfinished == [path.name]
    assert spool.written_ns(path.name) == 7
    spool.unlink(path.name)
    spool.unlink(path.name)
    assert spool.written_ns(path.name) is None


def test_it_is_closed_with_its_owner(tmp_path: Path) -> None:
    write_post(tmp_path, told(), 1)
    spool = opened(tmp_path)
    spool.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        spool.look()


def test_posts_keep_their_order_when_the_wall_clock_jumps_back(tmp_path: Path) -> None:
    hour = 3_600 * 10**9
    for number, wall_ns in enumerate((5 * hour, 4 * hour, 4 * hour, 6 * hour), 1):
        write_post(tmp_path, told(number), wall_ns)
    assert [id_in(name) for name in opened(tmp_path).look().posts] == [
        f"{number:032x}" for number in (1, 2, 3, 4)
    ]
