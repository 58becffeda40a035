"""The doorkeeper: a thread beside the kernel that reads the spool and answers at the socket."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, TimeoutError
from contextlib import contextmanager
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Any

from perdure.actors.census import census
from perdure.actors.doorbell import Doorbell
from perdure.ledger.spool import BadPost, Spool
from perdure.limits import (
    DOOR_CLIENT_SECONDS_MAX,
    DOOR_KERNEL_SECONDS_MAX,
    POST_UNFINISHED_SECONDS_MAX,
    POSTS_AT_ONCE,
    SPOOL_LOOK_SECONDS,
    SPOOL_REMARKS_MAX,
)

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

NS = 1_000_000_000
UP_LOOK_SECONDS = 0.1  # while a run starts


class Doorkeeper:
    """Hands the posts of the spool to the kernel, and unlinks each once it is durably done.

    It never waits for the kernel longer than a client would: what stalls the kernel is what people
    may want to know. A run in memory has none.
    """

    def __init__(
        self, kernel: Kernel, directory: Path | None, wall_ns: Callable[[], int] = time_ns
    ) -> None:
        self.kernel = kernel
        self.directory = directory
        self._wall_ns = wall_ns
        self._bell: Doorbell | None = None
        self._rung = kernel.machine.flag()  # for who has no bell
        self._handed: set[str] = set()  # names of posts that are with the kernel
        self._done: deque[str] = deque()  # names of posts that are durably done
        self._remarked: dict[str, str] = {}
        self._is_closing = False
        self._thread = kernel.machine.thread(self._live, "perdure-door")

    def start(self) -> None:
        """Begin to look; the run does not end before the spool was looked at once."""
        if self.directory is not None:
            self.kernel.door.has_more = True
            self._thread.start()

    def close(self) -> None:
        """Unlink what is done, take the socket away, end. From the kernel thread, at its end."""
        self._is_closing = True
        if self._thread.ident is not None:
            self._ring()
            self._thread.join(2 * DOOR_CLIENT_SECONDS_MAX)

    def _ring(self) -> None:
        self._rung.set()
        if self._bell is not None:
            self._bell.ring()

    # --- the thread

    def _live(self) -> None:
        is_up = self.kernel.outside.is_up
        try:
            while not is_up.wait(UP_LOOK_SECONDS):  # before, nobody is there to be told anything
                self._open_bell()
                if self._bell is not None:
                    self._bell.wait(UP_LOOK_SECONDS, self.answer)
            self._open_bell()
            while not self._is_closing and not self.kernel.ended.is_set():
                self._look()
                if self._bell is None:
                    self._rung.wait(SPOOL_LOOK_SECONDS)
                    self._rung.clear()
                else:
                    self._bell.wait(SPOOL_LOOK_SECONDS, self.answer)
        except Exception as error:  # noqa: BLE001 - posts that nobody looks at would be lost
            self.kernel.on_kernel(self.kernel.ending.fail, error)
        finally:
            self._guarded(self._unlink_done)
            if self._bell is not None:
                self._bell.close()

    def _open_bell(self) -> None:
        if self._bell is not None or self.directory is None or self.kernel.ending.has_begun:
            return
        try:
            self._bell = Doorbell(self.directory)
        except OSError as error:
            text = f"no socket ({error.strerror or error}): posts are found within a second"
            self._remark("door", text)
        if self._is_closing:
            self._ring()  # it was closed while there was no bell

    def _look(self) -> None:
        """Hand over what is in the spool, and clear away what is done."""
        self._guarded(self._unlink_done)
        if self.kernel.ending.has_begun:
            return  # the next process takes the rest
        had_more, more = self.kernel.door.has_more, False
        try:
            more = self._hand_over()
        except OSError as error:
            self._remark("ingress", f"the spool cannot be read: {error.strerror or error}")
        self.kernel.door.has_more = more
        if had_more and not more:
            self.kernel.on_kernel(self.kernel.door.looked)

    def _hand_over(self) -> bool:
        """Hand over as many posts as may be on their way at once; whether there are more."""
        with self._opened() as spool:
            if spool is None:
                return False
            listing = spool.look()
            for name in listing.foreign:
                self._remark(name, "no name of a post: it is left alone")
            for name in listing.unfinished:
                self._sweep(spool, name)
            for name in listing.posts:
                if name in self._handed:
                    continue
                if len(self._handed) >= POSTS_AT_ONCE:
                    return True
                self._hand(spool, name)
        return False

    @contextmanager
    def _opened(self) -> Iterator[Spool | None]:
        """The spool as it is now: opened for each look, for somebody may have put another there."""
        spool = None if self.directory is None else Spool.open(self.directory)
        try:
            yield spool
        finally:
            if spool is not None:
                spool.close()

    def _hand(self, spool: Spool, name: str) -> None:
        try:
            post = spool.read(name)
        except BadPost as bad:
            self._set_aside(spool, name, str(bad))
            return
        if post is None:
            return  # its poster took it back
        self._handed.add(name)
        self.kernel.door.hand(post, lambda: self._is_done(name))

    def _is_done(self, name: str) -> None:
        """For the kernel thread: a post may be unlinked."""
        self._done.append(name)
        self._ring()

    def _unlink_done(self) -> None:
        if not self._done:
            return
        with self._opened() as spool:
            while self._done:
                if spool is not None:  # else the file is gone with its folder
                    spool.unlink(self._done[0])
                self._handed.discard(self._done.popleft())

    def _set_aside(self, spool: Spool, name: str, why: str) -> None:
        try:
            spool.set_aside(name)
        except OSError as error:
            self._remark(name, f"{why}; and it cannot be moved away: {error.strerror}")
        else:
            self._remark(name, f"{why}: moved to ingress/refused")

    def _sweep(self, spool: Spool, name: str) -> None:
        """Remove a file whose poster died before it was finished."""
        written_ns = spool.written_ns(name)
        if written_ns is None:
            return
        if self._wall_ns() - written_ns > POST_UNFINISHED_SECONDS_MAX * NS:
            self._guarded(lambda: spool.unlink(name))
            self._remark(name, "its poster died before it was finished: removed")

    def _guarded(self, act: Callable[[], object]) -> None:
        """Do what the file system may refuse; the next look tries again."""
        try:
            act()
        except OSError as error:
            self._remark("ingress", f"the spool cannot be cleared: {error.strerror or error}")

    def _remark(self, name: str, text: str) -> None:
        """Say something, and say it once."""
        if self._remarked.get(name) == text or len(self._remarked) >= SPOOL_REMARKS_MAX:
            return
        self._remarked[name] = text
        self.kernel.on_kernel(self.kernel.door.remark, name, text)

    # --- answers

    def answer(self, what: str) -> Mapping[str, Any]:
        """What another process asks, answered by the kernel between two turns.

        When something holds the kernel, it is looked at from here: then this is what to know.
        """
        if what != "census":
            return {"error": f"nobody here knows what {what!r} is. It knows census, ring."}
        found: Future[Mapping[str, Any]] = Future()

        def look() -> None:
            if found.set_running_or_notify_cancel():
                found.set_result(taken(is_stuck=False))

        def taken(is_stuck: bool) -> Mapping[str, Any]:
            try:
                return census(self.kernel, is_stuck=is_stuck)
            except Exception as error:  # noqa: BLE001 - a question must not end a run
                return {"error": f"{type(error).__name__}: {error}"}

        if self.kernel.on_kernel(look):
            try:
                return found.result(DOOR_KERNEL_SECONDS_MAX)
            except TimeoutError:
                found.cancel()
        return taken(is_stuck=True)
