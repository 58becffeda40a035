"""Terms of a case as values of ours, and values of ours as Erlang writes them."""

from __future__ import annotations

from typing import Any

from perdure import message
from perdure.errors import CallFailed
from perdure.ids import Ref
from perdure.mailbox.control import Reason
from perdure.supervisors.answers import START_FAILED

Node = dict[str, Any]

TRACED = "conformance.traced"
WORKER = "conformance.worker"
UNTRAPPING = "conformance.untrapping"

SPEC_KEYS = ("id", "type", "restart", "significant", "shutdown", "modules")
FLAGS = ("strategy", "intensity", "period", "auto_shutdown")


@message("conformance.no_actor")
class NoActor:
    """What stands where an actor should be named."""

    text: str

    def __str__(self) -> str:
        return self.text


# --- from a case


def reason_text(term: Any) -> str:
    """A reason as `self.stop` takes it."""
    if isinstance(term, dict) and "shutdown" in term:
        return f"shutdown: {reason_text(term['shutdown'])}"
    if isinstance(term, dict):
        return "{" + ",".join(map(reason_text, term["tuple"])) + "}"
    return str(term)


def in_seconds(data: Node) -> Node:
    if type(data.get("shutdown")) is int:
        data["shutdown"] = data["shutdown"] / 1000
    return data


def child_data(path: str, node: Node) -> Node:
    """A child of a case as the data of a `Child`; what it begins with is how it will behave."""
    data = {key: node[key] for key in SPEC_KEYS[:-1] if node.get(key) is not None}
    if node.get("type") == "supervisor":
        actor = TRACED
    else:
        actor = WORKER if node.get("trap_exit", True) else UNTRAPPING
    init = {"above": path, "node": node}
    return in_seconds(data) | {"actor": actor, "init": init, "redelivery": "none"}


def raw_data(path: str, spec: Any) -> Any:
    """OTP's own map of a child as data of ours: `start` is the actor."""
    if not isinstance(spec, dict):
        return spec
    data = in_seconds(dict(spec))
    if "start" in data:
        start = data.pop("start")
        data["actor"] = WORKER if start is True else NoActor(str(start))
        data["init"] = {"above": path, "node": spec}
    return data


def flags_data(path: str, node: Node) -> Node:
    """A supervisor of a case as the data of a `SupervisorSpec`."""
    flags = {key: node[key] for key in FLAGS if key in node}
    return flags | {"children": [child_data(path, each) for each in node.get("children", [])]}


def meets(node: Node, kind: str, n: int) -> bool:
    """Whether the n-th start of a node has that fault."""
    faulty = node.get(f"{kind}_starts", [])
    return n >= faulty["from"] if isinstance(faulty, dict) else n in faulty


# --- as Erlang writes it


def text_of(reason: Reason) -> str:
    if reason.child is not None and reason.cause is not None:
        return f"{{shutdown,{{failed_to_start_child,{reason.child},{text_of(reason.cause)}}}}}"
    if reason.kind == "crash":
        return str(reason.detail)
    return reason.kind if reason.detail is None else f"{{{reason.kind},{reason.detail}}}"


def term(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return str(round(value * 1000))
        case tuple():
            return "{" + ",".join(map(term, value)) + "}"
        case list():
            return "[" + ",".join(map(term, value)) + "]"
        case {"actor": _}:
            return spec_map(value)
        case Ref():
            return "<pid>"
        case _:
            return str(value)


def spec_map(data: Node) -> str:
    """The data of a spec as OTP's map: the actor and what it begins with are its `start`."""
    shown = {key: term(data[key]) for key in SPEC_KEYS if key in data}
    if shown.get("modules") is not None:
        shown["modules"] = "[mod]"
    shown["start"] = "<mf_undefined>" if data["init"] is None else "<mfa>"
    return "#{" + ",".join(f"{key}=>{shown[key]}" for key in sorted(shown)) + "}"


def answered(op: Node, value: Any) -> str:
    """What a request of a supervisor was answered with."""
    match op["op"]:
        case "start_child" | "start_child_raw" | "restart_child":
            return "{ok,undefined}" if value is None else "{ok,<pid>}"
        case "which_children":
            return term([_row(each) for each in value])
        case "count_children":
            return term([(key, number) for key, number in value.items()])
        case "get_childspec":
            return f"{{ok,{spec_map(value)}}}"
        case _:
            return "ok"


def _row(shown: Node) -> tuple[Any, ...]:
    status = "<pid>" if shown["status"] == "running" else shown["status"]
    return shown["id"] or "undefined", status, shown["type"], ["mod"]


def failed(op: Node, error: Exception) -> str:
    """What a request of a supervisor failed with."""
    match error:
        case CallFailed(why="already_started"):
            return "{error,{already_started,<pid>}}"
        case CallFailed(why=why, reason=Reason() as reason) if why == START_FAILED:
            spec = op.get("spec")
            text = text_of(reason)
            return f"{{error,{{{text},<child:{spec['id']}>}}}}" if spec else f"{{error,{text}}}"
        case CallFailed(why=why, value=value):
            shown = why if value is None else term((why, *value))
            if op["op"] == "code_change":
                return f"{{error,{{error,{shown}}}}}"
            return f"{{error,{shown}}}"
        case _:
            raise error
