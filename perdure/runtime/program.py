"""What a run executes: the root, the classes, the messages and the settings it was given."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from perdure.actors.actor import Actor
from perdure.actors.editions import Edition
from perdure.errors import ScenarioError, UsageError
from perdure.ledger.levels import GROUP, Durability, level
from perdure.ledger.messages import Names
from perdure.ledger.records import Run
from perdure.ledger.values import Codec
from perdure.limits import CONCURRENCY_DEFAULT, SEQ_MAX, TOKENS_DEFAULT
from perdure.runtime.code import Code, actor_classes, load_code
from perdure.runtime.housekeeping import Retention
from perdure.runtime.scenario import Scenario, load_scenario
from perdure.supervisors.spawned import Spawned
from perdure.supervisors.spec import Child
from perdure.supervisors.stored import kernel_part
from perdure.supervisors.supervisor import Supervisor

BUILT_IN: dict[str, type[Actor]] = {cls.__declaration__.name: cls for cls in (Supervisor, Spawned)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A scenario ready to run: its tree, and every class that the tree can need."""

    name: str
    tree: Child
    classes: dict[str, type[Actor]]
    names: Names
    scenario: Scenario | None = None
    code_hash: bytes = b""
    files: bytes = b""  # of its code, as the ledger keeps them; none: too large, or from Python
    other_code: Path | None = None  # in place of the scenario's: a fork's
    tokens: int | None = TOKENS_DEFAULT
    concurrency: int = CONCURRENCY_DEFAULT
    durability: Durability = GROUP
    retention: Retention | None = None  # of history, by a run that goes on
    dead_letters_to: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, scenario: Any, settings: Sequence[str] = ()) -> Program:
        """The program of a scenario's folder or file, a root `Supervisor` class, or a `Child`."""
        if isinstance(scenario, str | Path):
            scenario = load_scenario(scenario, settings)
        if isinstance(scenario, Scenario):
            return cls._of_scenario(scenario)
        if isinstance(scenario, Program):
            return scenario
        if isinstance(scenario, type) and issubclass(scenario, Supervisor):
            scenario = Child(scenario.__name__.lower(), scenario)
        if isinstance(scenario, Child):
            return cls._of_tree(scenario)
        raise UsageError(
            f"Run({scenario!r}): give a scenario's folder or file, a Supervisor class, or a Child."
        )

    @classmethod
    def _of_scenario(cls, scenario: Scenario) -> Program:
        code = None if scenario.code is None else load_code(scenario.code)
        classes = {} if code is None else actor_classes(code)
        scenario.check_actors(classes)
        return cls(
            name=scenario.name,
            tree=scenario.tree,
            classes={**classes, **BUILT_IN},
            names=Names() if code is None else Names.of(*namespaces(code)),
            scenario=scenario,
            code_hash=b"" if code is None else code.digest,
            files=b"" if code is None else code.files,
            tokens=scenario.tokens,
            concurrency=scenario.concurrency,
            durability=scenario.durability,
            retention=scenario.retention,
            dead_letters_to=scenario.dead_letters_to,
            settings=dict(scenario.settings),
        )

    @classmethod
    def _of_tree(cls, tree: Child) -> Program:
        classes = dict(BUILT_IN)
        for known in _subclasses(Actor):
            if "__declaration__" not in vars(known):
                continue  # its definition was refused
            if not known.__declaration__.name.startswith("perdure."):
                classes.setdefault(known.__declaration__.name, known)
        for known in _named(tree):
            classes[known.__declaration__.name] = known
        return cls(name=tree.id, tree=tree, classes=classes, names=Names.everything())

    @classmethod
    def resumed(cls, header: Run, code: str | None = None, settings: Sequence[str] = ()) -> Program:
        """The program of a run that an earlier process began; `settings` are changes to its own.

        `code` is another scenario, or a Python file in place of the scenario's: a fork may have it.
        """
        is_file = code is not None and code.endswith(".py")
        where = header.directory if code is None or is_file else code
        if not where:
            raise UsageError(
                f"the run {header.scenario!r} was started from Python: resume it there, with "
                "Run.resume(directory, program=Program.of(root))."
            )
        other = Path(code) if code is not None and is_file else None
        return cls._with(Path(where), header.settings, settings, other)

    def again(self) -> Program:
        """The program as its scenario's folder has it now, with the same settings.

        Raises `ScenarioError` for what does not load, and `UsageError` if it has no folder.
        """
        old = self.scenario
        if old is None:
            raise UsageError(
                "the run was started from Python: there is no scenario to load again. Begin with "
                'Run("FOLDER"), or end the run and resume it with the new program.'
            )
        program = self._with(old.path, self.settings, (), self.other_code)
        if program.tree.id != self.tree.id:
            raise ScenarioError(
                f"{old.path}: the root is {program.tree.id!r} now, and a run keeps the root that "
                f"it has, {self.tree.id!r}. Give it its id again, or begin another run."
            )
        return program

    @classmethod
    def _with(
        cls, where: Path, settings: Mapping[str, Any], more: Sequence[str], code: Path | None
    ) -> Program:
        """The program of a scenario with settings that it may know, and others that it must."""
        known = load_scenario(where).settings
        kept = {name: value for name, value in settings.items() if name in known}
        overrides = [f"{name}={_written(value)}" for name, value in kept.items()]
        scenario = load_scenario(where, [*overrides, *more])
        if code is not None:
            scenario = replace(scenario, code=code)
        return replace(cls.of(scenario), other_code=code)

    def at_level(self, durability: str | None) -> Program:
        """The program at the durability level of that name, if any. Raises `UsageError`."""
        return self if durability is None else replace(self, durability=level(durability))

    def edition(self) -> Edition:
        """Its code, as a kernel runs it."""
        return Edition(self.code_hash, self.classes, Codec(self.names))

    def specs(self) -> dict[str, dict[str, Any]]:
        """What its scenario gives supervisors, by address."""
        return {
            address: child.supervisor.to_data()
            for address, child in below(self.tree)
            if child.supervisor is not None
        }

    def header(self, seed: int, run_id: bytes) -> tuple[Any, ...]:
        """The fields of the run's first record, after time and sends.

        Raises `UsageError` for a seed that is not one of 64 bits.
        """
        if not -SEQ_MAX <= seed <= SEQ_MAX:
            raise UsageError(
                f"the seed is a number of {seed.bit_length()} bits. Take one that needs at most 63."
            )
        scenario = self.scenario
        return (
            run_id,
            self.name,
            "" if scenario is None else scenario.goal,
            seed,
            "" if scenario is None else scenario.source,
            "" if scenario is None else str(scenario.path),
            self.settings,
            self.code_hash,
            self.tokens,
            "cmu" if scenario is None else scenario.policy,
            self.concurrency,
            self.durability.name,
        )

    def root(self) -> dict[str, Any]:
        """What the root's birth needs."""
        tree, data = self.tree, self.tree.to_data()
        init = dict(tree.init)
        if tree.supervisor is not None:
            init["spec"] = data["supervisor"]
        found = self.classes.get(tree.actor_name)
        return {
            "address": f"/{tree.id}",
            "class_name": tree.actor_name,
            "version": 1 if found is None else found.__declaration__.version,
            "spec": kernel_part(data),
            "init": init,
        }

    def posts(self, codec: Codec) -> list[tuple[str, object]]:
        """The scenario's first messages."""
        scenario = self.scenario
        found: list[tuple[str, object]] = []
        for tell in () if scenario is None else scenario.tells:
            try:
                found.append((tell.to, codec.from_json(tell.message)))
            except UsageError as error:
                raise scenario.error(tell.line, str(error)) from None  # type: ignore[union-attr]
        return found


def namespaces(code: Code) -> list[Mapping[str, object]]:
    """The names of the code's module, and of the modules beside it that it has imported."""
    folder = str(code.path.parent) + os.sep
    beside = [
        vars(module)
        for module in list(sys.modules.values())
        if str(getattr(module, "__file__", None) or "").startswith(folder)
    ]
    return [code.namespace, *beside]


def _subclasses(cls: type[Actor]) -> list[type[Actor]]:
    found = []
    for child in cls.__subclasses__():
        found += [child, *_subclasses(child)]
    return found


def _named(tree: Child) -> list[type[Actor]]:
    """The classes that a tree names as classes."""
    found = [tree.actor] if isinstance(tree.actor, type) else []
    for child in tree.supervisor.children if tree.supervisor is not None else ():
        found += _named(child)
    return found


def below(child: Child, above: str = "") -> Iterator[tuple[str, Child]]:
    """A child of the actor at `above` and all below it, by address."""
    address = f"{above}/{child.id}"
    yield address, child
    for each in child.supervisor.children if child.supervisor is not None else ():
        yield from below(each, address)


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def package_version() -> str:
    """The version of perdure that is running."""
    try:
        return version("perdure")
    except PackageNotFoundError:
        return "0"


__all__ = ["Program", "ScenarioError", "namespaces", "package_version"]
