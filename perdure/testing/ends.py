"""What a run came to, told from its ledger and from outside it: to be compared with another's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from perdure.ledger.group import Store
from perdure.ledger.journal import read_record
from perdure.ledger.jsonform import to_json
from perdure.ledger.records import Lane, Send, Turn
from perdure.runtime.view import View
from perdure.testing.toolbox import Toolbox

End = Mapping[str, str]
"""What a run came to: each thing by its name, in words."""

ABSENT = "nothing"


def end_of(store: Store) -> dict[str, str]:
    """What a ledger says at its end: result, states, lives, artifacts, dead letters, money."""
    view = View(store)
    found = {"status": view.status.status}
    if view.result is not None:
        found["result"] = _text(view.result)
    found["tokens spent"] = str(view.budget.spent)
    found["tokens reserved"] = str(view.budget.reserved)
    for node in view.actors():
        found[f"life of {node.address}"] = node.life
        for name, value in view.state(node.address).items():
            if node.supervision is None:  # a supervisor's is how often who fell, and when
                found[f"state of {node.address}, {name}"] = _text(value)
    for artifact in view.artifacts():
        found[f"artifact {artifact.path}"] = artifact.digest.hex()
    letters = Counter(f"{each.to} {_text(each.message)}" for each in view.dead_letters())
    found |= {f"dead letter {letter}": f"{n} times" for letter, n in letters.items()}
    return found | _handled(view)


def _handled(view: View) -> dict[str, str]:
    """How many messages of each type each actor has handled, by the records that are there."""
    types: dict[tuple[int, int], str] = {}
    counts: Counter[str] = Counter()
    for raw in view.store.records(view.head.cut + 1):
        record = read_record(raw)
        for index, wire in enumerate(record.body.sends):
            send = Send(*wire)
            if send.lane == Lane.USER:
                types[record.seq, index] = view.codec.type_name(send.body)
        if isinstance(record.body, Turn) and record.body.message in types:
            address = view.actor(record.body.actor).address
            counts[f"{types[record.body.message]} handled by {address}"] += 1
    return {what: f"{n} times" for what, n in counts.items()}


def effects_of(toolbox: Toolbox) -> dict[str, str]:
    """How often each effect happened, by the tools' own log; what only reads is left out.

    What may be done twice under one idempotency key counts once for a key.
    """
    seen: set[str] = set()
    calls: Counter[str] = Counter()
    tools: Counter[str] = Counter()
    for each in toolbox.done:
        if each.tool.effect == "read" or (each.tool.redone and each.key in seen):
            continue
        seen.add(each.key)
        calls[each.words] += 1
        tools[each.tool.name] += 1
    found = {f"effect {words}": f"{n} times" for words, n in calls.items()}
    return found | {f"effects of {name}": f"{n} times" for name, n in tools.items()}


def family_of(what: str) -> str:
    """What a thing is one of many of: if some of them hang on chance, all may."""
    if what.startswith("effect "):
        return what.partition("(")[0]
    return "dead letters" if what.startswith("dead letter ") else what


def differences(expected: End, found: End) -> list[tuple[str, str, str]]:
    """What is other than expected: (what, expected, found), in order."""
    return [
        (what, expected.get(what, ABSENT), found.get(what, ABSENT))
        for what in sorted({*expected, *found})
        if expected.get(what, ABSENT) != found.get(what, ABSENT)
    ]


def _text(value: Any) -> str:
    return json.dumps(to_json(value), ensure_ascii=False, sort_keys=True)
