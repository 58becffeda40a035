"""The socket beside a ledger: other processes ring there, and ask what only the owner knows.

One line of JSON comes in, one goes out. It is a convenience: without it the owner finds posts when
it looks next, and whoever asks has the ledger.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import selectors
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from perdure.limits import (
    DOOR_ANSWER_BYTES_MAX,
    DOOR_CLIENT_SECONDS_MAX,
    DOOR_CLIENTS_MAX,
    DOOR_REQUEST_BYTES_MAX,
)

NAME = "door"
PATH_BYTES_MAX = 100  # of a socket's address: systems take 104 or 108, the last a NUL
RING = "ring"
ACCEPT_PAUSE_SECONDS = 0.05

Answer = Callable[[str], Mapping[str, Any]]
"""What is asked -> what is answered. Must not raise, and must not take long."""


class Doorbell:
    """The owner's end: `wait` answers whoever asks, until somebody rings or time is up.

    Raises `OSError` when there can be no socket in that directory.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_out, False)
        try:
            self._socket = _bound(directory)
        except BaseException:
            os.close(self._wake_in)
            os.close(self._wake_out)
            raise
        self._selector = selectors.DefaultSelector()  # select() knows no descriptor past 1,023
        for end in (self._socket, self._wake_in):
            self._selector.register(end, selectors.EVENT_READ)

    def ring(self) -> None:
        """Have `wait` return; from any thread."""
        with contextlib.suppress(BlockingIOError, OSError):  # full: it was rung already
            os.write(self._wake_out, b"!")

    def wait(self, seconds: float, answer: Answer) -> None:
        """Answer what is asked until somebody rings, at most that long."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            ready = [key.fileobj for key, _ in self._selector.select(left)]
            if self._wake_in in ready:
                os.read(self._wake_in, 4_096)
                return
            if self._socket in ready and self._serve(answer):
                return

    def close(self) -> None:
        """Take the socket away."""
        self._selector.close()
        self._socket.close()
        os.close(self._wake_in)
        os.close(self._wake_out)
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _serve(self, answer: Answer) -> bool:
        """Hear one client out; True if it only rang."""
        try:
            client, _ = self._socket.accept()
        except BlockingIOError:  # it has gone already
            return False
        except OSError:  # too many files are open: it waits, and knocks again
            sleep(ACCEPT_PAUSE_SECONDS)
            return False
        with client, contextlib.suppress(OSError):  # it is slow, or gone: that is its loss
            client.settimeout(DOOR_CLIENT_SECONDS_MAX)
            asked = _heard(client, DOOR_REQUEST_BYTES_MAX)
            if asked.get("ask") == RING:
                return True
            said = json.dumps(answer(str(asked.get("ask")))).encode() + b"\n"
            client.sendall(said)
        return False


def ring(directory: Path) -> bool:
    """Tell the owner of a run that there is a post; whether somebody heard it."""
    return _speak(directory, RING, DOOR_CLIENT_SECONDS_MAX, hears=False) is not None


def ask(directory: Path, what: str, seconds: float) -> dict[str, Any] | None:
    """What the owner of a run answers; None if it does not within that time."""
    return _speak(directory, what, seconds, hears=True) or None


def _speak(directory: Path, what: str, seconds: float, *, hears: bool) -> dict[str, Any] | None:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(seconds)
            with _short(directory) as address:
                client.connect(address)
            client.sendall(json.dumps({"ask": what}).encode() + b"\n")
            return _heard(client, DOOR_ANSWER_BYTES_MAX, seconds) if hears else {}
    except OSError:
        return None


def _heard(
    end: socket.socket, bytes_max: int, seconds: float = DOOR_CLIENT_SECONDS_MAX
) -> dict[str, Any]:
    """The object on the line that comes; nothing of what is none, or too long, or too slow."""
    data, until = bytearray(), monotonic() + seconds
    while not data.endswith(b"\n") and len(data) <= bytes_max:
        end.settimeout(max(until - monotonic(), 0.001))
        some = end.recv(65_536)
        if not some:
            break
        data += some
    try:
        form = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return form if isinstance(form, dict) else {}


def _bound(directory: Path) -> socket.socket:
    """A socket at the run's `door`; one that a dead owner left is replaced, anything else stays."""
    path = directory / NAME
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.EEXIST, "something else has that name", str(path))
        path.unlink()
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(end.fileno(), 0o600)
        with _short(directory) as address:
            end.bind(address)
        end.listen(DOOR_CLIENTS_MAX)
        end.setblocking(False)
    except BaseException:
        end.close()
        raise
    return end


@contextmanager
def _short(directory: Path) -> Iterator[str]:
    """An address of the socket that is short enough, however long the path of the run is."""
    plain = str(directory / NAME)
    if len(os.fsencode(plain)) <= PATH_BYTES_MAX:
        yield plain
        return
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{fd}/{NAME}"  # where there is no /proc, there is no socket
    finally:
        os.close(fd)
