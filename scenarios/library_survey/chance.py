"""Faults on demand: which names are struck is decided by a seed, not by the course of the run."""

from __future__ import annotations

from hashlib import blake2b


class RandomFault(Exception):
    """A crash that the setting `faults` asked for."""


def strikes(seed: int, name: str, probability: float) -> bool:
    """True for about `probability` of all names, and always the same ones for one seed.

    >>> strikes(7, "abc.py", 0.0), strikes(7, "abc.py", 1.0)
    (False, True)
    """
    digest = blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < probability * 2**64
