"""Plays recorded cases of real OTP against `decide`: a world of processes, with no supervision.

The format is that of the recordings: a tree, operations, and for each the events and the tree after
it. Processes here start, fail, hang and die as a case says; all that supervises them is `decide`.
"""

from __future__ import annotations

from typing import Any

from perdure.clock import NS
from perdure.mailbox.control import KILLED, SHUTDOWN, Reason
from perdure.supervisors import actions, events
from perdure.supervisors.decide import decide, takes
from perdure.supervisors.spec import Child, SupervisorSpec
from perdure.supervisors.state import Down, Ending, Stopping, Supervision

Node = dict[str, Any]


class Unsupported(Exception):
    """The case needs something that `decide` does not offer yet."""


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


def child_of(node: Node) -> Child:
    options = {key: node[key] for key in ("restart", "significant") if node.get(key) is not None}
    if node.get("shutdown") is not None:
        options["shutdown"] = seconds(node["shutdown"])
    if node.get("type") == "supervisor":
        options["supervisor"] = spec_of(node)
    return Child(node["id"], None if "supervisor" in options else "Worker", **options)


def spec_of(node: Node) -> SupervisorSpec:
    if node.get("strategy") == "simple_one_for_one" or "init_returns" in node:
        raise Unsupported
    flags = {
        key: node[key]
        for key in ("strategy", "intensity", "period", "auto_shutdown")
        if key in node
    }
    return SupervisorSpec(**flags, children=[child_of(each) for each in node.get("children", [])])


class Process:
    """A worker or a supervisor that is alive; `name` and `incarnation` are its parent's for it."""

    def __init__(
        self, path: str, node: Node, n: int, parent: Process | None, incarnation: int
    ) -> None:
        self.path = path
        self.name = node["id"]
        self.node = node
        self.n = n
        self.parent = parent
        self.incarnation = incarnation
        self.is_supervisor = node.get("type") == "supervisor"
        self.state = Supervision()
        self.nodes = {each["id"]: each for each in node.get("children", [])}
        self.children: dict[str, Process] = {}
        self.inbox: list[events.Event] = []
        self.calls: dict[tuple[int, int, int, str], Any] = {}
        self.alive = True
        self.suspended = False
        self.ending = False


class Player:
    """One case being played."""

    def __init__(self, case: Node) -> None:
        self.case = case
        self.attempts: dict[str, int] = {}
        self.log: list[list[Any]] = []
        self.injected: list[dict[str, Any]] = []
        self.now_ns = 0
        self.root: Process | None = None
        self.answer: Any = None  # of the root's start
        self.root_exit: str | None = None
        self.tokens = 0
        self.processes: list[Process] = []

    def play(self) -> dict[str, Any]:
        self.start("root", self.case["root"], None, 1)
        steps = [self.step({"op": "start"}, None)]
        steps[0]["result"] = self.answer
        steps += [self.step(op, op) for op in self.case.get("ops", [])]
        if self.root is not None and self.root.alive:
            for process in self.processes:
                process.suspended = False
            self.settle()
            self.root.inbox.append(events.Halt(SHUTDOWN))
            steps.append(self.step({"op": "stop_root"}, None))
        return {"name": self.case["name"], "steps": steps, "root_exit": self.root_exit}

    def step(self, shown: Node, op: Node | None) -> dict[str, Any]:
        killed = op is not None and op["op"] == "kill" and self.is_supervisor(op["path"])
        result = self.do(op) if op is not None else (lambda: "ok")
        self.settle()
        done: dict[str, Any] = {"op": shown, "result": result(), "events": self.log}
        if killed or shown.get("unordered"):
            done["unordered"] = True
        if self.injected:
            done["injected"] = self.injected
        done["tree"] = self.tree(self.root) if self.root and self.root.alive else None
        self.log, self.injected = [], []
        return done

    # --- the operations of a case

    def find(self, path: str) -> Process | None:
        found = [each for each in self.processes if each.path == path and each.alive]
        return found[-1] if found else None

    def is_supervisor(self, path: str) -> bool:
        return any(each.path == path and each.is_supervisor for each in self.processes)

    def do(self, op: Node) -> Any:
        if op["op"] == "sleep":
            self.now_ns += op["ms"] * NS // 1000
            return lambda: "ok"
        process = self.find(op.get("path", op.get("sup", "root")))
        if process is None:
            return lambda: "noproc"
        match op["op"]:
            case "crash" | "exit":
                reason = reason_of(op.get("reason", "boom"))
                if process.is_supervisor:
                    process.inbox.append(events.Halt(reason))
                else:
                    self.end_worker(process, reason)
            case "kill":
                self.kill(process)
            case "signal":
                self.signal(process, reason_of(op["reason"]))
            case "parent_signal":
                process.inbox.append(events.Halt(reason_of(op["reason"])))
            case "suspend" | "resume":
                process.suspended = op["op"] == "suspend"
            case "info":
                pass
            case _:
                return self.ask(process, op)
        return lambda: "ok"

    def ask(self, process: Process, op: Node, at: list[events.Event] | None = None) -> Any:
        self.tokens += 1
        caller = (self.tokens, 0, 0, "")
        child = op.get("id", "")
        match op["op"]:
            case "start_child":
                node = op["spec"]
                spec = child_of(node)
                if spec.id not in process.state.children:
                    process.nodes[spec.id] = node
                event: events.Event = events.AddChild(spec, caller)
            case "terminate_child":
                event = events.TerminateChild(child, caller)
            case "restart_child":
                event = events.RestartChild(child, caller)
            case "delete_child":
                event = events.DeleteChild(child, caller)
            case "which_children":
                event = events.WhichChildren(caller)
            case "count_children":
                event = events.CountChildren(caller)
            case _:
                raise Unsupported
        process.inbox.append(event)
        return lambda: self.render(op, process.calls[caller])

    def render(self, op: Node, reply: actions.Reply) -> str:
        value = reply.value
        if not reply.ok:
            return f"{{error,{self.render_error(op, value)}}}"
        if op["op"] in ("start_child", "restart_child"):
            return "{ok,undefined}" if value is None else "{ok,<pid>}"
        if op["op"] == "which_children":
            rows = [(i, "<pid>" if s == "running" else s, k) for i, s, k in value]
            return "[" + ",".join(f"{{{i},{s},{k},[mod]}}" for i, s, k in rows) + "]"
        if op["op"] == "count_children":
            return "[" + ",".join(f"{{{key},{n}}}" for key, n in value.items()) + "]"
        return "ok"

    def render_error(self, op: Node, value: Any) -> str:
        if isinstance(value, Reason):
            text = text_of(value)
            return f"{{{text},<child:{op['spec']['id']}>}}" if op["op"] == "start_child" else text
        if value == "already_started":
            return "{already_started,<pid>}"
        if value == "bad_combination":
            return "{bad_combination,[{auto_shutdown,never},{significant,true}]}"
        return str(value)

    # --- processes

    def start(self, path: str, node: Node, parent: Process | None, incarnation: int) -> None:
        n = self.attempts[path] = self.attempts.get(path, 0) + 1
        for op in node.get("inject", {}).get(str(n), []):
            assert parent is not None
            row = {"op": op, "result": None}
            self.injected.append(row)
            row["result"] = self.ask(parent, op)  # rendered once it is answered
        fault = next((kind for kind in ("fail", "ignore", "crash") if meets(node, kind, n)), None)
        name = node["id"]
        if fault == "ignore":
            self.log.append(["ignore", path, n])
            self.tell(parent, events.Ignored(name, incarnation))
        elif fault is not None:
            why = "start_failed" if fault == "fail" else "start_crashed"
            self.log.append(["start_failed", path, n, why])
            told = why if fault == "fail" else "{EXIT,start_crashed}"
            self.tell(parent, events.StartFailed(name, incarnation, Reason("crash", told)))
        else:
            self.log.append(["start", path, n])
            process = Process(path, node, n, parent, incarnation)
            self.processes.append(process)
            if parent is None:
                self.root = process
            else:
                parent.children[name] = process
            if process.is_supervisor:
                process.inbox.append(events.Begin(spec_of(node)))
            else:
                self.tell(parent, events.Started(name, incarnation))

    def tell(self, parent: Process | None, event: Any) -> None:
        if parent is not None:
            parent.inbox.append(event)
            return
        match event:
            case events.Started():
                self.answer = "{ok,<pid>}"
            case events.Ignored():
                self.answer = "ignore"
            case events.StartFailed(reason=reason):
                self.answer = f"{{error,{text_of(reason)}}}"
            case events.Exit(reason=reason) | events.Stopped(reason=reason):
                self.root_exit = text_of(reason)

    def ended(self, process: Process, reason: Reason) -> None:
        process.alive = False
        self.tell(process.parent, events.Exit(process.name, process.incarnation, reason))

    def end_worker(self, process: Process, reason: Reason) -> None:
        """It runs its terminate with `reason`, which may end it with another."""
        self.log.append(["terminate", process.path, process.n, text_of(reason)])
        then = process.node.get("on_terminate")
        if isinstance(then, dict) and "exit" in then:
            reason = self.down(process, reason_of(then["exit"]), said=reason)
        self.ended(process, reason)

    def down(self, process: Process, reason: Reason, said: Reason | None = None) -> Reason:
        if reason != said:
            self.log.append(["down", process.path, process.n, text_of(reason)])
        return reason

    def kill(self, process: Process) -> None:
        """The process dies at once; the children of a supervisor get its exit, each alone."""
        self.ended(process, self.down(process, KILLED))
        self.orphan(process)

    def orphan(self, process: Process) -> None:
        for child in list(process.children.values()):
            if not child.alive:
                continue
            if child.is_supervisor:
                child.inbox.append(events.Halt(KILLED))
            elif child.node.get("trap_exit", True):
                self.end_worker(child, KILLED)
            else:
                self.ended(child, self.down(child, KILLED))

    def signal(self, process: Process, reason: Reason) -> None:
        """An exit signal from a stranger: whoever traps exits takes it for a message."""
        traps = process.is_supervisor or process.node.get("trap_exit", True)
        if not traps and reason.kind != "normal":
            self.ended(process, self.down(process, reason))

    def stop(self, process: Process, shutdown: float | str) -> None:
        if not process.alive:
            return  # its exit is in the inbox
        if shutdown == "brutal_kill":
            self.kill(process)
        elif process.is_supervisor:
            process.inbox.append(events.Halt(SHUTDOWN))
        elif not process.node.get("trap_exit", True):
            self.ended(process, self.down(process, SHUTDOWN))
        else:
            then = process.node.get("on_terminate")
            slow = isinstance(then, dict) and then.get("sleep", 0) / 1000
            if isinstance(shutdown, float) and (then == "hang" or slow > shutdown):
                self.log.append(["terminate", process.path, process.n, "shutdown"])
                self.ended(process, self.down(process, KILLED))
            else:
                self.end_worker(process, SHUTDOWN)

    # --- supervisors, each turn of which is one decision

    def settle(self) -> None:
        while any(self.turn(process) for process in list(self.processes)):
            pass
        for row in self.injected:
            if callable(row["result"]):
                row["result"] = row["result"]()

    def turn(self, process: Process) -> bool:
        if not (process.is_supervisor and process.alive):
            return False
        for index, event in enumerate(process.inbox):
            if process.suspended and not isinstance(event, events.Halt):
                continue
            if takes(process.state, event):
                del process.inbox[index]
                process.state, todo = decide(process.state, event, self.now_ns)
                for action in todo:
                    self.act(process, action)
                return True
        return False

    def act(self, process: Process, action: actions.Action) -> None:
        path, n = process.path, process.n
        match action:
            case actions.StartChild(child=child, incarnation=incarnation):
                self.start(f"{path}/{child}", process.nodes[child], process, incarnation)
            case actions.StopChild(child=child, shutdown=shutdown):
                self.announce(process)
                self.stop(process.children[child], shutdown)
            case actions.Report(context=context, child=child, reason=reason):
                if context == "shutdown_error":
                    self.announce(process)
                self.log.append(["report", path, context, child, text_of(reason)])
            case actions.TryAgain(child=child):
                process.inbox.append(events.TryAgain(child))
            case actions.Ready():
                self.tell(process.parent, events.Started(process.name, process.incarnation))
            case actions.InitFailed(reason=reason):
                process.alive = False
                self.log.append(["start_failed", path, n, text_of(reason)])
                failed = events.StartFailed(process.name, process.incarnation, reason)
                self.tell(process.parent, failed)
            case actions.ExitSelf(reason=reason):
                self.announce(process)
                self.log.append(["sup_down", path, n, text_of(reason)])
                self.ended(process, reason)
            case actions.Reply(caller=caller):
                assert caller is not None
                process.calls[caller] = action
            case actions.Forget():
                pass

    def announce(self, process: Process) -> None:
        """Log that a supervisor has begun to end, once, before the first thing it does then."""
        match process.state.phase:
            case Stopping(why=Ending(reason=reason)):
                pass
            case Down(reason=Reason() as reason):
                pass
            case _:
                return
        if not process.ending:
            process.ending = True
            self.log.append(["sup_terminate", process.path, process.n, text_of(reason)])

    def tree(self, process: Process) -> dict[str, Any]:
        return {"id": process.path, **self.look(process)}

    def look(self, process: Process) -> dict[str, Any]:
        shown: dict[str, Any] = {"state": "running", "n": process.n}
        if process.suspended:
            return {**shown, "suspended": True}
        if not process.is_supervisor:
            return shown
        state, now = process.state, self.now_ns
        (counted,) = decide(state, events.CountChildren(), now)[1]
        (listed,) = decide(state, events.WhichChildren(), now)[1]
        assert isinstance(counted, actions.Reply)
        assert isinstance(listed, actions.Reply)
        children = []
        for child, status, kind in listed.value:
            row = {"id": child, "type": kind, "state": status}
            if status == "running":
                row |= self.look(process.children[child])
            children.append(row)
        return {**shown, "counts": counted.value, "children": children}


def meets(node: Node, kind: str, n: int) -> bool:
    """Whether the n-th start of a node has that fault."""
    faulty = node.get(f"{kind}_starts", [])
    return n >= faulty["from"] if isinstance(faulty, dict) else n in faulty
