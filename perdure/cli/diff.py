"""`perdure diff RUN A B`: what changed between two points of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from perdure.cli.options import json_option, name_of, run_argument, view_of
from perdure.cli.say import fitted, labelled, note, paint, say, write_answer
from perdure.cli.words import clipped, clock, count
from perdure.ledger.jsondiff import ABSENT, Difference

if TYPE_CHECKING:
    from perdure.runtime.compare import ActorChange, Changes
    from perdure.runtime.view import View

FIELDS_SHOWN_MAX = 20  # differing parts of one actor; past it they are counted
LETTERS_SHOWN_MAX = 10
VALUE_CHARS_MAX = 60
OWN = "perdure."
"""How the classes of supervisors begin: what their fields hold is told in other words."""


@click.command("diff")
@run_argument
@click.argument("first", metavar="A")
@click.argument("last", metavar="[B]", required=False)
@click.option("--with", "other", metavar="OTHER", help="B is a point of this run, say a fork.")
@click.option("--actor", metavar="ADDRESS", help="Only what changed of this actor.")
@json_option
def command(
    run: str, first: str, last: str | None, other: str | None, actor: str | None, as_json: bool
) -> None:
    """Show what changed in RUN between the points A and B; without B, up to the end.

    A point is a record's number, a time or a mark, as for `perdure state --at`. What is told: who
    was born, crashed, restarted or ended; the fields that differ, part by part; how many more or
    fewer messages wait; dead letters, tokens, artifacts, marks, the run's status.

    With --with, B is a point of another run: how does a fork at B differ from its parent at A?
    Numbers are those of B less those of A, counted from where the two parted.
    """
    with ExitStack() as open_views:
        view: View = open_views.enter_context(view_of(run))
        from perdure.runtime.compare import Changes
        from perdure.runtime.history import find_at
        from perdure.runtime.home import find_run
        from perdure.runtime.points import point

        beside: View | None = None
        if other is not None and not (view.directory and find_run(other).samefile(view.directory)):
            beside = open_views.enter_context(view_of(other))
        later = beside or view
        end = later.head.seq if last is None else point(later, last)
        found = Changes(view, point(view, first), end, beside)
        if actor is None:
            actors = found.actors()
        else:
            change = found.actor(find_at(later, actor, end))
            actors = iter(() if change is None else (change,))
        if as_json:
            changed = [_actor_form(each) for each in actors]
            write_answer({**_run_form(found), "actors": changed})
            return
        _say(found, actors, whole=actor is None)


def _say(found: Changes, actors: Iterator[ActorChange], *, whole: bool) -> None:
    said = False
    is_one = found.before.view is found.after.view
    sides = (("from", found.before), ("to", found.after))
    for (label, side), name in zip(sides, _names(found), strict=True):
        since = clock(side.view.record(side.last).body.time - side.view.run.time)
        where = "" if is_one else f"{name}, "
        say(labelled(label, f"{where}record {side.last}, {since}"))
    if not is_one:
        say(labelled("shared", count(found.shared, "record")))
    for change in actors:
        lines = list(_actor_lines(change))
        said = said or bool(lines)
        if lines:
            say()
        for line in lines:
            say(fitted(line))
    rest = list(_rest(found)) if whole else []
    if rest:
        say()
        for line in rest:
            say(fitted(line))
    if not said and not rest:
        note("nothing changed" if is_one else "nothing differs")


def _actor_lines(change: ActorChange) -> Iterator[str]:
    about = [paint("born", "green")] if change.is_born else []
    about += [paint("gone", "red")] if change.is_gone else []
    about += [] if change.life is None else [f"{change.life}, incarnation {change.incarnation}"]
    about += [count(change.turns, "turn")] if change.turns else []
    about += [paint(count(change.crashes, "crash", "crashes"), "red")] if change.crashes else []
    about += [count(change.restarts, "restart")] if change.restarts else []
    about += [f"{change.inbox:+,} waiting"] if change.inbox else []
    is_own = change.class_name.startswith(OWN)
    if is_own and not about:
        return
    yield f"{paint(change.address, bold=True)}   {change.class_name}   {'   '.join(about)}".rstrip()
    if is_own:
        return
    for difference in change.fields[:FIELDS_SHOWN_MAX]:
        yield f"  {_difference(difference)}"
    if len(change.fields) > FIELDS_SHOWN_MAX:
        left = len(change.fields) - FIELDS_SHOWN_MAX
        yield paint(f"  … and {count(left, 'more part differs', 'more parts differ')}", dim=True)


def _difference(difference: Difference) -> str:
    path = paint(difference.path, "cyan")
    if difference.before is ABSENT:
        return f"{path} {paint('+', 'green')} {_value(difference.after)}"
    if difference.after is ABSENT:
        return f"{path} {paint('-', 'red')} {_value(difference.before)}"
    return f"{path} = {_value(difference.before)} → {_value(difference.after)}"


def _value(form: Any) -> str:
    return clipped(json.dumps(form, ensure_ascii=False), VALUE_CHARS_MAX)


def _rest(found: Changes) -> Iterator[str]:
    """What changed of the run as a whole."""
    span = found.after.span
    if found.timers:
        yield labelled("timers", f"{found.timers:+,}")
    if found.spent or found.reserved:
        yield labelled("tokens", f"{found.spent:+,} spent, {found.reserved:+,} reserved")
    for label, side in (("dead", found.after), ("not dead", found.before)):
        dead = found.dead_letters(side)
        for number, (id, (to, reason)) in enumerate(list(dead.items())[:LETTERS_SHOWN_MAX]):
            yield labelled("" if number else label, f"{id} to {to}: {clipped(reason)}")
        if len(dead) > LETTERS_SHOWN_MAX:
            yield labelled("", f"… and {len(dead) - LETTERS_SHOWN_MAX:,} more")
    if span.requeued:
        yield labelled("requeued", " ".join(f"{seq}.{i}" for seq, i in sorted(span.requeued)))
    for number, path in enumerate(found.artifacts()):
        yield labelled("" if number else "artifact", path)
    for number, (name, seq) in enumerate(span.marks.items()):
        yield labelled("" if number else "mark", f"{name}, record {seq}")
    if span.status is not None:
        yield labelled("status", f"{span.status.status} {clipped(span.status.reason)}".rstrip())


def _names(found: Changes) -> list[str]:
    """The names of the two runs."""
    directories = (side.view.directory for side in (found.before, found.after))
    return ["" if each is None else name_of(each) for each in directories]


def _run_form(found: Changes) -> dict[str, Any]:
    """The runs as a whole, for JSON."""
    span, runs = found.after.span, _names(found)
    letters = [
        [
            {"id": str(id), "to": to, "reason": reason}
            for id, (to, reason) in found.dead_letters(side).items()
        ]
        for side in (found.after, found.before)
    ]
    return {
        "run": runs[0],
        "with": runs[1] if runs[1] != runs[0] else None,
        "shared": found.shared,
        "first": found.before.last,
        "last": found.after.last,
        "timers": found.timers,
        "tokens": {"spent": found.spent, "reserved": found.reserved},
        "dead_letters": letters[0],
        "dead_letters_gone": letters[1],
        "requeued": [f"{seq}.{index}" for seq, index in sorted(span.requeued)],
        "artifacts": found.artifacts(),
        "marks": dict(span.marks),
        "status": None if span.status is None else span.status.status,
    }


def _actor_form(change: ActorChange) -> dict[str, Any]:
    """One actor, for JSON; a part that was not there has no `before`, one that went no `after`."""
    form = change._asdict()
    form["class"] = form.pop("class_name")
    form |= {"born": form.pop("is_born"), "gone": form.pop("is_gone")}
    form["fields"] = [
        {"path": path}
        | ({} if before is ABSENT else {"before": before})
        | ({} if after is ABSENT else {"after": after})
        for path, before, after in change.fields
    ]
    return form
