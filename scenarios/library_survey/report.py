"""The survey for people (`report.md`) and for programs (`index.json`): pure text from facts.

Neither holds a time, an absolute path or an order of arrival, so two runs over the same files give
the same bytes, however often one of them was interrupted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from facts import COUNTED, Facts, fold
from sources import LEFT_OUT

from perdure import message

LARGEST_ROWS = 20
IMPORTED_ROWS = 20
PACKAGE_ROWS = 60
BAR_CELLS = 20
TOP_LEVEL = "(top level)"


@message
class Survey:
    """Everything known about a folder: facts by file, their totals, and what could not be read."""

    files: tuple[Facts, ...]
    totals: dict[str, int]
    unread: dict[str, str]
    skipped: dict[str, str]


def render_index(survey: Survey) -> str:
    """`index.json`: one object, keys sorted."""
    files = {
        facts.path: {"imports": list(facts.imports)} | {n: getattr(facts, n) for n in COUNTED}
        for facts in survey.files
    }
    whole = {
        "format": 1,
        "files": files,
        "totals": survey.totals,
        "unread": survey.unread,
        "skipped": survey.skipped,
    }
    return json.dumps(whole, indent=1, sort_keys=True) + "\n"


def render_report(survey: Survey) -> str:
    """`report.md`: tables in Markdown that read well as plain text too."""
    sections = [
        _summary(survey),
        _largest(survey.files),
        _imported(survey.files),
        _packages(survey.files),
        _unread(survey.unread),
    ]
    if survey.skipped:
        sections.append(_skipped(survey.skipped))
    sections.append(_notes())
    return "\n\n".join(sections) + "\n"


def package_of(path: str) -> str:
    """The package a file is counted under: the first folder of its path.

    >>> package_of("email/mime/text.py"), package_of("abc.py")
    ('email', '(top level)')
    """
    first, slash, _ = path.partition("/")
    return first if slash else TOP_LEVEL


def _summary(survey: Survey) -> str:
    totals = {name: survey.totals.get(name, 0) for name in ("files", *COUNTED)}
    rows = [
        ("Files found", f"{totals['files'] + len(survey.unread):,}"),
        ("Files read", f"{totals['files']:,}"),
        ("Files that could not be read", f"{len(survey.unread):,}"),
        ("Bytes", f"{totals['size']:,}"),
        ("Lines", f"{totals['lines']:,}"),
        ("Functions", f"{totals['functions']:,}"),
        ("Classes", f"{totals['classes']:,}"),
        ("Documentable", f"{totals['documentable']:,}"),
        ("Documented", f"{totals['documented']:,}"),
        ("Docstring coverage", _percent(totals["documented"], totals["documentable"])),
    ]
    return "# Library survey\n\n## Totals\n\n" + _table(("what", ">count"), rows)


def _largest(files: Sequence[Facts]) -> str:
    largest = sorted(files, key=lambda facts: (-facts.lines, facts.path))[:LARGEST_ROWS]
    rows = [
        (
            _code(facts.path),
            f"{facts.lines:,}",
            f"{facts.functions:,}",
            f"{facts.classes:,}",
            _percent(facts.documented, facts.documentable),
        )
        for facts in largest
    ]
    header = ("module", ">lines", ">functions", ">classes", ">docstrings")
    return "## Largest modules\n\n" + _table(header, rows)


def _imported(files: Sequence[Facts]) -> str:
    counts = Counter(module for facts in files for module in facts.imports)
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:IMPORTED_ROWS]
    rows = [(_code(name), f"{count:,}", _percent(count, len(files))) for name, count in most]
    header = ("module", ">imported by files", ">share of files")
    return "## Most imported modules\n\n" + _table(header, rows)


def _packages(files: Sequence[Facts]) -> str:
    packages: dict[str, dict[str, int]] = {}
    for facts in files:
        fold(packages.setdefault(package_of(facts.path), {}), facts)
    order = sorted(packages.items(), key=lambda item: (-item[1]["lines"], item[0]))
    rows = [
        (
            _code(name),
            f"{sums['files']:,}",
            f"{sums['lines']:,}",
            f"{sums['documented']:,}",
            f"{sums['documentable']:,}",
            _percent(sums["documented"], sums["documentable"]),
            _bar(sums["documented"], sums["documentable"]),
        )
        for name, sums in order[:PACKAGE_ROWS]
    ]
    header = ("package", ">files", ">lines", ">documented", ">documentable", ">coverage", "")
    text = "## Docstring coverage by package\n\n" + _table(header, rows)
    if len(order) > PACKAGE_ROWS:
        text += f"\n\nand {len(order) - PACKAGE_ROWS:,} smaller packages: see `index.json`."
    return text


def _unread(unread: dict[str, str]) -> str:
    if not unread:
        return "## What could not be read\n\nNothing: every file was read."
    rows = [(_code(path), _code(reason)) for path, reason in sorted(unread.items())]
    return "## What could not be read\n\n" + _table(("file", "reason"), rows)


def _skipped(skipped: dict[str, str]) -> str:
    rows = [(_code(path), _code(reason)) for path, reason in sorted(skipped.items())]
    return "## What was not entered\n\n" + _table(("entry", "reason"), rows)


def _notes() -> str:
    left_out = " and ".join(f"`{name}`" for name in sorted(LEFT_OUT))
    return (
        "## How it was counted\n\n"
        "Functions are `def` and `async def` statements at any depth, classes likewise. "
        "Documentable\nare functions, classes and modules that are not empty. An import counts "
        "once for a file, under\nthe module it names. A package is the first folder of a path. "
        f"Folders named\n{left_out} are no part of the library."
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table padded into columns; a heading that begins with `>` is aligned right."""
    right = [name.startswith(">") for name in header]
    cells = [[name.lstrip(">") for name in header], *(list(row) for row in rows)]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(header))]
    rule = [
        "-" * (width - 1) + ":" if to_right else "-" * width
        for width, to_right in zip(widths, right, strict=True)
    ]
    lines = [
        "| " + " | ".join(_pad(cell, w, r) for cell, w, r in zip(row, widths, right, strict=True))
        for row in (cells[0], rule, *cells[1:])
    ]
    return "\n".join(f"{line} |" for line in lines)


def _pad(cell: str, width: int, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)


def _code(text: str) -> str:
    """`text` as a code span that cannot break out of a table: names of files may hold anything."""
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    shown = shown.replace("|", "\\|")
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _bar(part: int, whole: int) -> str:
    filled = round(BAR_CELLS * part / whole) if whole else 0
    return "█" * filled + "░" * (BAR_CELLS - filled)
