"""Numbers and values as people read them; pure."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from perdure.ledger.jsonform import to_json
from perdure.ledger.levels import GROUP

CENTISECOND_NS = 10_000_000
LINE_CHARS_MAX = 160  # of a reason within a line
MESSAGE_CHARS_MAX = 60  # of a message within a line
STRING_CHARS_MAX = 27  # of a string within a message

_QUOTED = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
_FIELD = re.compile(r"\b[^\W\d]\w*=")


def clock(ns: int) -> str:
    """A duration as mm:ss.cc, with hours in front once there are any.

    >>> clock(20_000_000), clock(3_723_450_000_000)
    ('00:00.02', '1:02:03.45')
    """
    centis = max(ns, 0) // CENTISECOND_NS
    minutes, rest = divmod(centis, 6_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes:02}:{rest // 100:02}.{rest % 100:02}"
    return f"{hours}:{text}" if hours else text


def at_level(durability: str) -> str:
    """A durability level, for those who need to know: not the one that runs have by default.

    >>> at_level("each"), at_level("group")
    ('durability each', '')
    """
    return "" if durability == GROUP.name else f"durability {durability}"


def span(ns: float) -> str:
    """How long something took, to three digits.

    >>> span(800), span(35_400), span(12_345_678), span(4_617_000_000), span(5_000_000_000_000)
    ('0.8 us', '35.4 us', '12.3 ms', '4.62 s', '5,000 s')
    """
    scaled = ns / 1_000
    for unit in ("us", "ms"):
        if scaled < 1_000:
            return f"{scaled:.{_decimals(scaled)}f} {unit}"
        scaled /= 1_000
    return f"{scaled:,.{_decimals(scaled)}f} s"


def _decimals(number: float) -> int:
    """How many decimals make three digits; one at most below 1."""
    return 2 if 1 <= number < 10 else 1 if number < 100 else 0


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun.

    >>> count(1, "turn"), count(12_345, "turn"), count(2, "crash", "crashes")
    ('1 turn', '12,345 turns', '2 crashes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def size(number: int) -> str:
    """A number of bytes.

    >>> size(900), size(5_095), size(3_400_000)
    ('900 bytes', '5.1 kB', '3.4 MB')
    """
    if number < 1_000:
        return count(number, "byte")
    scaled = float(number)
    for unit in ("kB", "MB"):
        scaled /= 1_000
        if scaled < 1_000:
            return f"{scaled:.1f} {unit}"
    return f"{scaled / 1_000:.1f} GB"


def moment(ns: int) -> str:
    """A ledger time as a date and a time in UTC.

    >>> moment(1_700_000_000_000_000_000)
    '2023-11-14 22:13:20 UTC'
    """
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def tokens(spent: int, limit: int | None) -> str:
    """Tokens spent, of how many.

    >>> tokens(0, 1_000_000), tokens(7, None)
    ('0 of 1,000,000', '7')
    """
    return f"{spent:,}" if limit is None else f"{spent:,} of {limit:,}"


def clipped(text: str, chars: int = LINE_CHARS_MAX) -> str:
    """A text on one line, cut short where it must be.

    >>> clipped("one line", 5)
    'one …'
    """
    line = " ".join(text.split())
    return line if len(line) <= chars else f"{line[: chars - 1]}…"


def written(value: Any) -> str:
    """A value in its JSON form, on one line.

    >>> written({"files": 4})
    '{"files": 4}'
    """
    return json.dumps(to_json(value), ensure_ascii=False)


def brief(text: str, chars: int = MESSAGE_CHARS_MAX) -> str:
    """A call as `repr` writes it, made short: no field names, and of long strings the end.

    >>> brief("Read(folder='/usr/lib/python3.11/site-packages', path='a.py')")
    "Read('…/python3.11/site-packages', 'a.py')"
    """
    parts = []
    for part in _QUOTED.split(" ".join(text.split())):
        if part[:1] in ("'", '"') and part[-1:] == part[:1]:
            parts.append(f"{part[0]}{_tail(part[1:-1])}{part[0]}")
        else:
            parts.append(_FIELD.sub("", part))
    return clipped("".join(parts), chars)


def _tail(text: str) -> str:
    """The end of a long string, from the start of a folder if it is a path."""
    if len(text) <= STRING_CHARS_MAX:
        return text
    end = text[1 - STRING_CHARS_MAX :]
    slash = end.find("/")
    return f"…{end[slash if 0 <= slash < len(end) // 2 else 0 :]}"


def called(message: Any, chars: int = MESSAGE_CHARS_MAX) -> str:
    """A message as the call that makes it, in short, without perdure's own prefix.

    >>> from perdure.ledger.messages import message
    >>> @message
    ... class Read:
    ...     path: str
    >>> called(Read("a.txt"))
    "Read('a.txt')"
    """
    return brief(repr(message).replace("perdure.", ""), chars)
