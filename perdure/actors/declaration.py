"""What an actor class declares: durable fields, name, handlers. Refuses what cannot be durable."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from perdure.actors.storable import annotations_of, is_class_var, unstorable
from perdure.errors import DeclarationError, UsageError

HandlerKind = Literal["async", "def", "nonblocking"]

HOOKS = frozenset(
    {"on_receive", "on_start", "on_load", "on_stop", "on_failure", "on_restart", "migrate"}
)

OPTIONS = frozenset({"trap_exit"})
"""What a class says of itself by a plain attribute."""

_NO_OVERRIDE = {
    "__init__": "durable attributes are declared and given in a child's init; use on_start",
    "__new__": "use on_start, or on_load for what is rebuilt each time the object is",
    "__setattr__": "state is tracked through it; use a property",
    "__delattr__": "state is tracked through it; assign None",
    "__getattribute__": "state is read past it; use a property",
}


class Spec:
    """How one attribute begins; what `field()` and `volatile()` return."""

    __slots__ = ("default", "durable", "factory", "required")

    def __init__(self, durable: bool, given: Mapping[str, Any]) -> None:
        if len(given) > 1:
            raise DeclarationError("give default or default_factory, not both.")
        self.durable = durable
        self.default = given.get("default")
        self.factory: Callable[[], Any] | None = given.get("default_factory")
        self.required = not given

    def make(self) -> Any:
        """A first value."""
        return self.default if self.factory is None else self.factory()


class Declaration:
    """What one actor class declares. Made when the class is defined, at `cls.__declaration__`."""

    def __init__(
        self, cls: type, base: type, name: str, version: int, aliases: tuple[str, ...]
    ) -> None:
        self.cls = cls
        self.name = name
        self.version = version
        self.aliases = aliases
        self.file, self.line = _place(cls)
        self.fields: dict[str, Spec] = {}  # durable, in order
        self.volatile: dict[str, Spec] = {}
        above = [c for c in cls.__mro__[:0:-1] if issubclass(c, base) and c is not base]
        for one in above:
            self.fields |= one.__declaration__.fields  # type: ignore[attr-defined]
            self.volatile |= one.__declaration__.volatile  # type: ignore[attr-defined]
        _Body(self, base).read()
        self.names = frozenset(self.fields)
        self.whats = {field: f"{cls.__name__}.{field}" for field in self.fields}
        self.order = {field: at for at, field in enumerate(self.fields)}
        self.kind: HandlerKind = _kind(getattr(cls, "on_receive"))  # noqa: B009
        self.hooks: dict[str, HandlerKind] = {
            hook: _kind(getattr(cls, hook))
            for hook in HOOKS
            if getattr(cls, hook, None) is not None and not _same(cls, base, hook)
        }
        """The hooks that the class has of its own, and how to run them."""
        self._checked = False

    @property
    def where(self) -> str:
        """The place of the definition, as `file:line`."""
        return f"{self.file}:{self.line}"

    def in_order(self, names: Iterable[str]) -> list[str]:
        """Field names in the order of the declaration; unknown ones last."""
        try:
            return sorted(names, key=self.order.__getitem__)
        except KeyError:
            return sorted(names, key=lambda name: (self.order.get(name, len(self.order)), name))

    def check(self) -> None:
        """Raise `DeclarationError` for what only shows after the definition: a decorator."""
        if self._checked:
            return
        if "__dataclass_fields__" in vars(self.cls):
            raise DeclarationError(
                f"{self.cls.__name__} ({self.where}) is decorated with @dataclass: remove it. "
                "Annotated attributes of an Actor are its fields already."
            )
        self._checked = True

    def check_init(self, init: Mapping[str, object]) -> None:
        """Raise `UsageError` for a name that is unknown or missing in `init`."""
        self.check_known(init, "init of")
        missing = [n for n, spec in self.fields.items() if spec.required and n not in init]
        if missing:
            raise UsageError(
                f"{self.cls.__name__} ({self.where}) needs {_list(missing)} in its init. "
                "Give it there, or declare a default."
            )

    def check_state(self, state: Mapping[str, object]) -> None:
        """Raise `UsageError` unless stored fields are those of the class, as far as required."""
        for name in state:
            if name not in self.fields:
                raise UsageError(
                    f"the ledger holds {self.cls.__name__}.{name}, which {self.where} declares no "
                    "more. Declare it, or raise the version and drop it in migrate()."
                )
        for name, spec in self.fields.items():
            if spec.required and name not in state:
                raise UsageError(
                    f"{self.cls.__name__}.{name} ({self.where}) has no default, and the ledger "
                    "does not hold it. Declare a default, or raise the version and add it in "
                    "migrate()."
                )

    def check_known(self, names: Iterable[str], what: str) -> None:
        """Raise `UsageError` for the first name that is no field."""
        for name in names:
            if name not in self.fields:
                raise UsageError(
                    f"{what} {self.cls.__name__} ({self.where}): there is no field {name!r}. "
                    f"{_nearest(name, self.fields)}"
                )

    def undeclared(self, name: str) -> str:
        """What to say when a public attribute is assigned that the class does not declare."""
        return (
            f"{self.cls.__name__} ({self.where}) declares no {name!r}. "
            f"{_nearest(name, [*self.fields, *self.volatile])} Declare it in the class to make it "
            f"durable (`{name}: int = 0`); use `_{name}`, or `{name}: … = volatile()`, if it may "
            "be gone after an unload."
        )


class _Body:
    """The reading of one class body into its declaration."""

    def __init__(self, declaration: Declaration, base: type) -> None:
        self.declaration = declaration
        self.cls = declaration.cls
        self.base = base
        bases = base.__mro__[:-1]
        self.taken = {n for c in bases for n in (*vars(c), *vars(c).get("__annotations__", ()))}

    def read(self) -> None:
        body = dict(vars(self.cls))
        annotated = annotations_of(self.cls)
        if body.get("__slots__"):
            raise self._error("__slots__", "remove it: annotated attributes are the declaration.")
        for name, way_out in _NO_OVERRIDE.items():
            if not _same(self.cls, self.base, name):
                raise self._error(name, f"an actor has none of its own: {way_out}.")
        for name, value in body.items():
            self._check_name(name, name in annotated, value)
            if name not in annotated:
                self._read_plain(name, value)
        for name, annotation in annotated.items():
            if name not in body:
                self._check_name(name, True, None)
            if not is_class_var(annotation):
                self._read_annotated(name, annotation, body)

    def _check_name(self, name: str, is_field: bool, value: Any) -> None:
        if name[:2] == "__" or name not in self.taken:
            return
        if name in OPTIONS:
            if is_field or not isinstance(value, bool):
                raise self._error(name, "it is an option of the class: write True or False.")
            return
        is_code = callable(value) or isinstance(value, classmethod | staticmethod)
        if name not in HOOKS or is_field or not is_code:
            kind = "a hook" if name in HOOKS else "a name that Actor or Pykka uses"
            raise self._error(name, f"it is {kind}: choose another name, like {name}_.")

    def _read_plain(self, name: str, value: Any) -> None:
        known = self.declaration.fields.get(name) or self.declaration.volatile.get(name)
        if isinstance(value, Spec) and known is None:
            raise self._error(name, f"it has no type: write `{name}: … = field(…)`.")
        if known is not None:
            if hasattr(value, "__get__"):
                raise self._error(name, "it hides a field of the same name: choose another name.")
            self._add(name, value, known.durable)
        elif not name.startswith("_") and not name.isupper() and _is_mutable(value):
            raise self._error(
                name,
                f"a mutable {type(value).__name__} would be shared by all actors and lost. Make it "
                f"a field: `{name}: {type(value).__name__} = field(default_factory=…)`; a constant "
                "is a tuple, a ClassVar, or has a name in capitals.",
            )

    def _read_annotated(self, name: str, annotation: Any, body: Mapping[str, Any]) -> None:
        private = name.startswith("_")
        value = body.get(name)
        durable = not private and (not isinstance(value, Spec) or value.durable)
        if durable and (bad := unstorable(annotation)):
            raise self._error(
                name,
                f"{bad} has no bytes, so it cannot be durable. Make data a @message class; for "
                f"a thing in use, keep what it is made from and build it in on_load as `_{name}`, "
                "or declare it `= volatile()`.",
            )
        if name in body:
            self._add(name, value, durable)
        elif not private:
            self.declaration.volatile.pop(name, None)
            self.declaration.fields[name] = Spec(True, {})

    def _add(self, name: str, value: Any, durable: bool) -> None:
        spec = value if isinstance(value, Spec) else Spec(durable, {"default": value})
        if _is_mutable(spec.default):
            kind = type(spec.default).__name__
            raise self._error(
                name,
                f"a default of type {kind} would be shared by all actors of the class. Write "
                f"`= field(default_factory=…)`, or volatile(default_factory=…).",
            )
        own, other = self.declaration.fields, self.declaration.volatile
        if not durable:
            own, other = other, own
        other.pop(name, None)
        own[name] = spec
        if isinstance(value, Spec):
            delattr(self.cls, name)

    def _error(self, name: str, text: str) -> DeclarationError:
        return DeclarationError(f"{self.cls.__name__}.{name} ({self.declaration.where}): {text}")


def _kind(function: Any) -> HandlerKind:
    if inspect.iscoroutinefunction(function):
        return "async"
    return "nonblocking" if getattr(function, "__nonblocking__", False) else "def"


def _same(cls: type, base: type, name: str) -> bool:
    return inspect.getattr_static(cls, name) is inspect.getattr_static(base, name)


def _is_mutable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return True
    return False


def _place(cls: type) -> tuple[str, int]:
    """Where the class statement is: the frame of its module that is defining it."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") != cls.__module__:
        frame = frame.f_back
    if frame is None:
        return getattr(sys.modules.get(cls.__module__), "__file__", None) or "?", 0
    return frame.f_code.co_filename, frame.f_lineno


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, 1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Its fields: {_list(names)}." if names else "It has no fields."


def _list(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
