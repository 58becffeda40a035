"""Cases of real OTP and our own words for the same: specs, reasons, answers."""

from __future__ import annotations

from typing import Any, NamedTuple

from perdure.mailbox.control import Reason
from perdure.supervisors import events
from perdure.supervisors.childspecs import check_childspecs
from perdure.supervisors.refusals import BadSpec
from perdure.supervisors.spec import SupervisorSpec

Node = dict[str, Any]


def reason_of(term: Any) -> Reason:
    if isinstance(term, dict) and "shutdown" in term:
        return Reason("shutdown", term["shutdown"])
    if isinstance(term, dict):
        return Reason("crash", "{" + ",".join(map(str, term["tuple"])) + "}")
    return Reason(term) if term in ("normal", "shutdown", "killed") else Reason("crash", term)


def text_of(reason: Reason) -> str:
    if reason.child is not None and reason.cause is not None:
        return f"{{shutdown,{{failed_to_start_child,{reason.child},{text_of(reason.cause)}}}}}"
    if reason.kind == "crash":
        return str(reason.detail)
    return reason.kind if reason.detail is None else f"{{{reason.kind},{reason.detail}}}"


def seconds(shutdown: Any) -> Any:
    return shutdown / 1000 if isinstance(shutdown, int) else shutdown


class Below:
    """Stands for the class of a supervisor: what it has below, it tells as it starts."""

    __supervisor__ = True


class NoActor(NamedTuple):
    """What stands where an actor should be named."""

    text: str

    def __str__(self) -> str:
        return self.text


def child_data(node: Node) -> Node:
    """A child of a case as data of ours; what it begins with is how it will behave."""
    keys = ("id", "type", "restart", "significant", "shutdown")
    data = {key: node[key] for key in keys if node.get(key) is not None}
    return in_seconds(data) | {
        "actor": Below if node.get("type") == "supervisor" else "Worker",
        "init": {"node": node},
    }


def raw_data(spec: Any) -> Any:
    """OTP's own map of a child as data of ours: `start` is the actor."""
    if not isinstance(spec, dict):
        return spec
    data = in_seconds(dict(spec))
    if "start" in data:
        start = data.pop("start")
        data["actor"] = "Worker" if start is True else NoActor(start)
    return data


def in_seconds(data: Node) -> Node:
    if isinstance(data.get("shutdown"), int):
        data["shutdown"] = data["shutdown"] / 1000
    return data


def spec_data(node: Node) -> Node:
    keys = ("strategy", "intensity", "period", "auto_shutdown")
    flags = {key: node[key] for key in keys if key in node}
    return flags | {"children": [child_data(each) for each in node.get("children", [])]}


def begin(node: Node) -> events.Event:
    """What a supervisor's own start makes of what it is told."""
    match node.get("init_returns"):
        case None:
            try:
                return events.Begin(SupervisorSpec.from_data(spec_data(node)))
            except BadSpec as error:
                return events.CannotBegin(Reason("crash", term(error.of_start)))
        case "ignore":
            return events.Decline()
        case junk:
            return events.CannotBegin(Reason("crash", f"{{bad_return,{{mod,init,{junk}}}}}"))


def term(value: Any) -> str:
    """A value as Erlang writes it."""
    match value:
        case bool():
            return str(value).lower()
        case float():
            return str(round(value * 1000))
        case NoActor(text=text):
            return text
        case tuple():
            return "{" + ",".join(map(term, value)) + "}"
        case list():
            return "[" + ",".join(map(term, value)) + "]"
        case {"id": _}:
            return map_of(value)
        case _:
            return str(value)


def map_of(data: Node) -> str:
    """The data of a spec as OTP's map: the actor and what it begins with are its `start`."""
    shown = {key: term(value) for key, value in data.items() if key in MAP_KEYS}
    shown["start"] = "<mfa>" if data["init"] is not None else "<mf_undefined>"
    return "#{" + ",".join(f"{key}=>{shown[key]}" for key in sorted(shown)) + "}"


MAP_KEYS = ("id", "restart", "shutdown", "significant", "type", "modules")


def checked(specs: Any, auto_shutdown: str | None) -> str:
    """What `check_childspecs` says."""
    given = [raw_data(each) for each in specs] if isinstance(specs, list) else specs
    try:
        check_childspecs(given, auto_shutdown)
    except BadSpec as error:
        return f"{{error,{term(error.why)}}}"
    return "ok"
