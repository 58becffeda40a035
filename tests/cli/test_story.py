"""The story of a run: events become lines, in order, and never more than one reads."""

from __future__ import annotations

import click
import pytest

from perdure.actors.events import Event
from perdure.cli.story import Story, event_form

NS = 1_000_000_000


def crashed(address: str = "/a/b", attempt: int = 1, time: int = NS) -> Event:
    about = ("Read(path='x.py')", "4.1", "ValueError: no", attempt, 3)
    return Event("crashed", time, address, *about)


def dead(address: str = "/a/b") -> Event:
    return crashed(address)._replace(kind="dead")


def restarted(address: str = "/a/b") -> Event:
    return Event("restarted", NS, address, count=4)


def told(story: Story, *events: Event) -> list[str]:
    return [click.unstyle(line) for event in events for line in story.tell(event)]


def end(story: Story) -> list[str]:
    return [click.unstyle(line) for line in story.end()]


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (crashed(), "crashed on Read('x.py'), attempt 1 of 3: ValueError: no"),
        (Event("start_failed", NS, "/a/b", reason="OSError: x"), "could not start: OSError: x"),
        (restarted(), "restarted (incarnation 4)"),
        (Event("stalled", NS, "/a/b", reason="no class"), "stalled: no class"),
        (
            Event("report", NS, "/a/b", reason="shutdown: c: reached_max_restart_intensity"),
            "gives up: c needed more restarts than are allowed",
        ),
        (
            Event("report", NS, "/a/b", reason="start_error: c: OSError: no disk"),
            "could not start c: OSError: no disk",
        ),
        (
            Event("report", NS, "/a/b", reason="shutdown_error: c: killed"),
            "c did not stop as asked: killed",
        ),
    ],
)
def test_an_event_is_told_in_a_line(event: Event, sentence: str) -> None:
    assert told(Story(0), event) == [f"00:01.00  /a/b  {sentence}"]


def test_of_a_stall_the_way_out_is_told_too_however_far_back_it_is() -> None:
    reason = f"{'recorded ' * 40}, then `perdure clear RUN /a/b --forget`."
    (line,) = told(Story(0), Event("stalled", NS, "/a/b", reason=reason))
    assert line.endswith("`perdure clear RUN /a/b --forget`.")


def test_time_is_told_since_the_start() -> None:
    assert told(Story(NS // 2), restarted())[0].startswith("00:00.50  ")


def test_a_dead_letter_is_told_with_the_restart_that_follows() -> None:
    *_, last = told(Story(0), crashed(attempt=3), dead(), restarted())
    assert last == "00:01.00  /a/b  restarted (incarnation 4); message 4.1 is now a dead letter"


def test_a_dead_letter_without_a_restart_is_told_before_what_follows() -> None:
    story = Story(0)
    lines = told(story, dead(), restarted("/a/c"), crashed())
    assert [line[16:] for line in lines] == [
        "restarted (incarnation 4)",
        "message 4.1 is now a dead letter: ValueError: no",
        "crashed on Read('x.py'), attempt 1 of 3: ValueError: no",
    ]
    assert end(story) == []


def test_a_dead_letter_at_the_very_end_is_told() -> None:
    story = Story(0)
    assert told(story, dead()) == []
    assert end(story) == ["00:01.00  /a/b  message 4.1 is now a dead letter: ValueError: no"]


def test_what_is_too_much_is_counted() -> None:
    story = Story(0, lines_max=2)
    lines = told(story, *[each for _ in range(5) for each in (crashed(), restarted())])
    assert len(lines) == 4
    assert end(story) == ["… and 3 more crashes", "… and 3 more restarts"]


def test_one_too_many_is_one() -> None:
    story = Story(0, lines_max=2)
    told(story, *[crashed()] * 3)
    assert end(story) == ["… and 1 more crash"]


def test_a_child_that_crashed_is_not_told_again_by_its_supervisor() -> None:
    report = Event("report", NS, "/a", reason="child_terminated: b: ValueError: no")
    assert told(Story(0), report) == []


def test_addresses_are_in_a_column() -> None:
    lines = told(Story(0), restarted("/a/long"), restarted("/a"))
    assert [line.index("restarted") for line in lines] == [19, 19]


def test_an_event_has_a_form_for_json() -> None:
    assert event_form(crashed(), NS) == {
        "event": "crashed",
        "seconds": 0.0,
        "address": "/a/b",
        "message": "Read(path='x.py')",
        "message_id": "4.1",
        "reason": "ValueError: no",
        "attempt": 1,
        "attempts_max": 3,
    }
    assert event_form(restarted(), 0)["incarnation"] == 4
    assert event_form(Event("artifact", 0, "", "a.txt", count=6), 0)["bytes"] == 6
