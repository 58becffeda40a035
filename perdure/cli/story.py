"""What happens in a run, told in lines as it happens, and never so many that none is read; pure."""

from __future__ import annotations

from collections import Counter

from perdure.actors.events import Event
from perdure.cli.say import paint
from perdure.cli.words import brief, clipped, clock, count
from perdure.limits import EVENT_LINES_MAX

ADDRESS_COLUMNS_MAX = 32
STALLED_CHARS_MAX = 1_000  # both calls and the verbs that repair it
WHOLE = ("stalled",)
"""Kinds whose lines are wrapped where others are cut."""

NOUNS = {
    "crashed": ("crash", "crashes"),
    "start_failed": ("failed start", "failed starts"),
    "restarted": ("restart", "restarts"),
    "dead": ("dead letter", "dead letters"),
    "stalled": ("stalled actor", "stalled actors"),
    "report": ("report", "reports"),
    "reloaded": ("reload", "reloads"),
    "refused": ("refused reload", "refused reloads"),
    "kept": ("actor on old code", "actors on old code"),
    "ingress": ("remark on posts", "remarks on posts"),
    "reader": ("remark on readers", "remarks on readers"),
    "housekeeping": ("remark on old history", "remarks on old history"),
}
SILENT = ("artifact",)
"""Kinds that the summary tells of."""


class Story:
    """Turns events into lines; `start_ns` is the ledger time that counts as 00:00.00.

    >>> story = Story(0)
    >>> import click
    >>> told = story.tell(Event("restarted", 20_000_000, "/a/b", count=2))
    >>> [click.unstyle(line) for line in told]
    ['00:00.02  /a/b  restarted (incarnation 2)']
    """

    def __init__(self, start_ns: int, lines_max: int = EVENT_LINES_MAX) -> None:
        self._start_ns = start_ns
        self._lines_max = lines_max
        self._told: Counter[str] = Counter()
        self._columns = 0
        self._dead: dict[str, Event] = {}  # until the restart that follows is told with them

    def tell(self, event: Event) -> list[str]:
        """The lines for one more event: none, or one, or also one that was held back."""
        if event.kind in SILENT or event.reason.startswith("child_terminated: "):
            return []  # the crash itself was told
        letter = self._dead.pop(event.address, None)
        if event.kind == "dead" and event.limit:  # else it had no attempt that failed
            self._dead[event.address] = event
            return [] if letter is None else self._line(letter, _sentence(letter))
        if letter is None:
            return self._line(event, _sentence(event))
        if event.kind == "restarted":
            became = f"message {letter.message_id} is now a dead letter"
            return self._line(event, f"{_sentence(event)}; {paint(became, 'red')}", letter.kind)
        return self._line(letter, _sentence(letter)) + self._line(event, _sentence(event))

    def end(self) -> list[str]:
        """What is left to tell: how much was not."""
        held, self._dead = list(self._dead.values()), {}
        lines = [line for letter in held for line in self._line(letter, _sentence(letter))]
        for kind, told in self._told.items():
            if told > self._lines_max:
                more = count(
                    told - self._lines_max, "more " + NOUNS[kind][0], "more " + NOUNS[kind][1]
                )
                lines.append(paint(f"… and {more}", dim=True))
        return lines

    def _line(self, event: Event, sentence: str, kind: str = "") -> list[str]:
        """The line, unless there were as many of its kind as are told."""
        kinds = {event.kind, kind} - {""}
        self._told.update(kinds)
        if all(self._told[each] > self._lines_max for each in kinds):
            return []
        self._columns = max(self._columns, min(len(event.address), ADDRESS_COLUMNS_MAX))
        time = paint(clock(event.time - self._start_ns), dim=True)
        return [f"{time}  {event.address:<{self._columns}}  {sentence}"]


def _sentence(event: Event) -> str:
    reason = clipped(event.reason)
    match event.kind:
        case "crashed":
            attempt = f"attempt {event.count} of {event.limit}"
            return f"{paint('crashed', 'red')} on {brief(event.message)}, {attempt}: {reason}"
        case "start_failed":
            return f"{paint('could not start', 'red')}: {reason}"
        case "restarted":
            return f"{paint('restarted', 'yellow')} (incarnation {event.count})"
        case "dead":
            return f"{paint(f'message {event.message_id} is now a dead letter', 'red')}: {reason}"
        case "stalled":
            whole = clipped(event.reason, STALLED_CHARS_MAX)  # the way out is at its end
            return f"{paint('stalled', 'red')}: {whole}"
        case "reloaded":
            return f"{paint('new code', 'green')}: {reason}"
        case "refused":
            return f"{paint('the new code is refused', 'red')}: {reason}"
        case "kept":
            return f"{paint('keeps the old code', 'yellow')}: {reason}"
        case _:
            return _report(reason)


def _report(text: str) -> str:
    """What a supervisor reports, in words."""
    context, _, rest = text.partition(": ")
    child, _, reason = rest.partition(": ")
    if context == "shutdown":
        is_beyond = reason == "escalated"  # the last rung of its ladder
        why = "is beyond restarts" if is_beyond else "needed more restarts than are allowed"
        return f"{paint('gives up', 'red')}: {child} {why}"
    if context == "start_error":
        return f"could not start {child}: {reason}"
    if context == "shutdown_error":
        return f"{child} did not stop as asked: {reason}"
    return text


def event_form(event: Event, start_ns: int) -> dict[str, object]:
    """An event, for JSON; `seconds` are since the start."""
    form: dict[str, object] = {
        "event": event.kind,
        "seconds": round((event.time - start_ns) / 1e9, 6),
        "address": event.address,
    }
    for key in ("message", "message_id", "reason"):
        if getattr(event, key):
            form[key] = getattr(event, key)
    if event.kind == "restarted":
        form["incarnation"] = event.count
    elif event.kind == "artifact":
        form["bytes"] = event.count
    elif event.limit:
        form |= {"attempt": event.count, "attempts_max": event.limit}
    return form
