"""The control lane: in order, each message decoded once, what presses found without the others."""

from __future__ import annotations

from typing import Any

import pytest

from perdure.actors.controllane import ControlLane
from perdure.ledger.values import Codec
from perdure.mailbox.control import NORMAL, Kill, Start, Started, Stop
from perdure.mailbox.envelope import Envelope


class Reading(Codec):
    """Counts what it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def decode(self, data: bytes) -> Any:
        self.read += 1
        return super().decode(data)


def lane_of(codec: Codec, *messages: object) -> tuple[ControlLane, list[Envelope]]:
    lane = ControlLane()
    envs = [Envelope(1, codec.encode(message), "x", lane=0) for message in messages]
    for env in envs:
        lane.append(env)
    return lane, envs


def test_messages_stay_in_order_whichever_is_taken_out() -> None:
    codec = Codec()
    lane, envs = lane_of(codec, Started(2, 1), Started(3, 1), Started(4, 1))
    lane.remove(envs[1])
    assert list(lane) == [envs[0], envs[2]]
    assert list(lane.read(codec)) == [(envs[0], Started(2, 1)), (envs[2], Started(4, 1))]


def test_a_message_is_decoded_once_however_often_the_lane_is_looked_at() -> None:
    codec = Reading()
    lane, envs = lane_of(codec, *(Started(child, 1) for child in range(100)))
    for env in envs:
        assert next(iter(lane.read(codec)))[0] is env
        lane.remove(env)
    assert (codec.read, len(lane)) == (100, 0)


def test_what_was_taken_out_unread_is_not_decoded() -> None:
    codec = Reading()
    lane, (start, kill) = lane_of(codec, Start(1), Kill(1))
    lane.remove(start)
    lane.read(codec)
    assert lane.pressing == {kill: Kill(1)}
    assert codec.read == 1


def test_what_presses_is_found_apart_until_it_is_taken_out() -> None:
    codec = Codec()
    stop = Stop(1, 5.0, NORMAL)
    lane, envs = lane_of(codec, Started(2, 1), stop, Started(3, 1), Kill(1))
    lane.read(codec)
    assert list(lane.pressing.items()) == [(envs[1], stop), (envs[3], Kill(1))]
    lane.remove(envs[1])
    assert list(lane.pressing) == [envs[3]]


def test_newer_code_reads_again_what_waits() -> None:
    codec, newer = Reading(), Reading()
    lane, _ = lane_of(codec, Started(2, 1), Kill(1))
    lane.read(codec)
    lane.read(newer)
    assert (codec.read, newer.read) == (2, 2)
    assert list(lane.pressing.values()) == [Kill(1)]


def test_a_message_that_is_not_there_cannot_be_taken_out() -> None:
    codec = Codec()
    lane, (env,) = lane_of(codec, Kill(1))
    lane.remove(env)
    with pytest.raises(KeyError):
        lane.remove(env)
