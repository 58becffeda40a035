"""`@message` makes frozen, slotted dataclasses with a name; `Names` is the set that a run knows."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from dataclasses import field
from enum import Enum
from typing import Any, ClassVar

import pytest

from perdure.actors import actor
from perdure.errors import DeclarationError, NameClash, UnknownName
from perdure.ledger.messages import Names, message, registration
from perdure.limits import NAME_BYTES_MAX
from tests.ledger import shelf

SHELF = ["Box", "Colour", "Empty", "Open", "Pages", "Rank", "Wide"]


@message
class Read:
    path: str
    line: int = 1
    tags: list[str] = field(default_factory=list)
    cost: ClassVar[float] = 2.5


def test_a_message_is_made_by_position_or_keyword_with_defaults() -> None:
    assert Read("a") == Read(path="a", line=1, tags=[])
    assert repr(Read("a", 2)) == "Read(path='a', line=2, tags=[])"
    assert Read("a").tags is not Read("a").tags
    assert Read.cost == 2.5


def test_a_message_is_frozen_and_has_no_room_for_more() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Read("a").path = "b"  # type: ignore[misc]
    assert not hasattr(Read("a"), "__dict__")


def test_the_name_is_the_class_name_or_the_one_given() -> None:
    plain, named = registration(Read), registration(shelf.Found)
    assert plain is not None
    assert named is not None
    assert (plain.name, plain.version, plain.aliases) == ("Read", 1, ())
    assert (named.name, named.version, named.aliases) == ("shelf.found", 2, ("Found",))
    assert plain.file == __file__


def test_enums_and_models_keep_their_nature() -> None:
    assert registration(shelf.Colour) is not None
    assert issubclass(shelf.Colour, Enum)
    assert not dataclasses.is_dataclass(shelf.Colour)
    assert not dataclasses.is_dataclass(shelf.Trip)
    assert shelf.Trip.model_validate({"page": "x", "days": "4"}).days == 4


def test_a_decorated_enum_is_registered_too() -> None:
    @message
    class Size(Enum):
        BIG = 1

    names = Names()
    names.add(Size)
    assert names.get("Size")["BIG"] is Size.BIG  # type: ignore[index]


def test_a_subclass_of_a_message_is_not_registered_by_its_parent() -> None:
    class Child(Read):
        pass

    assert registration(Child) is None
    with pytest.raises(DeclarationError, match="Child is no message class: decorate it with"):
        Names().add(Child)


@pytest.mark.parametrize("name", ["", "two words", "a@1", "a,b", "$x", "new\nline", 5])
def test_a_name_that_the_ledger_could_not_tell_apart_is_refused(name: Any) -> None:
    with pytest.raises(DeclarationError, match=r"cannot name the message class .*survey\.found"):
        message(name, version=1)(type("X", (), {}))
    with pytest.raises(DeclarationError, match="cannot name the message class"):
        message("fine", aliases=[name])(type("X", (), {}))


def test_a_name_that_is_too_long_is_refused_with_its_length() -> None:
    with pytest.raises(DeclarationError, match=f"has 129 of at most {NAME_BYTES_MAX} bytes"):
        message("n" * 129)(type("X", (), {}))


@pytest.mark.parametrize("version", [0, -1, True, 1.0, "2"])
def test_a_version_that_is_no_whole_number_from_one_is_refused(version: Any) -> None:
    with pytest.raises(DeclarationError, match="versions are whole numbers from 1"):
        message("x", version=version)(type("X", (), {}))


def test_a_name_of_perdure_is_refused_to_others() -> None:
    with pytest.raises(DeclarationError, match=r"'perdure\.start' cannot name X: .*perdure's own"):
        message("perdure.start")(type("X", (), {}))


def test_a_class_that_is_a_dataclass_already_is_refused() -> None:
    @dataclasses.dataclass
    class Twice:
        x: int

    with pytest.raises(DeclarationError, match=r"Twice has both .*remove @dataclass"):
        message(Twice)


def test_a_mutable_default_is_refused_with_the_way_out() -> None:
    with pytest.raises(DeclarationError, match=r"Shared cannot be a message: .*default_factory"):

        @message
        class Shared:
            x: list[int] = []


def test_the_field_and_volatile_of_actors_mean_the_same_in_a_message() -> None:
    @message
    class Fields:
        a: int = actor.field()
        b: int = actor.field(default=2)
        c: list[int] = actor.field(default_factory=list)

    assert Fields(1) == Fields(1, 2, [])
    assert Fields(1).c is not Fields(1).c
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
        Fields()
    with pytest.raises(DeclarationError, match=r"Gone\.x is volatile\(\), but a message is stored"):

        @message
        class Gone:
            x: int = actor.volatile(default=1)


def test_names_are_collected_from_the_namespaces_of_modules() -> None:
    names = Names.of(vars(shelf), {"Read": Read, "also": Read, "other": 1, "plain": int})
    assert list(names) == sorted([*SHELF, "Read", "shelf.found", "shelf.right", "shelf.trip"])
    assert names.get("Read") is Read
    assert names.get("Found") is names.get("shelf.found") is shelf.Found
    assert "Found" in names
    assert "Fond" not in names


def test_an_unknown_name_is_told_with_the_nearest_and_all_that_are_known() -> None:
    names = Names.of({"Read": Read, "Empty": shelf.Empty})
    with pytest.raises(UnknownName) as caught:
        names.get("Raed")
    assert str(caught.value) == (
        "no message class is named 'Raed' in this run. Did you mean 'Read'? It knows Empty, Read. "
        "Put the class back, import it where the actors are, or give its new name "
        "aliases=('Raed',)."
    )


def test_two_classes_of_one_name_are_a_clash_that_names_both_files() -> None:
    @message("Box")
    class Other:
        x: int

    with pytest.raises(NameClash) as caught:
        Names.of(vars(shelf), {"Other": Other})
    text = str(caught.value)
    assert "two message classes are named 'Box': Box (" in text
    assert f"{shelf.__file__}:" in text
    assert f"{__file__}:" in text
    assert '@message("place.Box")' in text


def test_an_alias_that_another_class_has_as_its_name_is_a_clash() -> None:
    @message("new", aliases=("Empty",))
    class Renamed:
        pass

    with pytest.raises(NameClash, match="named 'Empty'"):
        Names.of(vars(shelf), {"Renamed": Renamed})


def define_again() -> type[Any]:
    @message("defined.again")
    class Again:
        x: int

    return Again


def test_a_class_that_is_defined_again_takes_its_own_place() -> None:
    names = Names()
    names.add(define_again())
    second = define_again()
    names.add(second)
    assert names.get("defined.again") is second
    assert Names.everything().get("defined.again") is second


def test_what_is_known_process_wide_clashes_only_when_it_is_looked_up() -> None:
    def one() -> None:
        @message("clash.everywhere")
        class Thing:
            x: int

    def two() -> None:
        @message("clash.everywhere")
        class Thing:
            x: int

    one()
    two()
    with pytest.raises(NameClash, match=r"one\.<locals>\.Thing.*two\.<locals>\.Thing"):
        Names.everything().get("clash.everywhere")


def test_perdures_own_messages_are_known_to_every_run_and_not_listed() -> None:
    own = type("Own", (), {"__module__": "perdure.limits", "__annotations__": {"x": "int"}})
    made = message("perdure.test_own")(own)
    names = Names()
    assert names.get("perdure.test_own") is made
    assert "perdure.test_own" in names
    assert list(names) == []


def test_pydantic_is_not_imported_until_a_program_does() -> None:
    program = (
        "import sys; from perdure.ledger.values import Codec\n"
        "from perdure.ledger.messages import message\n"
        "message(type('X', (), {})); Codec().encode([1, (2,)])\n"
        "print('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
