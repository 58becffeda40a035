"""The survey once more, as a plain loop: no actors, and nothing of `scenarios/`.

It follows the counting rules that `parse_file` documents, by other means wherever there are any.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import stat
import tokenize
import warnings
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

COUNTED = ("size", "lines", "functions", "classes", "documentable", "documented")
MODULE_KEYS = ("lines", "functions", "classes")
PACKAGE_KEYS = ("lines", "documented", "documentable")
ROOT = "<root>"

Figures = dict[str, Any]


def survey(folder: Path) -> dict[str, Any]:
    """`{"files": {path: its figures}, "unread": [paths]}` of all Python files below `folder`."""
    files: dict[str, Any] = {}
    unread: list[str] = []
    for path in list_files(folder):
        try:
            files[path] = count(folder, path)
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            unread.append(path)
    return {"files": files, "unread": unread}


def list_files(folder: Path) -> list[str]:
    """Every name that ends in `.py`, relative; without `__pycache__`, `site-packages` and links."""
    found = []
    for here, directories, names in os.walk(folder):
        directories[:] = [d for d in directories if d not in ("__pycache__", "site-packages")]
        found += [Path(here, name) for name in (*directories, *names) if name.endswith(".py")]
    relative = [path.relative_to(folder).as_posix() for path in found]
    return sorted(path for path in relative if path.isascii() or _is_utf8(path))


def count(folder: Path, path: str) -> dict[str, Any]:
    """The figures of one file; raises whatever is wrong with it."""
    full = folder / path
    if stat.S_ISFIFO(full.stat().st_mode):
        raise OSError("a pipe")
    with tokenize.open(full) as file:  # decodes, and makes LF of CR LF and CR
        text = file.read()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    figures: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    figures["size"] = len(full.read_bytes())
    figures["lines"] = len(text.split("\n")) - (text == "" or text[-1] == "\n")
    imports: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        waiting += [child for child in ast.iter_child_nodes(node) if not _expression(child)]
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                figures["functions"] += 1
            case ast.ClassDef():
                figures["classes"] += 1
            case ast.Import():
                imports |= {alias.name for alias in node.names}
                continue
            case ast.ImportFrom():
                imports.add(_target("." * node.level + (node.module or ""), path))
                continue
            case ast.Module(body=[_, *_]):
                pass
            case _:
                continue
        figures["documentable"] += 1
        figures["documented"] += _has_docstring(node.body)
    return {**figures, "imports": sorted(imports)}


def figures(plain: dict[str, Any], rows: int = 20, packages: int = 60) -> Figures:
    """The numbers of all tables of the report, as `report_figures` reads them."""
    files = plain["files"]
    totals = {name: sum(facts[name] for facts in files.values()) for name in COUNTED}
    imported = Counter(module for facts in files.values() for module in facts["imports"])
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path, facts in files.items():
        groups[path.split("/")[0] if "/" in path else "(top level)"].append(facts)
    sums = [
        [name, len(group), *(sum(facts[key] for facts in group) for key in PACKAGE_KEYS)]
        for name, group in groups.items()
    ]
    largest = [
        [path, *(facts[key] for key in MODULE_KEYS), coverage(facts)]
        for path, facts in files.items()
    ]
    most = sorted(imported.items(), key=lambda item: (-item[1], item[0]))
    return {
        "found": len(files) + len(plain["unread"]),
        "read": len(files),
        "unread": sorted(plain["unread"]),
        "totals": totals,
        "coverage": coverage(totals),
        "largest": sorted(largest, key=lambda row: (-int(row[1]), row[0]))[:rows],
        "imported": [[name, n, percent(n, len(files))] for name, n in most[:rows]],
        "packages": [
            [*row, percent(row[3], row[4])]
            for row in sorted(sums, key=lambda row: (-row[2], row[0]))[:packages]
        ],
    }


def report_figures(markdown: str) -> Figures:
    """The numbers that a `report.md` shows, table by table."""
    tables = _tables(markdown)
    totals = dict(tables["Totals"])
    names = ("Bytes", "Lines", "Functions", "Classes", "Documentable", "Documented")
    return {
        "found": totals["Files found"],
        "read": totals["Files read"],
        "unread": [row[0] for row in tables.get("What could not be read", [])],
        "totals": {key: totals[name] for key, name in zip(COUNTED, names, strict=True)},
        "coverage": totals["Docstring coverage"],
        "largest": tables["Largest modules"],
        "imported": tables["Most imported modules"],
        "packages": [row[:-1] for row in tables["Docstring coverage by package"]],
    }


def coverage(sums: dict[str, Any]) -> str:
    """The share of documentable things that are documented."""
    return percent(sums["documented"], sums["documentable"])


def percent(part: int, whole: int) -> str:
    """As the report writes it."""
    return "–" if not whole else f"{part / whole * 100:.1f} %"


def _tables(markdown: str) -> dict[str, list[list[Any]]]:
    tables: dict[str, list[list[Any]]] = defaultdict(list)
    heading = ""
    for line in markdown.splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("|"):
            cells = line.replace("\\|", "\0").split("|")[1:-1]
            tables[heading].append([_value(cell.strip().replace("\0", "|")) for cell in cells])
    return {heading: rows[2:] for heading, rows in tables.items()}  # without names and the rule


def _value(cell: str) -> int | str:
    digits = cell.replace(",", "")
    return int(digits) if digits.isdecimal() else cell.strip("`").strip()


def _target(written: str, path: str) -> str:
    """What an import names, by the standard library's own resolution, below an imagined root."""
    if not written.startswith("."):
        return written
    folders = [folder.replace(".", "\0") for folder in path.split("/")[:-1]]
    try:
        name = importlib.util.resolve_name(written, ".".join([ROOT, *folders]))
    except ImportError:
        return written
    return written if name == ROOT else name.removeprefix(f"{ROOT}.").replace("\0", ".")


def _has_docstring(body: list[ast.stmt]) -> bool:
    match body[:1]:
        case [ast.Expr(value=ast.Constant(value=str()))]:
            return True
    return False


def _expression(node: ast.AST) -> bool:
    return isinstance(node, ast.expr)


def _is_utf8(path: str) -> bool:
    return path.encode("utf-8", "ignore").decode() == path
