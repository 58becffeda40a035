"""`perdure show RUN`: what a run is and how it stands."""

from __future__ import annotations

from typing import Any

import click

from perdure.cli.options import json_option, name_of, run_argument, view_of
from perdure.cli.say import fitted, labelled, say, write_answer
from perdure.cli.summary import summary_form, summary_lines
from perdure.cli.words import clock, count, moment, written
from perdure.ledger.compacted import base_row
from perdure.ledger.keys import Table, mark_id
from perdure.ledger.readers import Reader
from perdure.ledger.rows import BaseRow
from perdure.limits import READER_BEHIND_GROUPS
from perdure.runtime.document import shown
from perdure.runtime.oldcode import read_code
from perdure.runtime.origin import read_origin
from perdure.runtime.view import View

CODES_SHOWN_MAX = 10
SCOPE_SHOWN_MAX = 3


@click.command("show")
@run_argument
@json_option
def command(run: str, as_json: bool) -> None:
    """Show what RUN is: scenario, goal, seed, settings; and how it stands: tree, figures."""
    with view_of(run) as view:
        if as_json:
            write_answer({**_header(view), **_origin(view), **summary_form(view, view.directory)})
            return
        for line in (*_lines(view), *summary_lines(view, view.directory)):
            say(fitted(line))


def _lines(view: View) -> list[str]:
    header, head = view.run, view.head
    directory = view.directory
    name = "" if directory is None else f"{name_of(directory)}   ledger {shown(directory)}"
    lasted = clock(head.time_ns - header.time)
    lines = [
        labelled("run", name),
        labelled("id", header.run_id.hex()),
        labelled("scenario", f"{header.scenario}   {header.directory}"),
        labelled("goal", header.goal),
        labelled("began", f"{moment(header.time)}   {count(head.seq, 'record')} over {lasted}"),
        labelled("seed", str(header.seed)),
        labelled("limits", _level(view)),
    ]
    fork = view.lineage.fork
    if fork is not None:
        at, parent = fork.pasts[-1]
        state = "held: it may only read" if fork.held else "live"
        lines.append(labelled("fork", f"of {parent.hex()} at record {at:,}   {state}"))
        new = f"{count(head.seq - at, 'record')} after it, in which calls are new"
        lines.append(labelled("", new))
    origin = None if directory is None else read_origin(directory)
    if origin is not None:
        lines.append(labelled("copy", f"of {origin.of} as of record {origin.seq:,}"))
    lines += [*_past(view), *_code(view)]
    lines += [labelled("reader", _lingers(each)) for each in _lingering(view)]
    if header.settings:
        pairs = (f"{key}={written(value)}" for key, value in header.settings.items())
        lines.append(labelled("settings", "   ".join(pairs)))
    return [line for line in lines if line.strip()]


def _level(view: View) -> str:
    """The durability level that the run is at, or was at last."""
    now, first = read_code(view.store).durability, view.run.durability
    return f"durability {now}" if now == first else f"durability {now}, at first {first}"


def _past(view: View) -> list[str]:
    """Up to where it was compacted, if it was, and which marks before that can still be used."""
    row = base_row(view.store)
    if row is None:
        return []
    lines = [labelled("compacted", f" up to record {row.at:,}")]
    marks = _usable(view, row)
    if marks:
        lines.append(labelled("marks", f"{', '.join(marks)} can still be gone back to"))
    return lines


def _usable(view: View, row: BaseRow) -> list[str]:
    bases = {at for at, _ in row.bases}
    found = view.store.scan(bytes([Table.MARK]))
    marks = {mark_id(key)[1]: int.from_bytes(seq, "big") for key, seq in found}
    return sorted((name for name in marks if marks[name] in bases), key=lambda name: marks[name])


def _compacted(view: View) -> dict[str, object]:
    """Up to where it was compacted, for JSON; nothing for any other run."""
    row = base_row(view.store)
    return {} if row is None else {"compacted": {"at": row.at, "marks": _usable(view, row)}}


def _lingering(view: View) -> list[Reader]:
    """Who keeps the file from using its pages again."""
    return [each for each in view.store.readers() if each.behind >= READER_BEHIND_GROUPS]


def _lingers(reader: Reader) -> str:
    behind = count(reader.behind, "group")
    return f"process {reader.pid} reads since {behind} ago: the file grows until it ends"


def _code(view: View) -> list[str]:
    """Which code it ran, if it was not the same all along."""
    versions = code_versions(view)
    if len(versions) < 2:
        return []
    lines: list[str] = []
    for version in versions[-CODES_SHOWN_MAX:]:
        scope = version["scope"]
        whom = f", for {', '.join(scope[:SCOPE_SHOWN_MAX])}" if scope else ""
        text = f"{version['code'][:12]} from record {version['seq']:,} on{whom}"
        lines.append(labelled("" if lines else "code", text))
    if len(versions) > CODES_SHOWN_MAX:
        lines.insert(0, labelled("code", f"{len(versions) - CODES_SHOWN_MAX:,} before these"))
    return lines


def code_versions(view: View) -> list[dict[str, Any]]:
    """The code that the run ran, whenever it was other code, or some were reloaded."""
    found: list[dict[str, Any]] = []
    for seq, digest, scope in read_code(view.store).versions:
        code = digest.hex()
        if not found or scope or found[-1]["scope"] or found[-1]["code"] != code:
            whom = [view.actor(id).address for id in scope]
            found.append({"seq": seq, "code": code, "scope": whom})
    return found


def _fork(view: View) -> dict[str, object]:
    """Of which run it is a fork, and where; nothing for any other run."""
    fork = view.lineage.fork
    if fork is None:
        return {}
    pasts = [{"run_id": id.hex(), "last": last} for last, id in fork.pasts]
    return {"fork": {"at": fork.pasts[-1][0], "held": fork.held, "parents": pasts}}


def _origin(view: View) -> dict[str, object]:
    """What it is a copy of; nothing for any other run."""
    origin = None if view.directory is None else read_origin(view.directory)
    return {} if origin is None else {"copy_of": origin.of, "copied_at": origin.seq}


def _header(view: View) -> dict[str, object]:
    header = view.run
    return {
        "run_id": header.run_id.hex(),
        "scenario": header.scenario,
        "goal": header.goal,
        "seed": header.seed,
        "settings": dict(header.settings),
        **_fork(view),
        **_compacted(view),
        "code": code_versions(view),
        "lingering_readers": [each._asdict() for each in _lingering(view)],
        "began": moment(header.time),
        "policy": header.policy,
        "concurrency": header.concurrency,
        "durability": read_code(view.store).durability,
        "durability_at_first": header.durability,
    }
