from __future__ import annotations

import pytest

from perdure.ledger.messages import Names
from perdure.ledger.values import Codec
from perdure.mailbox import control
from perdure.mailbox.control import KILLED, NORMAL, SHUTDOWN, Reason, crash, start_failed

NESTED = start_failed("s", start_failed("y", crash(OSError("no disk"))))


@pytest.mark.parametrize(
    "message",
    [
        control.Start(1),
        control.Start(2, NESTED),
        control.Stop(1, 5.0, SHUTDOWN),
        control.Stop(1, "brutal_kill", SHUTDOWN),
        control.Kill(3),
        control.Exit(7, 1, KILLED, counted=False),
        control.Started(7, 1),
        control.StartFailed(7, 1, NESTED),
        control.Ignored(7, 1),
        control.Stopped(7, 1, Reason("shutdown", "x")),
        control.TryAgain("reader"),
    ],
)
def test_a_control_message_comes_back_from_its_bytes_in_any_run(message: object) -> None:
    codec = Codec(Names.of())
    assert codec.decode(codec.encode(message)) == message


@pytest.mark.parametrize(
    ("reason", "abnormal", "text"),
    [
        (NORMAL, False, "normal"),
        (SHUTDOWN, False, "shutdown"),
        (Reason("shutdown", "drain"), False, "shutdown: drain"),
        (KILLED, True, "killed"),
        (crash(ValueError("no such page")), True, "ValueError: no such page"),
        (crash(ValueError()), True, "ValueError"),
        (
            NESTED,
            False,
            (
                "shutdown: failed to start child 's': "
                "shutdown: failed to start child 'y': OSError: no disk"
            ),
        ),
    ],
)
def test_a_reason_says_what_happened_and_whether_that_is_normal(
    reason: Reason, abnormal: bool, text: str
) -> None:
    assert reason.abnormal is abnormal
    assert str(reason) == text
