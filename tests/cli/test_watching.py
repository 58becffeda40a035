"""Watching: nothing is lost between the kernel's thread and the screen, and nothing holds it up."""

from __future__ import annotations

import json

import click
import pytest

from perdure.actors.events import Event
from perdure.cli import watching
from perdure.cli.progress import progress_line
from perdure.cli.say import columns, fitted, wrapped
from perdure.cli.watching import Watch
from perdure.limits import EVENTS_WAITING_MAX

FIGURES = {
    "turns": 1_200,
    "crashed": 1,
    "restarts": 0,
    "dead": 2,
    "tokens_spent": 50,
    "tokens_limit": 200,
    "waiting": 7,
}


def watched(*events: Event | str, as_json: bool = False) -> None:
    watch = Watch(lambda: 0, as_json=as_json)
    for event in events:
        if isinstance(event, str):
            watch.remark(event)
        else:
            watch(event)
    watch.start(lambda: FIGURES)
    watch.end()


def restarted(n: int) -> Event:
    return Event("restarted", 0, "/a", count=n)


def test_events_are_written_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    watched(restarted(2), restarted(3))
    out = capsys.readouterr().out
    assert [line[-2] for line in out.splitlines()] == ["2", "3"]


def test_remarks_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    watched("draining", restarted(2))
    out, err = capsys.readouterr()
    assert err == "perdure: draining\n"
    assert len(out.splitlines()) == 1


def test_with_json_every_event_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    watched(*(restarted(n) for n in range(100)), as_json=True)
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["incarnation"] for line in lines] == list(range(100))


def test_more_events_than_can_be_written_are_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "EVENTS_WAITING_MAX", 3)
    watched(*(restarted(n) for n in range(10)), as_json=True)
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert "7 events came faster than they could be written" in err
    assert EVENTS_WAITING_MAX > 3


def test_a_watch_that_never_started_ends_at_once() -> None:
    Watch(lambda: 0, as_json=False).end()


def test_progress_is_one_line() -> None:
    line = click.unstyle(progress_line(FIGURES, 3.5, 400.4))
    assert line.split("   ") == [
        f"{line[0]} 00:03",
        "1,200 turns  400/s",
        "7 ready",
        "1 crash",
        "2 dead letters",
        "tokens ━━━━━━━━━━ 25% of 200",
    ]


def test_progress_without_a_limit_has_no_bar() -> None:
    line = click.unstyle(progress_line({**FIGURES, "tokens_limit": None}, 0, 0))
    assert line.endswith("tokens 50")


def test_a_line_is_cut_to_a_terminal_and_keeps_its_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perdure.cli.say.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "8")
    red = click.style("0123456789", fg="red")
    assert fitted(red) == "\x1b[31m0123456\x1b[0m…"
    assert fitted("short") == "short"


def test_a_line_that_must_be_read_whole_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perdure.cli.say.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "10")
    red = click.style("stalled", fg="red")
    assert wrapped(f"{red}: what is to be done", 2) == [f"{red}:", "  what is", "  to be", "  done"]
    assert wrapped("averyveryverylongword", 2) == ["averyveryverylongword"]
    monkeypatch.setattr("perdure.cli.say.is_terminal", lambda: False)
    assert wrapped("what is to be done", 2) == ["what is to be done"]


def test_columns_are_as_wide_as_they_look() -> None:
    assert columns([[click.style("a", fg="red"), "b"], ["aaa", "b"]], gap=1, indent=0) == [
        "\x1b[31ma\x1b[0m   b",
        "aaa b",
    ]
