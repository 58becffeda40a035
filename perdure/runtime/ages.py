"""Ages as people write them: `45s`, `30m`, `12h`, `7d`, `4w`."""

from __future__ import annotations

import re

from perdure.errors import UsageError

_AGE = re.compile(r"(\d{1,9})\s*([smhdw])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def age(text: str) -> int:
    """The seconds that an age means. Raises `UsageError`.

    >>> age("12h")
    43200
    """
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f"{text!r} is no age. Write a number and s, m, h, d or w: 45s, 30m, 12h, 7d, 4w."
        )
    return int(found[1]) * _UNIT_SECONDS[found[2]]
