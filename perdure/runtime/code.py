"""A scenario's code: loaded from where it lies, digested, and its actor classes by name."""

from __future__ import annotations

import ast
import itertools
import linecache
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.machinery import EXTENSION_SUFFIXES as EXTENSIONS
from importlib.machinery import ExtensionFileLoader, FileFinder, ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from perdure.actors.actor import Actor
from perdure.caps.tool import CODE_PREFIX
from perdure.errors import NameClash, ScenarioError
from perdure.runtime.document import shown
from perdure.runtime.sources import digest_of, kept_files, read_sources

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Code:
    """The loaded code of a scenario: its module's names, and what it was made of.

    `digest` is the blake2b-256 of the names and bytes of the `*.py` files in its folder, which
    `files` has: what `kept_files` makes of them.
    """

    path: Path
    digest: bytes
    namespace: dict[str, Any] = field(repr=False, compare=False)
    files: bytes = field(default=b"", repr=False, compare=False)


def load_code(path: str | Path) -> Code:
    """Run the Python file at `path` as a fresh module, and give what it defines.

    Files and packages beside it can be imported by name, also later from inside its functions,
    until the next scenario's code is loaded: then they are forgotten, since two scenarios may each
    have a `messages.py`. The standard library comes first, and nothing compiled is written.

    Raises `ScenarioError` that names file and line for a file that cannot be read, and for
    whatever its import raises.
    """
    path = Path(os.path.abspath(path))
    sources = read_sources(path)
    _check_twice(path)
    _forget()
    name = f"{CODE_PREFIX}{next(_numbers)}"
    spec = spec_from_file_location(name, path, loader=_Fresh(name, str(path)))
    if spec is None or spec.loader is None:
        raise ScenarioError(f"{shown(path)} is no Python file.")
    module = sys.modules[name] = module_from_spec(spec)
    siblings = _Siblings(path, module)
    sys.meta_path.insert(_before_sys_path(), siblings)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        _forget()
        raise _failure(path, error) from error
    digest = digest_of(sources)
    if digest_of(read_sources(path)) != digest:
        raise ScenarioError(f"{shown(path.parent)} changed while it was loaded. Load it again.")
    return Code(path, digest, vars(module), kept_files(path.name, sources))


def actor_classes(code: Code) -> dict[str, type[Actor]]:
    """The actor classes that the code defines or imports: by class name, registered name, alias.

    Raises `NameClash` for two classes of one name.
    """
    found: dict[str, type[Actor]] = {}
    for value in code.namespace.values():
        if not (isinstance(value, type) and issubclass(value, Actor)) or _is_ours(value):
            continue
        declared = value.__declaration__
        for name in (value.__name__, declared.name, *declared.aliases):
            rival = found.setdefault(name, value)
            if rival is not value:
                raise NameClash(
                    f"two actor classes are named {name!r}: {_where(rival)} and {_where(value)}. "
                    "Rename one of them."
                )
    return found


def _check_twice(path: Path) -> None:
    """Raise `NameClash` for two message classes of one name in the file: the later would win."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (SyntaxError, ValueError, RecursionError):
        return  # loading it says what is wrong
    seen: dict[str, int] = {}
    for node in body:
        if isinstance(node, ast.ClassDef) and "message" in map(_called, node.decorator_list):
            first = seen.setdefault(node.name, node.lineno)
            if first != node.lineno:
                raise NameClash(
                    f"two message classes are named {node.name!r}: {shown(path)}:{first} and "
                    f"{shown(path)}:{node.lineno}. Rename one of them."
                )


def _called(decorator: ast.expr) -> str | None:
    """The name of a decorator, used bare or called."""
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", None)


class _Fresh(SourceFileLoader):
    """Compiles what is in the file now: cached bytecode is as stale as a clock is coarse."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _Siblings:
    """Finds what lies beside the code of the current scenario, and knows what it found.

    `sys.path` would do for one scenario. This can also tell which modules to forget with it.
    """

    def __init__(self, path: Path, module: ModuleType) -> None:
        sources = (_Fresh, [".py"])
        self._finder = FileFinder(str(path.parent), (ExtensionFileLoader, EXTENSIONS), sources)
        self._found: set[str] = set()
        # a sibling that imports the code by its file's name means this module, not a second one
        if path.stem not in sys.modules and path.stem not in sys.stdlib_module_names:
            sys.modules[path.stem] = module
            self._found.add(path.stem)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None or name in sys.stdlib_module_names:
            return None
        spec = self._finder.find_spec(name, target)
        if spec is None or spec.loader is None:  # a folder without __init__.py is no package
            return None
        self._found.add(name)
        return spec

    def names(self) -> list[str]:
        """The modules that were found here."""
        return [name for name in list(sys.modules) if name.partition(".")[0] in self._found]

    def forget(self) -> None:
        """Leave the import system as it was."""
        sys.meta_path.remove(self)
        for name in self.names():
            del sys.modules[name]


def _forget() -> None:
    for finder in [each for each in sys.meta_path if isinstance(each, _Siblings)]:
        finder.forget()


@contextmanager
def in_place_of_the_loaded() -> Iterator[None]:
    """What is loaded inside takes the place of what was; if anything fails, that is there again."""
    finders = [each for each in sys.meta_path if isinstance(each, _Siblings)]
    modules = {name: sys.modules[name] for each in finders for name in each.names()}
    try:
        yield
    except BaseException:
        _forget()
        for finder in finders:
            sys.meta_path.insert(_before_sys_path(), finder)
        sys.modules.update(modules)
        raise


def _before_sys_path() -> int:
    """The place in `sys.meta_path` before the finder of `sys.path`: siblings come first."""
    names = [getattr(finder, "__name__", "") for finder in sys.meta_path]
    return names.index("PathFinder") if "PathFinder" in names else len(names)


def _failure(path: Path, error: BaseException) -> ScenarioError:
    """`error` as one that names the last line of the scenario's folder that led to it."""
    file, line = str(path), 1
    if isinstance(error, SyntaxError) and os.path.isfile(error.filename or ""):
        file, line = str(error.filename), error.lineno or 1
    else:
        for frame in traceback.extract_tb(error.__traceback__):
            if Path(frame.filename).is_relative_to(path.parent):
                file, line = frame.filename, frame.lineno or 1
    linecache.checkcache(file)
    written = linecache.getline(file, line).strip()
    says = error.msg if isinstance(error, SyntaxError) else str(error)
    text = f"{type(error).__name__}: {says}" if says else type(error).__name__
    quoted = f"\n    {written}" if written else ""
    return ScenarioError(f"{shown(Path(file))}:{line}: the code does not load: {text}{quoted}")


def _is_ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == "perdure"


def _where(cls: type[Actor]) -> str:
    return f"{cls.__qualname__} ({cls.__declaration__.where})"
