"""The supervision tree as lines: ├─ and └─, one actor a line, columns aligned; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from perdure.cli.say import columns, paint
from perdure.cli.words import clipped, count
from perdure.runtime.family import Node

SHOWN_MAX = 12  # of siblings that are alike; past it only a few are shown
FIRST_SHOWN = 3
ODD_SHOWN_MAX = 5  # of those that do not run
REASON_CHARS_MAX = 70


def tree_lines(roots: Sequence[Node], now_ns: int, *, whole: bool = False) -> list[str]:
    """A line for each actor; many siblings that are alike become one line, unless `whole`."""
    rows: list[tuple[str, str, str, str]] = []
    for root in roots:
        rows.append((root.address, root.kind, *_details(root, now_ns)))
        rows += _below(root, "", now_ns, whole)
    turns = max((len(row[2]) for row in rows if row[3] != ""), default=0)
    return columns([(row[0], row[1], _joined(row[2], row[3], turns)) for row in rows])


def _joined(turns: str, more: str, width: int) -> str:
    """What is said of an actor: its turns, then, in line with others, what else there is."""
    if not more:
        return turns
    return f"{turns:<{width}}   {more}" if turns else more


def _below(node: Node, stem: str, now_ns: int, whole: bool) -> Iterator[tuple[str, str, str, str]]:
    entries = list(_entries(node.children, whole))
    for place, entry in enumerate(entries):
        is_last = place == len(entries) - 1
        joint = paint(stem + ("└─ " if is_last else "├─ "), dim=True)
        if isinstance(entry, Node):
            yield (joint + entry.name, entry.kind, *_details(entry, now_ns))
            yield from _below(entry, stem + ("   " if is_last else "│  "), now_ns, whole)
        else:
            more = f"… {len(entry):,} more"
            yield (joint + paint(more, dim=True), entry[0].kind, *_summed(entry))


def _entries(children: Sequence[Node], whole: bool) -> Iterator[Node | list[Node]]:
    """The children, and in the place of many that are alike, those that are left out."""
    there = [child for child in children if child.life != "ended" or whole]
    for _, group in groupby(there, key=lambda child: (child.kind, bool(child.children))):
        alike = list(group)
        if whole or alike[0].children or len(alike) <= SHOWN_MAX:
            yield from alike
            continue
        odd = [child.id for child in alike[FIRST_SHOWN:] if not _is_well(child)]
        shown = {*odd[:ODD_SHOWN_MAX], *(child.id for child in alike[:FIRST_SHOWN])}
        yield from (child for child in alike if child.id in shown)
        yield [child for child in alike if child.id not in shown]


def _details(node: Node, now_ns: int) -> tuple[str, str]:
    """The turns of an actor, and what else there is to say of it."""
    more = []
    turns = count(node.turns, "turn")
    if node.supervision is not None:
        turns = ""
        more += [_strategy(node, now_ns)] if node.life == "running" else []
    if node.incarnation > 1:
        more.append(f"incarnation {node.incarnation}")
    if node.waiting:
        more.append(paint(f"{node.waiting:,} waiting", "yellow"))
    if node.life != "running":
        reason = clipped(node.reason, REASON_CHARS_MAX)
        more.append(paint(f"{node.life}: {reason}" if reason else node.life, "red"))
    if node.old_code:
        more.append(paint(f"old code: {clipped(node.old_code, REASON_CHARS_MAX)}", "yellow"))
    if node.suspended:
        more.append(paint("suspended", "yellow"))
    if node.stalled:
        more.append(paint(f"stalled: {clipped(node.stalled, REASON_CHARS_MAX)}", "red"))
    return turns, "   ".join(more)


def _is_well(node: Node) -> bool:
    return node.life == "running" and not (node.stalled or node.suspended or node.old_code)


def _strategy(node: Node, now_ns: int) -> str:
    restarts, supervision = node.restarts_below, node.supervision
    if not restarts or supervision is None:
        return "running"
    return (
        f"{count(restarts, 'restart')}, {node.counted(now_ns):,} counted of "
        f"{supervision.intensity:,} allowed in {supervision.period:g} s"
    )


def _summed(nodes: Sequence[Node]) -> tuple[str, str]:
    """What is said of many actors in one line."""
    restarts = sum(node.restarts for node in nodes)
    waiting = sum(node.waiting for node in nodes)
    down = sum(not _is_well(node) for node in nodes)
    more = [count(restarts, "restart")] if restarts else []
    more += [paint(f"{waiting:,} waiting", "yellow")] if waiting else []
    more += [paint(f"{down:,} not running", "red")] if down else []
    return count(sum(node.turns for node in nodes), "turn"), "   ".join(more)


def node_form(node: Node, now_ns: int) -> dict[str, object]:
    """An actor and all below it, for JSON."""
    form: dict[str, object] = {
        "address": node.address,
        "id": node.id,
        "class": node.class_name,
        "life": node.life,
        "incarnation": node.incarnation,
        "turns": node.turns,
        "crashes": node.crashes,
        "restarts": node.restarts,
        "waiting": node.waiting,
        "reason": node.reason,
    }
    if node.old_code:
        form["old_code"] = node.old_code
    if node.suspended:
        form["suspended"] = True
    if node.stalled:
        form["stalled"] = node.stalled
    if node.supervision is not None:
        form["strategy"] = node.supervision.strategy
        form["intensity"] = node.supervision.intensity
        form["period"] = node.supervision.period
        form["counted"] = node.counted(now_ns)
    if node.children:
        form["children"] = [node_form(child, now_ns) for child in node.children]
    return form
