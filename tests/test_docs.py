"""The documents say what is there: their examples run, and what they name exists."""

from __future__ import annotations

import ast
import builtins
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from perdure.cli.main import VERBS
from tests.sources import PACKAGE, ROOT, none_of, sources

DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_EXAMPLES = [
    ROOT / name
    for name in (
        "README.md",
        "docs/quickstart.md",
        "docs/inspect.md",
        "docs/fork.md",
        "docs/replay.md",
        "docs/processes.md",
        "docs/backup.md",
        "docs/compact.md",
        "docs/export.md",
        "docs/gc.md",
        "docs/ship.md",
        "docs/testing.md",
        "docs/doctor.md",
    )
]
COMMAND_SECONDS_MAX = 60

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#:\s]*)(#[\w-]+)?\)")
PLACE = re.compile(r"(?:perdure|tests|docs|scenarios|benchmarks)/[\w./-]*")
MEMBER = re.compile(r"([A-Z]\w+)\.([a-z_]\w*)")
CALL = re.compile(r"(?:self\.)?([a-z_]\w*)\(.*\)")
TIMES = re.compile(r"\d\d:\d\d\.\d\d")
ELISION = "…"
Function = ast.FunctionDef | ast.AsyncFunctionDef
Wrong = Callable[[Path], Iterator[str]]
"""Says what is wrong with one document."""


class Block(NamedTuple):
    """A fenced block: its language, and its lines."""

    language: str
    lines: list[str]


def blocks(document: Path) -> list[Block]:
    found = FENCE.finditer(document.read_text(encoding="utf-8"))
    return [Block(match[1], match[2].splitlines()) for match in found]


def named(document: Path) -> Iterator[str]:
    """What stands between backticks, fenced blocks left out."""
    prose = FENCE.sub("", document.read_text(encoding="utf-8"))
    yield from (match[1] for match in CODE.finditer(prose))


def commands(document: Path) -> Iterator[list[str]]:
    """The words of each command that a document shows, in a block or within a line."""
    for block in blocks(document):
        if block.language in ("", "console"):
            lines = (line.removeprefix("$ ").partition("#")[0] for line in block.lines)
            yield from (words for line in lines if (words := line.split()))
    yield from (words for code in named(document) if (words := code.split()))


@cache
def classes() -> dict[str, set[str]]:
    """The classes of perdure, with the names that each and those above it define."""
    found: dict[str, tuple[set[str], list[str]]] = {}
    for node in (n for s in sources(PACKAGE) for n in ast.walk(s.tree)):
        if isinstance(node, ast.ClassDef):
            own, above = found.setdefault(node.name, (set(), []))
            own.update(n.name for n in node.body if isinstance(n, Function))
            targets = (n for n in ast.walk(node) if isinstance(n, ast.Attribute | ast.Name))
            stored = (n for n in targets if isinstance(n.ctx, ast.Store))
            own.update(n.attr if isinstance(n, ast.Attribute) else n.id for n in stored)
            above += [ast.unparse(base).partition("[")[0] for base in node.bases]

    def names(name: str) -> set[str]:
        own, above = found.get(name, (set(), []))
        return own.union(*(names(each) for each in above if each != name))

    return {name: names(name) for name in found}


@cache
def functions() -> set[str]:
    nodes = (n for s in sources(PACKAGE) for n in ast.walk(s.tree))
    return {n.name for n in nodes if isinstance(n, Function)}


def of_all_documents(wrong: Wrong) -> list[str]:
    return [
        f"{document.relative_to(ROOT)}: {finding}"
        for document in DOCUMENTS
        for finding in wrong(document)
    ]


# --- what is named exists


def test_a_link_leads_somewhere() -> None:
    def wrong(document: Path) -> Iterator[str]:
        for match in LINK.finditer(document.read_text(encoding="utf-8")):
            target = document.parent / match[1] if match[1] else document
            if not target.exists():
                yield match[0]
            elif match[2] and match[2][1:] not in anchors(target):
                yield f"{match[0]}: no such heading"

    none_of(of_all_documents(wrong))


def anchors(document: Path) -> set[str]:
    """The headings of a document as links name them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def test_a_file_that_is_named_exists() -> None:
    def wrong(document: Path) -> Iterator[str]:
        for code in named(document):
            path, _, test = code.partition("::")
            if not PLACE.fullmatch(path):
                continue
            if not (ROOT / path).exists():
                yield f"{path} is not there"
            elif test and f"def {test}(" not in (ROOT / path).read_text(encoding="utf-8"):
                yield f"{path} has no {test}"

    none_of(of_all_documents(wrong))


def test_a_module_that_is_named_can_be_imported() -> None:
    def wrong(document: Path) -> Iterator[str]:
        for code in named(document):
            if re.fullmatch(rf"{PACKAGE}(\.\w+)+", code):
                try:
                    import_module(code)
                except ImportError as error:
                    yield f"{code}: {error}"

    none_of(of_all_documents(wrong))


def test_a_class_member_or_function_that_is_named_is_in_the_code() -> None:
    def wrong(document: Path) -> Iterator[str]:
        for code in named(document):
            member, call = MEMBER.fullmatch(code), CALL.fullmatch(code)
            if member and member[2] not in classes().get(member[1], set()):
                yield f"there is no {code}"
            elif call and call[1] not in functions() and not hasattr(builtins, call[1]):
                yield f"there is no function {call[1]}"

    none_of(of_all_documents(wrong))


def test_a_make_target_that_is_named_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))

    def wrong(document: Path) -> Iterator[str]:
        for words in commands(document):
            if words[0] == "make" and len(words) > 1 and words[1] not in targets:
                yield " ".join(words)

    none_of(of_all_documents(wrong))


def test_a_verb_that_is_named_is_there_with_its_options() -> None:
    def wrong(document: Path) -> Iterator[str]:
        for words in commands(document):
            if words[0] != PACKAGE or len(words) < 2 or not words[1].isalpha():
                continue
            if words[1] not in VERBS:
                yield f"there is no verb {words[1]}"
                continue
            command: click.Command = import_module(VERBS[words[1]][0]).command
            if isinstance(command, click.Group) and len(words) > 2:
                command = command.commands.get(words[2], command)
            known = {option for parameter in command.params for option in parameter.opts}
            given = {word.partition("=")[0] for word in words[2:] if word.startswith("--")}
            yield from (f"{words[1]} has no {option}" for option in sorted(given - known))

    none_of(of_all_documents(wrong))


# --- what is shown happens


@pytest.mark.parametrize("document", WITH_EXAMPLES, ids=lambda path: path.name)
def test_the_examples_of_a_document_do_what_it_says(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PERDURE_HOME")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    shown = 0
    for block in blocks(document):
        if block.language in ("python", "toml"):
            write(block, tmp_path)
        elif block.language == "console":
            for command, expected in sessions(block):
                assert_shows(command, expected, output_of(command, tmp_path))
                shown += 1
    assert shown > 0


def write(block: Block, folder: Path) -> None:
    """Write the file that a block is; its first line, a comment, names it."""
    path = folder / block.lines[0].removeprefix("# ")
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(block.lines) + "\n", encoding="utf-8")


def sessions(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block, and the lines under it."""
    command, expected = "", []
    for line in block.lines:
        if line.startswith("$ "):
            if command:
                yield command, expected
            command, expected = line[2:], []
        else:
            expected.append(line)
    yield command, expected


def output_of(command: str, folder: Path) -> list[str]:
    done = subprocess.run(
        shlex.split(command),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS_MAX,
    )
    return done.stdout.splitlines() + done.stderr.splitlines()


def assert_shows(command: str, expected: list[str], got: list[str]) -> None:
    """Lines are the same but for times; a line `…` stands for any lines, at an end for any end."""
    shown = TIMES.sub("TIME", "\n".join([*got, ""]))
    if not re.fullmatch("".join(map(pattern_of, expected)), shown):
        wanted = "\n".join(expected)
        raise AssertionError(f"$ {command}\n{shown}\nThe document shows:\n{wanted}")


def pattern_of(line: str) -> str:
    if line == ELISION:
        return r"(?:.*\n)*?"
    end = ".*" if line.endswith(ELISION) else ""
    return re.escape(TIMES.sub("TIME", line.removesuffix(ELISION))) + end + r"\n"
