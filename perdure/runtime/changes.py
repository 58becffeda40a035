"""What other settings or other code change in a fork: the init of whoever has no state yet."""

from __future__ import annotations

from typing import Any, NamedTuple

from perdure.ledger.blobs import ReadBlob, digest_of, refer
from perdure.ledger.fold import Fold
from perdure.ledger.folded import Agent
from perdure.ledger.images import materialise, state_hash
from perdure.ledger.records import Life
from perdure.ledger.values import Codec
from perdure.limits import BLOB_BYTES_MIN
from perdure.runtime.program import Program, below
from perdure.runtime.view import View
from perdure.supervisors.spec import Child

SPEC = "spec"
"""The field of a supervisor that holds what it was given as data."""

SETTINGS = "settings"
"""The rung of a restore that gives a supervisor other child specs."""


class Change(NamedTuple):
    """What a fork goes on with; `program` is None when nothing is another than its parent's."""

    settings: dict[str, Any]
    code: str | None
    code_hash: bytes
    program: Program | None

    @classmethod
    def none(cls, view: View) -> Change:
        """A fork that goes on with what the run has."""
        return cls(dict(view.run.settings), view.lineage.code, view.run.code_hash, None)


class Changed(NamedTuple):
    """(actor id, init) of actors without a state; fields of restores of supervisors with one."""

    inits: list[tuple[int, bytes]]
    restores: list[tuple[Any, ...]]
    blobs: dict[bytes, bytes]  # large values that those refer to


def changes(fold: Fold, change: Change, read_blob: ReadBlob) -> Changed:
    """What becomes of the actors that there are.

    A supervisor gets the new specs for children that it starts from now on; one that it has and
    that the new tree lacks keeps the old. Whoever has handled anything keeps its state.
    """
    if change.program is None:
        return Changed([], [], {})
    codec = Codec(change.program.names)
    codec.read_blob = read_blob
    tree = dict(below(change.program.tree))
    changed = Changed([], [], {})
    for id, agent in fold.agents.items():
        child = tree.get(agent.address)
        if child is None or agent.life == Life.ENDED or child.actor_name != agent.class_name:
            continue
        given = _given(agent, child, codec)
        if not agent.last:
            init = _small(codec.encode(given), changed.blobs)
            if init != agent.init:
                changed.inits.append((id, init))
        elif SPEC in given and SPEC in agent.images:
            delta = ((SPEC, "=", _small(codec.encode(given[SPEC]), changed.blobs)),)
            if delta[0][2] != agent.images[SPEC].base:
                after = state_hash(agent.state_hash, delta)
                who = (id, agent.incarnation, SETTINGS, agent.last, 0)
                changed.restores.append((*who, delta, after, agent.last))
    return changed


def _small(data: bytes, blobs: dict[bytes, bytes]) -> bytes:
    """The bytes of a value as records hold them: a reference, for a large one."""
    if len(data) <= BLOB_BYTES_MIN:
        return data
    reference = refer(data)
    blobs[digest_of(reference)] = data
    return reference


def _given(agent: Agent, child: Child, codec: Codec) -> dict[str, Any]:
    """The init of an actor in the new tree."""
    init = dict(child.init)
    if child.supervisor is not None:
        image = agent.images.get(SPEC)
        old = codec.decode(agent.init).get(SPEC) if image is None else None
        if image is not None:
            old = materialise(image, codec.decode)
        init[SPEC] = _merged(child.supervisor.to_data(), old or {})
    return init


def _merged(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    known = {each["id"] for each in new["children"]}
    kept = [each for each in old.get("children", ()) if each["id"] not in known]
    return {**new, "children": [*new["children"], *kept]}
