"""A disk that flips bits: whatever reads a damaged row must say so, and give nothing of it out."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from perdure.errors import LedgerError
from perdure.ledger.verify import verify_store
from perdure.simulation.disk import Flip, Platter, open_platter
from perdure.simulation.outside import Outside


def look(outside: Outside, chance: Random) -> None:
    """Flip a bit, read it by every way there is, and put it back."""
    platter = outside.platter
    flip = platter.damage(chance)
    outside.counts["a flipped bit"] += 1
    try:
        for name, read in _ways(platter, flip).items():
            if not _is_found(read):
                outside.violations.append(f"G1/G12: {name} gives out a row with a flipped bit")
    finally:
        platter.mend()


def _is_found(read: Callable[[], object]) -> bool:
    try:
        read()
    except LedgerError:
        return True
    return False


def _ways(platter: Platter, flip: Flip) -> dict[str, Callable[[], object]]:
    """What reads the damaged row."""
    key = flip.key
    if flip.database is platter.main:
        return {"opening": lambda: open_platter(platter)}
    ways: dict[str, Callable[[], object]] = {
        "verify": lambda: verify_store(open_platter(platter)),
    }
    if flip.database is platter.tables:
        ways["get"] = lambda: open_platter(platter).get(key)
        ways["scan"] = lambda: list(open_platter(platter).scan(key[:1]))
    elif flip.database is platter.blobs:
        ways["blob"] = lambda: open_platter(platter).blob(key)
    else:
        seq = int.from_bytes(key, "big")
        ways["record"] = lambda: open_platter(platter).record(seq)
        ways["records"] = lambda: list(open_platter(platter).records(seq, seq))
    return ways
