"""What a look at a machine or a run found, and what is to be done about it."""

from __future__ import annotations

from typing import NamedTuple

OK, WARNING, PROBLEM = "ok", "warning", "problem"


class Finding(NamedTuple):
    """One thing that was looked at: what about, how it is, in a sentence, and the way out.

    `damage` is a problem of the ledger's own bytes.
    """

    about: str
    verdict: str
    text: str
    way: str = ""
    damage: bool = False
