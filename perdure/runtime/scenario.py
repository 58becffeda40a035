"""A scenario as its file says it: what to run, with which settings, actors and first messages."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perdure.errors import ScenarioError, UsageError
from perdure.ids import check_name
from perdure.ledger.levels import GROUP, Durability, level
from perdure.ledger.messages import suggest
from perdure.limits import CONCURRENCY_DEFAULT, TOKENS_DEFAULT
from perdure.runtime import positions
from perdure.runtime.ages import age
from perdure.runtime.document import Document, Table, shown
from perdure.runtime.housekeeping import Retention
from perdure.runtime.settings import Setting, declared, filled, overridden
from perdure.runtime.tree import Tree
from perdure.supervisors.spec import Child

if TYPE_CHECKING:  # an actor class brings event loops with it, which reading a file does not need
    from perdure.actors.actor import Actor

FILE_NAME = "scenario.toml"
FORMAT = 1
POLICIES = ("cmu",)
_SUGGESTED_MAX = 5
_KEYS = (
    "format", "name", "goal", "code", "dead_letters_to", "durability",
    "settings", "budget", "scheduler", "retention", "tree", "tell",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """A first message: `message` in its JSON form, `{"$": "Scan"}`, and the line that it is on."""

    to: str
    message: dict[str, Any]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What one scenario file says, checked, with its settings filled in.

    `path`, `directory`, `code` are absolute; `source` is the text; `tokens` None is "unlimited".
    """

    name: str
    goal: str
    format: int
    path: Path
    directory: Path
    source: str
    code: Path | None
    dead_letters_to: str | None
    settings: dict[str, Setting]
    tokens: int | None
    policy: str
    concurrency: int
    durability: Durability
    retention: Retention | None
    tree: Child
    tells: tuple[Tell, ...]
    _document: Document = field(repr=False, compare=False)
    _actors: Mapping[str, positions.Path] = field(repr=False, compare=False)

    def error(self, line: int, text: str) -> ScenarioError:
        """`text` as an error on that line of the scenario's file."""
        return ScenarioError(f"{shown(self.path)}:{line}: {text}")

    def check_actors(self, classes: Mapping[str, type[Actor]]) -> None:
        """Raise `ScenarioError` for an actor whose class is not there or does not take its init."""
        for address, child in _workers(self.tree, ""):
            name = child.actor_name
            if name not in classes:
                raise self._no_class(address, name, classes)
            try:
                classes[name].__declaration__.check()
                classes[name].__declaration__.check_init(child.init)
            except UsageError as error:
                at = (*self._actors[address], "init")
                raise self._document.error(at, f"{address}: {error}") from None

    def _no_class(self, address: str, name: str, classes: Mapping[str, object]) -> ScenarioError:
        if self.code is None:
            there = 'the scenario has no code: write code = "actors.py".'
        else:
            listed = ", ".join(sorted(classes)) or "no actor classes"
            there = f"{shown(self.code)} has {listed}."
        text = f"{address}: there is no actor class {name!r}.{suggest(name, classes)} {there}"
        return self._document.error((*self._actors[address], "actor"), text)


def load_scenario(path: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """The scenario in a folder with `scenario.toml`, or in a file; overrides are `name=value`.

    Raises `ScenarioError`: one sentence that names file, line and column and the way out.
    """
    document = Document.read(_find(Path(path)))
    version = _format(Table(document, (), "a scenario", None))  # a newer one has keys of its own
    top = Table(document, (), "a scenario", _KEYS)
    settings = overridden(_settings(document), overrides)
    tree = Tree(document, settings)
    file = document.path.absolute()
    policy, concurrency = _scheduler(document)
    dead_letters = "dead_letters_to" in top
    return Scenario(
        name=_name(top),
        goal=top.take("goal", "a string") or "",
        format=version,
        path=file,
        directory=file.parent,
        source=document.source,
        code=_code(top, file.parent),
        dead_letters_to=_recipient(top, "dead_letters_to", tree) if dead_letters else None,
        settings=settings,
        tokens=_tokens(document),
        policy=policy,
        concurrency=concurrency,
        durability=_durability(top),
        retention=_retention(document),
        tree=tree.root,
        tells=tuple(_tell(document, at, tree) for at in top.tables("tell")),
        _document=document,
        _actors=tree.actors,
    )


def _find(path: Path) -> Path:
    """The scenario's file; when there is none, the error names those that are near."""
    folder = os.path.isdir(path)
    if folder and not os.access(path, os.R_OK | os.X_OK):
        raise ScenarioError(f"{path} cannot be read: permission denied. Run `chmod u+rx {path}`.")
    file = path / FILE_NAME if folder else path
    if os.path.exists(file):
        return file
    near = _nearby(path)
    wrong = f"has no {FILE_NAME}" if folder else "does not exist"
    if near:
        guess = suggest(path.name, [each.name for each in near])
        way = f"{guess} Scenarios nearby: {', '.join(map(shown, near))}."
    else:
        way = " `perdure new DIR` writes a scenario to start from."
    raise ScenarioError(f"{path} {wrong}.{way}")


def _nearby(path: Path) -> list[Path]:
    """Folders with a scenario, at most two levels below `path` or the nearest folder above it."""
    while not os.path.isdir(path):
        path = path.parent
    patterns = (f"[!.]*/{FILE_NAME}", f"[!.]*/[!.]*/{FILE_NAME}")
    found = (file.parent for pattern in patterns for file in path.glob(pattern))
    return sorted(islice(found, _SUGGESTED_MAX))


def _format(top: Table) -> int:
    version: int | None = top.take("format", "an integer")
    if version is None:
        return FORMAT
    if version > FORMAT:
        text = f"format {version} is newer than {FORMAT}, the newest that this perdure reads."
        raise top.error("format", f"{text} Install a newer perdure.")
    if version < FORMAT:
        raise top.error("format", f"there is no format {version}; write format = {FORMAT}.")
    return version


def _name(top: Table) -> str:
    name: str = top.need("name", "a string")
    try:
        return check_name(name)
    except UsageError as error:
        raise top.error("name", str(error)) from None


def _code(top: Table, directory: Path) -> Path | None:
    code: str | None = top.take("code", "a string")
    if code is None:
        return None
    path = directory / code
    if not path.is_file():
        there = [each.name for each in sorted(directory.glob("*.py"))]
        raise top.error("code", f"there is no file {shown(path)}.{suggest(code, there)}")
    return path


def _settings(document: Document) -> dict[str, Setting]:
    if "settings" not in document.values:
        return {}
    return declared(Table(document, ("settings",), "settings", None))


def _tokens(document: Document) -> int | None:
    if "budget" not in document.values:
        return TOKENS_DEFAULT
    table = Table(document, ("budget",), "a budget", ("tokens",))
    tokens: int | str | None = table.take("tokens", "an integer", "a string")
    if tokens is None:
        return TOKENS_DEFAULT
    if tokens == "unlimited":
        return None
    if isinstance(tokens, str) or tokens < 0:
        text = f'tokens is {tokens!r} and must be an integer from 0, or "unlimited".'
        raise table.error("tokens", text)
    return tokens


def _scheduler(document: Document) -> tuple[str, int]:
    """Policy and concurrency."""
    if "scheduler" not in document.values:
        return POLICIES[0], CONCURRENCY_DEFAULT
    table = Table(document, ("scheduler",), "a scheduler", ("policy", "concurrency"))
    policy: str = table.take("policy", "a string") or POLICIES[0]
    if policy not in POLICIES:
        text = f"there is no policy {policy!r}: only {POLICIES[0]!r} is available now."
        raise table.error("policy", text)
    concurrency: int | None = table.take("concurrency", "an integer")
    if concurrency is None:
        return policy, CONCURRENCY_DEFAULT
    if concurrency < 1:
        text = f"concurrency is {concurrency} and must be at least 1: it is the turns at once."
        raise table.error("concurrency", text)
    return policy, concurrency


def _durability(top: Table) -> Durability:
    name: str | None = top.take("durability", "a string")
    try:
        return GROUP if name is None else level(name)
    except UsageError as error:
        raise top.error("durability", str(error)) from None


def _retention(document: Document) -> Retention | None:
    if "retention" not in document.values:
        return None
    table = Table(document, ("retention",), "a retention", ("turns", "age"))
    turns: int | None = table.take("turns", "an integer")
    text: str | None = table.take("age", "a string")
    if (turns is None) == (text is None):
        raise document.error(("retention",), 'give turns = 100_000, or age = "7d", and not both.')
    if text is None:
        if turns is not None and turns < 1:
            raise table.error("turns", f"turns is {turns} and must be at least 1.")
        return Retention(turns=turns)
    try:
        return Retention(age_seconds=age(text))
    except UsageError as error:
        raise table.error("age", str(error)) from None


def _recipient(table: Table, key: str, tree: Tree) -> str:
    """The address at `key`, which must be an actor that is there when the tree has started."""
    to: str = table.need(key, "a string")
    if (template := tree.template_of(to)) is not None:
        pool = template.rpartition("/")[0]
        text = (
            f"{template} is the template of a pool, at which nobody lives: the children of {pool}"
        )
        raise table.error(key, f"{text} are {pool}/1 and so on, when somebody starts them.")
    if to in tree.actors:
        return to
    if to in tree.supervisors:
        actors = (each for each in tree.actors if tree.template_of(each) is None)
        below = next((each for each in actors if each.startswith(f"{to}/")), None)
        example = f" One of its actors is {below}." if below else ""
        raise table.error(key, f"{to} is a supervisor, which takes no first messages.{example}")
    some = ", ".join(islice(tree.actors, _SUGGESTED_MAX)) or "none"
    guess = suggest(to, tree.actors)
    raise table.error(key, f"there is no actor {to} in the tree.{guess} Actors there: {some}.")


def _tell(document: Document, path: positions.Path, tree: Tree) -> Tell:
    def fail(inner: positions.Path, _: str) -> ScenarioError:
        text = "settings reach actors through init only. For the text `${`, write `$${`."
        return document.error((*path, "message", *inner), text)

    table = Table(document, path, "a tell", ("to", "message"))
    to = _recipient(table, "to", tree)
    message = filled(table.need("message", "a table"), fail, known={})
    if not isinstance(message.get("$"), str):
        text = 'message does not name its class: write message = { "$" = "Name", field = value }.'
        raise table.error("message", text)
    return Tell(to=to, message=message, line=document.place(path)[0])


def _workers(child: Child, above: str) -> Iterator[tuple[str, Child]]:
    """Each actor below, with its address."""
    address = f"{above}/{child.id}"
    if child.supervisor is None:
        yield address, child
    else:
        for each in child.supervisor.children:
            yield from _workers(each, address)
