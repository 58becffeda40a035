"""What one Python file says about itself: counted with `ast`, told as facts, never as text."""

from __future__ import annotations

import ast
import codecs
import os
import stat
import threading
import warnings
from collections.abc import Iterable, Iterator, MutableMapping
from errno import EINVAL, EISDIR

from perdure import message, tool

FILE_BYTES_MAX = 16 * 1024 * 1024
"""Larger files are refused: one parse takes some twenty times a file's size of memory."""

COUNTED = ("size", "lines", "functions", "classes", "documentable", "documented")
"""The fields of `Facts` that add up."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef

_PARSING = threading.Lock()  # `catch_warnings` swaps filters of the whole process


@message
class Facts:
    """The facts of one file; `parse_file` says how each is counted. `size` is in bytes."""

    path: str
    size: int
    lines: int
    functions: int
    classes: int
    documentable: int
    documented: int
    imports: tuple[str, ...]


def parse_tokens(folder: str, path: str) -> int:
    """The tokens that parsing costs: a quarter of the file's bytes, rounded up.

    What `parse_file` refuses without reading (no such file, not a file, too large) costs nothing.
    """
    try:
        status = os.stat(os.path.join(folder, path))
    except OSError:
        return 0
    if not stat.S_ISREG(status.st_mode) or status.st_size > FILE_BYTES_MAX:
        return 0
    return -(-status.st_size // 4)


@tool("source.parse", effect="read", tokens=parse_tokens)
def parse_file(folder: str, path: str) -> Facts:
    """The facts of the file `path` (relative, with `/`) in `folder`.

    The counting rules, complete enough to be written a second time by somebody else:

    - *size*: bytes of the file.
    - *lines*: physical lines. A line ends with LF, CR LF or a lone CR; a last line without an end
      is a line too. A byte order mark is no text: a file of nothing else has 0 lines.
    - *functions*: `def` and `async def` statements, wherever they stand (methods, nested ones, in
      branches). A lambda is none.
    - *classes*: `class` statements, wherever they stand.
    - *documentable*: functions + classes + 1 for the module, if it has any statement.
    - *documented*: those of them whose body begins with a docstring: a statement that is just a
      string literal, even an empty one; bytes and f-strings are none.
    - *imports*: the distinct modules that its import statements name, wherever they stand, sorted
      by code point. `import a.b as c` and `from a.b import c` both name `a.b`. A relative import
      is resolved against the file's own folder: in `pkg/sub/x.py`, `from . import y` names
      `pkg.sub` and `from ..z import y` names `pkg.z`. One that leaves the surveyed folder, or
      names nothing but that folder itself, is kept as written (`..z`, `.`).

    Whether a file is Python at all is the compiler's own verdict on its bytes: cookie, byte order
    mark, else UTF-8. Raises what is wrong with it, always naming the relative path only:
    `SyntaxError` (bad cookie, bytes that do not decode, …), `ValueError` (a NUL byte, a file over
    `FILE_BYTES_MAX`), `RecursionError` (nested too deeply), `OSError` (no permission, a loop of
    links, a folder named `x.py`, …).

    >>> parse_file(os.path.dirname(ast.__file__), "ast.py").classes > 10
    True
    """
    source = _read(folder, path)
    tree = _parse(source, path)
    statements = list(_statements(tree))
    functions = [node for node in statements if isinstance(node, _Function)]
    classes = [node for node in statements if isinstance(node, ast.ClassDef)]
    documentable = [*functions, *classes, *([tree] if tree.body else [])]
    return Facts(
        path=path,
        size=len(source),
        lines=_lines(source),
        functions=len(functions),
        classes=len(classes),
        documentable=len(documentable),
        documented=sum(ast.get_docstring(node, clean=False) is not None for node in documentable),
        imports=tuple(sorted(set(_imports(statements, path.split("/")[:-1])))),
    )


def fold(totals: MutableMapping[str, int], facts: Facts) -> None:
    """Add one file to running totals: `files` and the fields of `COUNTED`.

    Nothing here knows which files were added before: folded twice is counted twice, and shows.
    """
    totals["files"] = totals.get("files", 0) + 1
    for name in COUNTED:
        totals[name] = totals.get(name, 0) + getattr(facts, name)


def _read(folder: str, path: str) -> bytes:
    full = os.path.join(folder, path)
    try:
        status = os.stat(full)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its writer for ever
            raise OSError(EINVAL, "Not a regular file")
        with open(full, "rb") as file:
            source = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:  # the same error, without the name of the folder: reports are compared
        raise type(error)(error.errno, error.strerror, path) from None
    if len(source) > FILE_BYTES_MAX:
        raise ValueError(
            f"{path} has more than {FILE_BYTES_MAX:,} bytes, the most that the survey parses; "
            "split it, or raise FILE_BYTES_MAX in facts.py"
        )
    return source


def _parse(source: bytes, path: str) -> ast.Module:
    try:
        with _PARSING, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # with -W error a warning would be a SyntaxError
            return ast.parse(source, filename=path)
    except (RecursionError, MemoryError):  # their own texts differ with the depth of the caller
        raise RecursionError(f"{path} is nested too deeply for Python's parser") from None


def _lines(source: bytes) -> int:
    # Bytes will do: in every encoding that source can have, CR and LF are these two bytes only.
    text = source.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text.count(b"\n") + (not text.endswith(b"\n") and text != b"")


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Every statement, at any depth. Expressions hold none, so most of the tree is not visited."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting.extend(getattr(node, block, ()))


def _imports(statements: Iterable[ast.stmt], folder: list[str]) -> Iterator[str]:
    for node in statements:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield _imported(node, folder)


def _imported(node: ast.ImportFrom, folder: list[str]) -> str:
    module = node.module or ""
    if not node.level:
        return module
    up = node.level - 1
    written = "." * node.level + module
    if up > len(folder):
        return written
    parts = [*folder[: len(folder) - up], *([module] if module else [])]
    return ".".join(parts) or written
