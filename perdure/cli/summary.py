"""How a run stands, on one screen: its end, its tree, its figures, and what to type next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from perdure.cli.branches import node_form, tree_lines
from perdure.cli.options import name_of
from perdure.cli.say import labelled, paint, wrapped
from perdure.cli.story import STALLED_CHARS_MAX
from perdure.cli.words import clipped, size, tokens, written
from perdure.ledger.jsonform import to_json
from perdure.runtime.document import shown
from perdure.runtime.family import family
from perdure.runtime.view import Totals, View

ARTIFACTS_SHOWN_MAX = 10
STALLED_SHOWN_MAX = 5
STALLED_INDENT = 13
COLOURS = {"finished": "green", "failed": "red"}


def status_line(view: View) -> str:
    """The run's status, with its result or its reason."""
    status = view.status
    word = paint(f"{status.status:<8}", COLOURS.get(status.status, "yellow"), bold=True)
    said = written(view.result) if status.result is not None else clipped(status.reason)
    return f"{word}  {said}".rstrip()


def summary_lines(view: View, directory: Path) -> list[str]:
    """The whole screen."""
    now_ns, name, nodes = view.head.time_ns, name_of(directory), view.actors()
    tree, totals = tree_lines(family(nodes), now_ns), view.totals(nodes)
    stalled = [node for node in nodes if node.stalled]
    lines = [status_line(view), "", *tree, "", _figures(totals)]
    lines += artifact_lines(view, directory)
    for node in stalled[:STALLED_SHOWN_MAX]:
        reason = clipped(node.stalled, STALLED_CHARS_MAX)
        lines += wrapped(labelled("stalled", f"{node.address}: {reason}", 2), STALLED_INDENT)
    lines.append(labelled("next", " · ".join(_next(view, name)), 2))
    return lines


def _figures(totals: Totals) -> str:
    parts = [
        f"turns {totals.turns:,}",
        _coloured(f"crashed {totals.crashed:,}", totals.crashed, "yellow"),
        _coloured(f"restarts {totals.restarts:,}", totals.restarts, "yellow"),
        _coloured(f"dead letters {totals.dead_letters:,}", totals.dead_letters, "red"),
        f"tokens {tokens(totals.tokens_spent, totals.tokens_limit)}",
    ]
    return "  " + "   ".join(parts)


def _coloured(text: str, number: int, colour: str) -> str:
    return paint(text, colour) if number else text


def artifact_lines(view: View, directory: Path) -> list[str]:
    """A line for each artifact: where its file is."""
    artifacts = view.artifacts()
    lines = []
    for artifact in artifacts[:ARTIFACTS_SHOWN_MAX]:
        path = shown(directory / "artifacts" / artifact.path)
        late = "" if artifact.released else ", not in place yet"
        lines.append(
            labelled("artifact", f"{path}  {paint(size(artifact.size) + late, dim=True)}", 2)
        )
    left = len(artifacts) - ARTIFACTS_SHOWN_MAX
    if left > 0:
        lines.append(labelled("", f"… and {left:,} more in {shown(directory / 'artifacts')}", 2))
    return lines


def _next(view: View, name: str) -> list[str]:
    """What one may want to type now."""
    verbs = []
    if view.status.status in ("waiting", "interrupted"):
        verbs.append("resume")
    if view.dead_letter_count:
        verbs.append("dead")
    if view.doubts():
        verbs.append("doubt")
    return [f"perdure {verb} {name}" for verb in (*verbs, "trace", "verify")]


def summary_form(view: View, directory: Path) -> dict[str, Any]:
    """The same for JSON; `artifacts` are paths of files."""
    nodes = view.actors()
    status, totals, head = view.status, view.totals(nodes), view.head
    return {
        "run": name_of(directory),
        "ledger": str(directory),
        "status": status.status,
        "reason": status.reason,
        "result": to_json(view.result),
        **totals._asdict(),
        "records": head.seq,
        "artifacts": [str(directory / "artifacts" / each.path) for each in view.artifacts()],
        "tree": [node_form(root, head.time_ns) for root in family(nodes)],
    }
