"""What .importlinter's contracts cannot say: doors of our own rooms, and no cycles at run time."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from tests.sources import PACKAGE, Source, imports, none_of, sources


def modules() -> dict[str, Source]:
    return {source.module: source for source in sources(PACKAGE)}


def is_package(source: Source) -> bool:
    return source.path.endswith("/__init__.py")


def test_nothing_inside_imports_from_the_public_door() -> None:
    """`from perdure import Actor` is for users; inside, it would hide a cycle from the layers."""
    known = modules()
    strays = [
        f"{s.path}:{i.line}"
        for s in known.values()
        for i in imports(s.tree)
        if i.module == PACKAGE and f"{PACKAGE}.{i.name}" not in known
    ]
    none_of(strays)


def test_a_room_has_no_door_of_its_own() -> None:
    """A room's `__init__` says what the room is; one imports from the module that has the noun.

    What users send to supervisors is a room's own: its names are imported when they are used.
    """
    doors = [
        f"{s.path}:{i.line}"
        for s in modules().values()
        if is_package(s)
        and s.module not in (PACKAGE, f"{PACKAGE}.supervisors", f"{PACKAGE}.testing")
        for i in imports(s.tree)
        if i.module != "__future__"
    ]
    none_of(doors)


def test_no_cycle_of_imports_at_run_time() -> None:
    known = modules()
    graph = {
        name: {
            target
            for i in imports(source.tree, typing_too=False)
            for target in (f"{i.module}.{i.name}", i.module)
            if target in known and target != name
        }
        for name, source in known.items()
    }
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as cycle:
        raise AssertionError(" -> ".join(cycle.args[1])) from None
    assert set(order) == set(known)


def test_every_module_says_what_it_is() -> None:
    silent = [s.path for s in modules().values() if not starts_with_a_sentence(s)]
    none_of(silent)


def starts_with_a_sentence(source: Source) -> bool:
    return bool(source.lines) and source.lines[0].lstrip("r").startswith('"""')
