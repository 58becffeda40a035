"""Declarations: what a class body says, and what is refused, each with the way out."""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from perdure.actors.actor import Actor, field, nonblocking, volatile
from perdure.actors.state import build
from perdure.errors import DeclarationError, UndeclaredState


class Base(Actor):
    first: int = 1
    second: str = "b"


def define(annotations: dict[str, Any] | None = None, bases: Any = (Actor,), **body: Any) -> Any:
    """A class `Editor` with that body, as a class statement would make it."""
    named = {"__module__": __name__, "__annotations__": annotations or {}}
    return type("Editor", bases, {**named, **body})


def refusal(annotations: dict[str, Any] | None = None, **body: Any) -> str:
    with pytest.raises(DeclarationError) as refused:
        define(annotations, **body)
    return str(refused.value)


# --- what is read


def test_fields_come_in_order_with_those_of_the_classes_above_first() -> None:
    class Editor(Base):
        third: float = 0.0
        first: int = 7
        _private: int = 0
        LIMIT: ClassVar[list[int]] = []
        cache: dict[str, int] = volatile(default_factory=dict)

    declared = Editor.__declaration__
    assert list(declared.fields) == ["first", "second", "third"]
    assert sorted(declared.volatile) == ["_private", "cache"]
    assert build(Editor, {}).first == 7


def test_a_plain_assignment_gives_an_inherited_field_another_default() -> None:
    class Editor(Base):
        second = "c"

    assert (build(Editor, {}).second, build(Base, {}).second) == ("c", "b")


def test_a_class_is_known_by_its_name_or_by_the_one_it_gives() -> None:
    class Editor(Actor, name="editor", version=3, aliases=("Old",)):
        pass

    declared = Editor.__declaration__
    assert (declared.name, declared.version, declared.aliases) == ("editor", 3, ("Old",))
    assert (Base.__declaration__.name, Base.__declaration__.version) == ("Base", 1)


def test_a_declaration_knows_where_it_is() -> None:
    declared = Base.__declaration__
    assert declared.file == __file__
    with open(__file__) as source:
        assert source.read().splitlines()[declared.line - 1] == "class Base(Actor):"


def test_the_kind_of_the_handler_is_found() -> None:
    class Async(Actor):
        async def on_receive(self, message: object) -> None: ...

    class Plain(Actor):
        def on_receive(self, message: object) -> None: ...

    class Quick(Actor):
        @nonblocking
        def on_receive(self, message: object) -> None: ...

    kinds = [cls.__declaration__.kind for cls in (Async, Plain, Quick, Base)]
    assert kinds == ["async", "def", "nonblocking", "def"]


def test_overridden_hooks_are_known_with_their_kind_wherever_they_are_overridden() -> None:
    class Loads(Actor):
        def on_load(self) -> None: ...

    class Editor(Loads):
        async def on_start(self) -> None: ...

    assert Editor.__declaration__.hooks == {"on_load": "def", "on_start": "async"}
    assert Base.__declaration__.hooks == {}


# --- what is refused


@pytest.mark.parametrize(
    "name", ["tell", "actor_ref", "actor_urn", "_turn", "_actor_loop", "address", "start", "use"]
)
def test_a_name_that_actor_or_pykka_uses_is_refused(name: str) -> None:
    text = rf"Editor.{name} ({__file__}"
    for refused in (
        refusal({name: int}),
        refusal({}, **{name: 1}),
        refusal({name: int}, **{name: 1}),
    ):
        assert refused.startswith(text)
        assert refused.endswith(
            f"a name that Actor or Pykka uses: choose another name, like {name}_."
        )
    assert "choose another name" in refusal(**{name: lambda self: None})


def test_a_hook_cannot_be_a_field() -> None:
    assert "it is a hook" in refusal({"on_start": int}, on_start=1)


@pytest.mark.parametrize("value", [[], {}, set(), bytearray(), deque([1]), ([],)])
def test_a_mutable_default_is_refused(value: Any) -> None:
    for given in (value, field(default=value), volatile(default=value)):
        text = refusal({"pages": Any}, pages=given)
        assert f"Editor.pages ({__file__}" in text
        assert f"a default of type {type(value).__name__} would be shared" in text
        assert "field(default_factory=" in text


def test_a_mutable_value_without_an_annotation_is_refused_unless_it_is_a_constant() -> None:
    assert "Make it a field: `pages: list = field(default_factory=…)`" in refusal(pages=[])
    assert define(PAGES=[1], _pages=[2]).PAGES == [1]


@pytest.mark.parametrize(
    ("annotation", "named"),
    [
        (threading.Thread, "threading.Thread"),
        (threading.Lock, "lock"),
        (Callable[[], None], "collections.abc.Callable"),
        ("list[Callable[[], None]]", "collections.abc.Callable"),
        ("dict[str, deque[int]] | None", "collections.deque"),
        (dict[tuple[int, int], str], "a dict key of type tuple"),
    ],
)
def test_a_type_that_has_no_bytes_is_refused(annotation: Any, named: str) -> None:
    text = refusal({"client": annotation})
    assert f"Editor.client ({__file__}" in text
    assert named in text
    assert "has no bytes" in text
    assert "build it in on_load as `_client`, or declare it `= volatile()`" in text


def test_a_type_that_has_no_bytes_may_be_volatile_private_or_of_the_class() -> None:
    editor = define(
        {
            "client": threading.Thread,
            "_client": threading.Thread,
            "main": ClassVar[threading.Thread],
        },
        client=volatile(),
    )
    assert list(editor.__declaration__.fields) == []


def test_a_field_cannot_be_hidden_by_a_property() -> None:
    with pytest.raises(DeclarationError, match=r"Editor\.first .*hides a field"):
        define(bases=(Base,), first=property(lambda self: 1))


def test_a_field_without_an_annotation_is_refused() -> None:
    assert "it has no type: write `pages: … = field(…)`" in refusal(pages=field(default=1))


def test_a_default_and_a_factory_together_are_refused() -> None:
    with pytest.raises(DeclarationError, match="default or default_factory, not both"):
        field(default=1, default_factory=int)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("name", "way_out"),
    [("__init__", "use on_start"), ("__new__", "on_load"), ("__setattr__", "use a property")],
)
def test_an_own_constructor_is_refused(name: str, way_out: str) -> None:
    text = refusal(**{name: lambda self: None})
    assert f"Editor.{name} ({__file__}" in text
    assert way_out in text


def test_slots_are_refused() -> None:
    assert "annotated attributes are the declaration" in refusal({"a": int}, __slots__=("a",))


def test_a_constructor_that_comes_from_a_mixin_is_refused() -> None:
    class Mixin:
        def __init__(self) -> None: ...

    with pytest.raises(DeclarationError, match=r"Editor\.__init__ .*use on_start"):
        define(bases=(Mixin, Actor))


def test_a_dataclass_decorator_is_refused_when_the_class_is_first_used() -> None:
    @dataclass
    class Editor(Actor):
        total: int = 0

    with pytest.raises(DeclarationError, match=r"Editor .*decorated with @dataclass: remove it"):
        build(Editor, {})


# --- assigning


def test_an_undeclared_attribute_is_refused_with_the_nearest_name_and_the_ways_out() -> None:
    actor = build(Base, {})
    with pytest.raises(UndeclaredState) as refused:
        actor.secnod = "x"  # type: ignore[attr-defined]
    text = str(refused.value)
    assert text.startswith(f"Base ({__file__}:")
    for part in ("'secnod'", "Did you mean 'second'?", "`_secnod`", "volatile()", "`secnod: int"):
        assert part in text


def test_private_and_volatile_attributes_and_properties_can_be_assigned() -> None:
    class Editor(Actor):
        total: int = 0
        handle: Any = volatile()

        @property
        def double(self) -> int:
            return 2 * self.total

        @double.setter
        def double(self, value: int) -> None:
            self.total = value // 2

        @functools.cached_property
        def cached(self) -> int:
            return self.total

    actor = build(Editor, {})
    actor.handle = actor._private = object()  # type: ignore[attr-defined]
    actor.double = 8
    assert actor.total == actor.cached == 4


def test_a_constant_of_the_class_cannot_be_assigned_on_the_actor() -> None:
    actor = define(limit=3)()
    with pytest.raises(UndeclaredState, match="'limit'"):
        actor.limit = 4


def test_a_durable_attribute_cannot_be_deleted() -> None:
    actor = build(Base, {})
    with pytest.raises(UndeclaredState, match=r"Base\.first is durable.*Assign None"):
        del actor.first
    actor._private = 1  # type: ignore[attr-defined]
    del actor._private  # type: ignore[attr-defined]
