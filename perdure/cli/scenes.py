"""A replayed turn for people and for programs: what it handled, what differs, how it crashed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from perdure.actors.replay.scene import Scene
from perdure.cli.say import labelled, paint
from perdure.cli.words import called, clipped
from perdure.ids import KERNEL_ID, MessageId
from perdure.ledger import records
from perdure.ledger.images import Image, apply, materialise
from perdure.ledger.jsonform import to_json
from perdure.ledger.records import Lane, Send
from perdure.runtime.document import shown

VALUE_CHARS_MAX = 400  # of a value that differs
ALIKE_CHARS = 60  # of a long one that are the same on both sides, before what differs
SENDS_SHOWN_MAX = 8
INDENT = 2


def title(scene: Scene) -> str:
    """Which turn it is."""
    body = scene.body
    message = f"message {MessageId(*body.message)} {called(scene.message)}"
    return f"record {scene.seq}: {scene.cell.address} on {message}"


def about(scene: Scene) -> str:
    """Which life and which try it was."""
    body = scene.body
    return f"{scene.kind}, incarnation {body.incarnation}, attempt {body.attempt}"


def place(scene: Scene) -> str:
    """The line of code that a turn ended at."""
    file, _, line = scene.where.rpartition(":")
    return f"{shown(Path(file))}:{line}"


def difference_lines(scene: Scene) -> Iterator[str]:
    """Where a turn differs from its record, both sides."""
    yield f"{paint('diverges', 'red', bold=True)} at {title(scene)}"
    yield labelled("turn", about(scene), INDENT)
    if scene.where:
        yield labelled("code", place(scene), INDENT)
    for each in scene.differences:
        yield f"  {paint(each.what, bold=True)}"
        if each.before is not None:
            yield f"    before    {clipped(each.before, VALUE_CHARS_MAX)}"
        recorded, replayed = from_where_they_part(each.recorded, each.replayed)
        yield f"    recorded  {paint(clipped(recorded, VALUE_CHARS_MAX), 'green')}"
        yield f"    replayed  {paint(clipped(replayed, VALUE_CHARS_MAX), 'red')}"


def from_where_they_part(one: str, other: str) -> tuple[str, str]:
    """Two texts that differ, without most of what they begin with alike, if that is long.

    >>> from_where_they_part("x" * 900 + "1", "x" * 900 + "2") == (
    ...     "…" + "x" * 60 + "1", "…" + "x" * 60 + "2"
    ... )
    True
    """
    shorter = min(len(one), len(other))
    alike = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    if alike < VALUE_CHARS_MAX // 2:
        return one, other
    start = alike - ALIKE_CHARS
    return f"…{one[start:]}", f"…{other[start:]}"


def crash_lines(scene: Scene, state: dict[str, str]) -> Iterator[str]:
    """A crash as it happened again: message, state before, steps, traceback."""
    yield f"{paint('crashed', 'red', bold=True)} at {title(scene)}"
    yield labelled("turn", about(scene), INDENT)
    yield labelled("state", "as it was when the turn began", INDENT)
    for name, value in state.items():
        yield f"    {paint(name, 'cyan')} = {clipped(value, VALUE_CHARS_MAX)}"
    if not state:
        yield "    nothing was committed yet"
    yield from _steps(scene)
    yield ""
    for line in scene.traceback.replace(f'File "{Path.cwd()}/', 'File "').splitlines():
        yield f"  {line}"


def state_of(scene: Scene) -> dict[str, str]:
    """The fields of the actor as the turn began."""
    return {name: _value(scene, image) for name, image in (scene.cell.images or {}).items()}


def changes_of(scene: Scene) -> list[tuple[str, str, str]]:
    """(field, before, after) of what a turn changed, as it is recorded."""
    delta = scene.body.delta if isinstance(scene.body, records.Turn) else ()
    names = dict.fromkeys(entry[0] for entry in delta)
    images = scene.cell.images or {}
    before = {name: images[name] for name in names if name in images}
    after = {name: image._replace(ops=list(image.ops)) for name, image in before.items()}
    apply(after, delta)
    sides = (before, after)
    return [(name, *(_value(scene, side.get(name)) for side in sides)) for name in names]


def _value(scene: Scene, image: Image | None) -> str:
    return "not there" if image is None else repr(materialise(image, scene.codec.decode))


def step_lines(scene: Scene, addresses: Any, policy: str) -> Iterator[str]:
    """A turn that is walked past: message, steps, state before and after, intents, its order."""
    body = scene.body
    yield paint(title(scene), bold=True)
    yield labelled("turn", about(scene), INDENT)
    yield labelled("order", _order(scene, policy), INDENT)
    yield from _steps(scene)
    for name, before, after in changes_of(scene):
        yield labelled("state", f"{paint(name, 'cyan')}: {clipped(before)}", INDENT)
        yield labelled("", f"{' ' * len(name)}→ {clipped(after)}", INDENT)
    if isinstance(body, records.Crash):
        yield labelled("crash", paint(clipped(body.reason), "red"), INDENT)
    for text in _intents(scene, addresses):
        yield labelled("intends", clipped(text), INDENT)
    if scene.skipped:
        yield labelled("skipped", paint(clipped(scene.skipped), "yellow"), INDENT)
    elif not scene.differences:
        yield labelled("replay", paint("the same as recorded", "green"), INDENT)


def _steps(scene: Scene) -> Iterator[str]:
    for key, outcome in scene.steps:
        yield labelled("step", f"{key} = {clipped(outcome)}", INDENT)


def _order(scene: Scene, policy: str) -> str:
    body = scene.body
    if isinstance(body, records.Crash):
        return "the head of its inbox, tried again until it is dead"
    if scene.kind != "receive":
        return "the control lane goes first"
    cost, seconds, index = body.sched
    return f"{policy}: index {index:.4g} = c {cost:g} / S {seconds:.3g} s, the greatest then ready"


def _intents(scene: Scene, addresses: Any) -> Iterator[str]:
    body, decode = scene.body, scene.codec.decode
    sends = [send for send in (Send(*wire) for wire in body.sends) if send.sender != KERNEL_ID]
    for send in sends[:SENDS_SHOWN_MAX]:
        verb = "tells" if send.lane == Lane.USER else "signals"
        to = send.dead[0] if send.dead else addresses(send.to)
        yield f"{verb} {to or 'the kernel'} {called(decode(send.body))}"
    if len(sends) > SENDS_SHOWN_MAX:
        yield f"and {len(sends) - SENDS_SHOWN_MAX:,} more messages"
    if isinstance(body, records.Turn):
        yield from (f"makes {path}, {size:,} bytes" for path, _, size in body.artifacts)
        if body.answer is not None:
            yield f"answers {decode(body.answer[2])!r}"
        if body.finish is not None:
            yield f"finishes the run with {decode(body.finish)!r}"
        if body.rejected is not None:
            yield f"rejects: {body.rejected}"


def scene_form(scene: Scene) -> dict[str, Any]:
    """A turn, for JSON."""
    form: dict[str, Any] = {
        "seq": scene.seq,
        "kind": "crash" if scene.is_crash else scene.kind,
        "actor": scene.cell.address,
        "message": str(MessageId(*scene.body.message)),
        "identical": not scene.differences and not scene.skipped,
    }
    if scene.skipped:
        form["skipped"] = scene.skipped
    if isinstance(scene.body, records.Crash):
        form["reason"] = scene.body.reason
    return form


def divergence_form(scene: Scene) -> dict[str, Any]:
    """Where a replay diverged, for JSON."""
    return {
        **scene_form(scene),
        "value": to_json(scene.message),
        "code": place(scene) if scene.where else None,
        "differences": [each._asdict() for each in scene.differences],
    }
