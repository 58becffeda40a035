"""What a hosted actor has in place of a thread."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pykka
import pytest
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from perdure.actors import hosted_inbox
from perdure.actors.futures import Future, forbid_blocking
from perdure.actors.hosted_inbox import Inbox, Latch
from perdure.errors import BlockingCall, Broken, InboxFull

SECONDS = 60.0  # for what must happen: long enough for any machine, never waited out


class Ready:
    """Stands in for a host: remembers what was submitted."""

    def __init__(self) -> None:
        self.submitted: list[Any] = []
        self.submit = self.submitted.append


def started_inbox() -> tuple[Inbox, Ready]:
    inbox, host = Inbox(), Ready()
    inbox.actor, inbox.host = "the actor", host  # type: ignore[assignment]
    return inbox, host


def test_messages_before_the_start_wait_and_make_nothing_ready() -> None:
    inbox, host = started_inbox()
    inbox.put(Envelope("early"))
    assert host.submitted == []
    assert not inbox.empty()


def test_an_idle_actor_is_made_ready_once_however_many_messages_come() -> None:
    inbox, host = started_inbox()
    inbox.release()
    for number in range(3):
        inbox.put(Envelope(number))
    assert host.submitted == ["the actor"]
    assert [inbox.get().message for _ in range(3)] == [0, 1, 2]
    assert inbox.empty()


def test_an_actor_that_is_released_with_messages_waiting_is_ready_again() -> None:
    inbox, host = started_inbox()
    inbox.put(Envelope("came while it ran"))
    inbox.release()
    assert host.submitted == ["the actor"]


def test_senders_that_race_make_an_idle_actor_ready_exactly_once() -> None:
    with ThreadPoolExecutor(4) as pool:
        for _ in range(200):
            inbox, host = started_inbox()
            inbox.release()
            start = threading.Barrier(4)

            def send(number: int, inbox: Inbox = inbox, start: Any = start) -> None:
                start.wait(SECONDS)
                inbox.put(Envelope(number))

            list(pool.map(send, range(4)))
            assert host.submitted == ["the actor"]
            assert len(inbox.queue) == 4


def test_a_sender_whose_token_another_took_leaves_it_at_that() -> None:
    class Snatched(list[None]):
        def __bool__(self) -> bool:
            return True  # as it looked before the other sender's pop

    inbox, host = started_inbox()
    inbox._idle = Snatched()
    inbox.put(Envelope("second"))
    assert host.submitted == []


def test_a_full_inbox_refuses_all_but_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosted_inbox, "INBOX_HARD_MAX", 2)
    inbox, _ = started_inbox()
    inbox.put(Envelope(1))
    inbox.put(Envelope(2))
    with pytest.raises(InboxFull, match=r"the inbox of the actor holds 2 of at most 2 messages"):
        inbox.put(Envelope(3))
    inbox.put(Envelope(_ActorStop()))
    assert len(inbox.queue) == 3


def test_closing_answers_what_waits_and_lets_go_of_the_actor() -> None:
    inbox, _ = started_inbox()
    answer: Future[Any] = Future()
    stop: Future[Any] = Future()
    inbox.put(Envelope("ask", reply_to=answer))
    inbox.put(Envelope("tell"))
    inbox.put(Envelope(_ActorStop(), reply_to=stop))
    inbox.close("Reader (1)")
    with pytest.raises(pykka.ActorDeadError, match=r"Reader \(1\) stopped before handling"):
        answer.get(timeout=0)
    assert stop.get(timeout=0) is None
    assert inbox.empty()
    assert inbox.actor is None


def test_what_reaches_a_closed_inbox_is_refused_at_once() -> None:
    inbox, _ = started_inbox()
    inbox.close("Reader (1)")
    answer: Future[Any] = Future()
    inbox.put(Envelope("ask", reply_to=answer))
    with pytest.raises(pykka.ActorDeadError):
        answer.get(timeout=0)
    with pytest.raises(pykka.ActorDeadError, match=r"Reader \(1\) not found"):
        inbox.put(Envelope("tell"))


def test_an_actor_that_never_started_cannot_be_made_ready() -> None:
    with pytest.raises(Broken):
        Inbox().submit()


def test_a_latch_wakes_all_who_wait() -> None:
    latch = Latch()
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(latch.wait, SECONDS) for _ in range(3)]
        assert not latch.is_set()
        latch.set()
        assert [w.result(SECONDS) for w in waiting] == [True] * 3
    assert latch.is_set()
    assert latch.wait()


def test_a_latch_that_nobody_sets_times_out() -> None:
    assert Latch().wait(0.001) is False


def test_a_latch_that_nobody_waits_for_makes_no_event() -> None:
    latch = Latch()
    latch.set()
    assert latch.wait()
    assert latch._event is None


def test_no_wait_hangs_that_races_with_the_set() -> None:
    with ThreadPoolExecutor(2) as pool:
        for _ in range(300):
            latch = Latch()
            start = threading.Barrier(2)

            def wait(latch: Latch = latch, start: Any = start) -> bool:
                start.wait(SECONDS)
                return latch.wait(SECONDS)

            waiting = pool.submit(wait)
            start.wait(SECONDS)
            latch.set()
            assert waiting.result(SECONDS)


def test_a_latch_stays_set() -> None:
    with pytest.raises(TypeError, match="start another"):
        Latch().clear()


def test_waiting_for_a_latch_on_an_actors_loop_is_refused() -> None:
    async def main() -> None:
        forbid_blocking()
        with pytest.raises(BlockingCall, match=r"actor_stopped\.wait\(\)"):
            Latch().wait()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, main()).result(SECONDS)
