"""What OTP did and what perdure did with a case, compared; recorded cases, in few bytes.

python -m tests.conformance.compare CASES OUT       # names of files that both folders have
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

EXPECTED = ".expected.json"
RECORDED = Path(__file__).with_name("cases.jsonl")
_INSTANCE = re.compile(r"^(.*)/#(\d+)$")

Told = dict[str, Any]
Event = list[Any]


def same_order(events: list[Event], *, unordered: bool) -> list[Event]:
    """Events in one of the orders that mean the same.

    OTP ends the children of a pool side by side. Deaths that nobody announces are seen one by one,
    but in no order when nothing is logged between them. And when a supervisor is killed, what it
    leaves behind ends while its parent goes on.
    """
    if unordered:
        return sorted(events, key=json.dumps)
    found: list[Event] = []
    for kind, run in groupby(events, key=_kind):
        alike = list(run)
        found += alike if kind is None else sorted(alike, key=_place)
    return found


def _kind(event: Event) -> object:
    """What the events beside it must be for their order to mean nothing."""
    found = _INSTANCE.match(event[1]) if event[0] in ("terminate", "down") else None
    if found is not None:
        return found.group(1)
    return "down" if event[0] == "down" else None


def _place(event: Event) -> tuple[Any, ...]:
    found = _INSTANCE.match(event[1])
    return (int(found.group(2)) if found else 0, event[1], event[0] == "down", str(event))


def normal(told: Told) -> Told:
    """What was told of a case, in the form to compare."""
    steps = [
        step | {"events": same_order(step["events"], unordered=step.get("unordered", False))}
        for step in told.get("steps", [])
    ]
    return {"steps": steps, "root_exit": told.get("root_exit")}


def difference(otp: Told, ours: Told) -> str | None:
    """The first difference in words; None if there is none."""
    one, other = normal(otp), normal(ours)
    if one == other:
        return None
    if "error" in ours:
        return str(ours["error"])
    for number, (a, b) in enumerate(zip(one["steps"], other["steps"], strict=False)):
        for key in ("op", "result", "events", "injected", "tree"):
            if a.get(key) != b.get(key):
                where = f"step {number} {json.dumps(a['op'])}: {key}"
                sides = [json.dumps(each.get(key)) for each in (a, b)]
                return f"{where}\n    OTP:     {sides[0]}\n    perdure: {sides[1]}"
    return f"the root ends with {one['root_exit']!r} in OTP, {other['root_exit']!r} here"


# --- recorded cases: what a step has of its case, or of the step before, is left out


def packed(case: Told, told: Told) -> str:
    """A case and what OTP did, as one line."""
    steps, tree = [], None
    for step in told["steps"]:
        kept = {key: value for key, value in step.items() if key != "op"}
        if kept["tree"] == tree and steps:
            del kept["tree"]
        tree = step["tree"]
        steps.append(kept)
    line = {"case": case, "steps": steps, "root_exit": told["root_exit"]}
    return json.dumps(line, separators=(",", ":"))


def recorded(path: Path = RECORDED) -> Iterator[tuple[Told, Told]]:
    """The recorded cases, each with what OTP did."""
    for line in path.read_text().splitlines():
        row = json.loads(line)
        case, tree, steps = row["case"], None, []
        ops = [{"op": "start"}, *case["ops"], {"op": "stop_root"}]
        for op, kept in zip(ops, row["steps"], strict=False):
            tree = kept.get("tree", tree) if "tree" in kept else tree
            steps.append({"op": op} | kept | {"tree": tree})
        yield case, {"name": case["name"], "steps": steps, "root_exit": row["root_exit"]}


def main(given: Sequence[str]) -> int:
    cases, out = (Path(each) for each in given)
    paths = sorted(cases.glob(f"*{EXPECTED}"))
    differing = 0
    for path in paths:
        ours = out / path.name
        told = json.loads(ours.read_text()) if ours.exists() else {"error": "not played"}
        text = difference(json.loads(path.read_text()), told)
        if text is not None:
            differing += 1
            print(f"{path.name}: {text}")
    print(f"{len(paths) - differing} of {len(paths)} cases end as in OTP")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
