"""What a test runs: actors, probes, a tree or a scenario, as a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from perdure.actors.actor import Actor
from perdure.errors import UsageError
from perdure.ledger.messages import suggest
from perdure.runtime.program import Program, below
from perdure.runtime.scenario import Scenario
from perdure.supervisors.spec import Child, SupervisorSpec
from perdure.supervisors.supervisor import Supervisor
from perdure.testing.probes import Probe, Probing

ROOT = "trial"
INTENSITY = 1_000  # a trial is not over because something crashed often


def program_of(parts: Sequence[Any], settings: Sequence[str] = ()) -> Program:
    """The program of a scenario or a root; or of parts, which get a forgiving root `/trial`.

    A part is an `Actor` class (its id is the class's name in small letters), a `Child` or a
    `Probe`. Raises `UsageError` for anything else.
    """
    if len(parts) == 1 and _is_whole(parts[0]):
        return Program.of(parts[0], settings)
    if not parts:
        raise UsageError("give what is to be tried: an Actor class, a Child, a Probe, a scenario.")
    spec = SupervisorSpec(children=[_child(part) for part in parts], intensity=INTENSITY)
    return Program.of(Child(ROOT, supervisor=spec))


def with_probes(program: Program, probes: Mapping[str, Probe]) -> Program:
    """A program in whose tree probes have the places of actors, by address."""
    tree = program.tree
    for address, probe in probes.items():
        known = [each for each, _ in below(tree)][1:]
        if address not in known:
            raise UsageError(
                f"there is no {address} in the tree for a probe to take the place of."
                f"{suggest(address, known)} It has {', '.join(known)}."
            )
        tree = _placed(tree, f"/{tree.id}", address, probe)
    classes = {**program.classes, Probing.__declaration__.name: Probing}
    return replace(program, tree=tree, classes=classes)


def _placed(child: Child, at: str, address: str, probe: Probe) -> Child:
    if at == address:
        return probe.child(child.id)
    if child.supervisor is None or not address.startswith(f"{at}/"):
        return child
    parts = child.supervisor.children
    placed = [_placed(each, f"{at}/{each.id}", address, probe) for each in parts]
    return replace(child, supervisor=replace(child.supervisor, children=placed))


def _is_whole(part: Any) -> bool:
    if isinstance(part, str | Path | Scenario | Program):
        return True
    if isinstance(part, Child):
        return part.supervisor is not None or _is_supervisor(part.actor)
    return _is_supervisor(part)


def _is_supervisor(what: Any) -> bool:
    return isinstance(what, type) and issubclass(what, Supervisor)


def _child(part: Any) -> Child:
    if isinstance(part, Probe):
        return part.child()
    if isinstance(part, type) and issubclass(part, Actor):
        return Child(part.__name__.lower(), part)
    if isinstance(part, Child):
        return part
    raise UsageError(
        f"{part!r} cannot be tried here: give Actor classes, Child('id', YourActor, init=…) and "
        "Probes, or a scenario or a root Supervisor alone."
    )
