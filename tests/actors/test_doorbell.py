"""The socket beside a ledger: short addresses, dead owners, clients that are odd or slow."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from perdure.actors import doorbell
from perdure.actors.doorbell import NAME, Doorbell, ask, ring
from tests.kit import SECONDS


def parrot(what: str) -> dict[str, Any]:
    return {"asked": what}


@contextmanager
def answering(directory: Path, answer: Any = parrot) -> Iterator[list[bool]]:
    """A bell that is waited at, until the end; how often it rang."""
    bell, rings, over = Doorbell(directory), list[bool](), threading.Event()

    def live() -> None:
        while not over.is_set():
            bell.wait(SECONDS, answer)
            rings.append(True)

    keeper = threading.Thread(target=live)
    keeper.start()
    try:
        yield rings
    finally:
        over.set()
        bell.ring()
        keeper.join(SECONDS)
        bell.close()


def test_what_is_asked_is_answered(tmp_path: Path) -> None:
    with answering(tmp_path):
        assert ask(tmp_path, "census", SECONDS) == {"asked": "census"}
    assert not (tmp_path / NAME).exists()


def test_who_rings_is_heard_and_needs_no_answer(tmp_path: Path) -> None:
    with answering(tmp_path) as rings:
        assert ring(tmp_path)
        assert ask(tmp_path, "after", SECONDS) == {"asked": "after"}
        assert rings


def test_nobody_at_home_is_no_error(tmp_path: Path) -> None:
    assert not ring(tmp_path)
    assert ask(tmp_path, "census", SECONDS) is None
    Doorbell(tmp_path)._socket.close()  # a dead owner's socket is there, and nobody listens
    assert not ring(tmp_path)


def test_a_path_of_any_length_will_do(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 200) / ("e" * 200)
    deep.mkdir(parents=True)
    with answering(deep):
        assert ask(deep, "far", SECONDS) == {"asked": "far"}


def test_the_socket_of_a_dead_owner_is_replaced(tmp_path: Path) -> None:
    Doorbell(tmp_path)._socket.close()
    with answering(tmp_path):
        assert ask(tmp_path, "x", SECONDS) == {"asked": "x"}


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_something_else_with_its_name_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / NAME
    {"file": path.touch, "folder": path.mkdir, "link": lambda: path.symlink_to("/tmp")}[kind]()
    with pytest.raises(OSError, match="something else has that name"):
        Doorbell(tmp_path)
    assert path.is_symlink() or path.exists()


def test_only_its_user_may_connect(tmp_path: Path) -> None:
    with answering(tmp_path):
        assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) & 0o077 == 0


@pytest.mark.parametrize("said", [b"", b"\n", b"no json\n", b"[1]\n", b"{", b"x" * 100_000])
def test_what_is_no_question_does_no_harm(tmp_path: Path, said: bytes) -> None:
    with answering(tmp_path):
        with socket.socket(socket.AF_UNIX) as client, doorbell._short(tmp_path) as address:
            client.connect(address)
            try:
                client.sendall(said)
                client.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it was hung up on
        assert ask(tmp_path, "next", SECONDS) == {"asked": "next"}


def test_a_client_that_says_nothing_holds_nobody_up_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbell, "DOOR_CLIENT_SECONDS_MAX", 0.05)
    with answering(tmp_path), socket.socket(socket.AF_UNIX) as mute:
        with doorbell._short(tmp_path) as address:
            mute.connect(address)
        assert ask(tmp_path, "x", SECONDS) == {"asked": "x"}


def test_an_answer_that_is_too_long_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbell, "DOOR_ANSWER_BYTES_MAX", 1_000)
    with answering(tmp_path, lambda what: {"a": "x" * 200_000}):
        assert ask(tmp_path, "x", SECONDS) is None


def test_an_owner_that_does_not_answer_is_waited_for_so_long(tmp_path: Path) -> None:
    bell = Doorbell(tmp_path)  # it listens, and nobody is at it, as in a process that is stopped
    assert ask(tmp_path, "x", 0.05) is None
    assert ring(tmp_path)
    bell.close()
    assert os.listdir(tmp_path) == []
