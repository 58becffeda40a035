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
from perdure.supervisors.state import Emptying, Ending, Phase, Stopping, Supervision
from tests.supervisors.otp_terms import (
    Node,
    begin,
    checked,
    child_data,
    raw_data,
    reason_of,
    spec_data,
    term,
    text_of,
)


class Process:
    """A worker or a supervisor that is alive; `name` and `incarnation` are its parent's for it."""

    def __init__(self, path: str, name: str, node: Node, n: int, parent: Process | None) -> None:
        self.path = path
        self.name = name
        self.node = node
        self.n = n
        self.parent = parent
        self.incarnation = 1
        self.is_supervisor = node.get("type") == "supervisor"
        self.state = Supervision()
        self.before: Phase = self.state.phase
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
        self.memory: dict[str, Supervision] = {}  # of supervisors, over their incarnations
        self.told: dict[str, Node] = {}  # what new code of a supervisor says, for good
        self.asked: dict[str, int] = {}  # how many children of a pool were asked for

    def play(self) -> dict[str, Any]:
        self.start("root", "root", self.case["root"], None, 1)
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
        if op["op"] == "check_childspecs":
            found = checked(op["specs"], op.get("auto_shutdown"))
            return lambda: found
        process = self.find(str(op.get("path", op.get("sup", "root"))))
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
        child = self.name_of(process, op.get("id", ""))
        match op["op"]:
            case "start_child" if "spec" in op:
                event: events.Event = events.AddChild(child_data(op["spec"]), caller)
            case "start_child":
                k = self.asked[process.path] = self.asked.get(process.path, 0) + 1
                init = {"k": k, "over": op.get("overrides", {})}
                event = events.AddInstance(init, caller)
            case "start_child_raw":
                event = events.AddChild(raw_data(op["spec"]), caller)
            case "get_childspec":
                event = events.GetChildSpec(child, caller)
            case "code_change":
                node = self.told[process.path] = op["spec"]
                declined = node.get("init_returns") == "ignore"
                event = events.CodeChange(None if declined else spec_data(node), caller)
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
                raise AssertionError(op)
        process.inbox.append(event)
        return lambda: self.render(op, process.calls[caller])

    def name_of(self, process: Process, id: str) -> str:
        """An id of an operation; "#3" is the third child of a pool, if it ever started."""
        path = f"{process.path}/{id}"
        found = [each for each in self.processes if each.path == path]
        return found[-1].name if id.startswith("#") and found else id

    def render(self, op: Node, reply: actions.Reply) -> str:
        value = reply.value
        if not reply.ok:
            if op["op"] == "code_change":
                self.told.pop(op["path"])
                return f"{{error,{{error,{term(value)}}}}}"
            return f"{{error,{self.render_error(op, value)}}}"
        if op["op"] == "get_childspec":
            return f"{{ok,{term(value | {'modules': ['mod']})}}}"
        if op["op"] in ("start_child", "restart_child"):
            return "{ok,undefined}" if value is None else "{ok,<pid>}"
        if op["op"] == "which_children":
            return term([self.row(each) for each in value])
        if op["op"] == "count_children":
            return "[" + ",".join(f"{{{key},{n}}}" for key, n in value.items()) + "]"
        return "ok"

    def row(self, shown: Node) -> tuple[Any, ...]:
        status = "<pid>" if shown["status"] == "running" else shown["status"]
        return shown["id"] or "undefined", status, shown["type"], ["mod"]

    def render_error(self, op: Node, value: Any) -> str:
        if isinstance(value, Reason):
            text = text_of(value)
            return f"{{{text},<child:{op['spec']['id']}>}}" if "spec" in op else text
        if value == "already_started":
            return "{already_started,<pid>}"
        return term(value)

    # --- processes

    def start(
        self, path: str, name: str, node: Node, parent: Process | None, incarnation: int
    ) -> None:
        n = self.attempts[path] = self.attempts.get(path, 0) + 1
        for op in node.get("inject", {}).get(str(n), []):
            assert parent is not None
            row = {"op": op, "result": None}
            self.injected.append(row)
            row["result"] = self.ask(parent, op)  # rendered once it is answered
        fault = next((kind for kind in ("fail", "ignore", "crash") if meets(node, kind, n)), None)
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
            process = Process(path, name, node, n, parent)
            process.incarnation = incarnation
            self.processes.append(process)
            if parent is None:
                self.root = process
            else:
                parent.children[name] = process
            if process.is_supervisor:
                process.state = self.memory.get(path, process.state)
                process.inbox.append(begin(self.told.get(path, node)))
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
                process.before = process.state.phase
                process.state, todo = decide(process.state, event, self.now_ns)
                self.memory[process.path] = process.state
                for action in todo:
                    self.act(process, action)
                return True
        return False

    def act(self, process: Process, action: actions.Action) -> None:
        path, n = process.path, process.n
        match action:
            case actions.StartChild(child=child, incarnation=incarnation):
                init = process.state.children[child].init
                node, segment = init["node"] | init.get("over", {}), child
                if "k" in init:
                    segment = f"#{init['k']}"
                self.start(f"{path}/{segment}", child, node, process, incarnation)
            case actions.StopChild(child=child, shutdown=shutdown):
                self.announce(process)
                self.stop(process.children[child], shutdown)
            case actions.Report(context=context, reason=reason, spec=child, nb_children=count):
                if context == "shutdown_error":
                    self.announce(process)
                who = child if count is None else f"*{count}"
                self.log.append(["report", path, context, who, text_of(reason)])
            case actions.TryAgain(child=child):
                process.inbox.append(events.TryAgain(child))
            case actions.Ready():
                self.tell(process.parent, events.Started(process.name, process.incarnation))
            case actions.InitFailed(reason=reason):
                process.alive = False
                self.log.append(["start_failed", path, n, text_of(reason)])
                failed = events.StartFailed(process.name, process.incarnation, reason)
                self.tell(process.parent, failed)
            case actions.Declined():
                process.alive = False
                self.log.append(["ignore", path, n])
                self.tell(process.parent, events.Ignored(process.name, process.incarnation))
            case actions.ExitSelf(reason=reason):
                self.announce_end(process, reason)
                self.log.append(["sup_down", path, n, text_of(reason)])
                self.ended(process, reason)
            case actions.Reply(caller=caller):
                assert caller is not None
                process.calls[caller] = action
            case actions.Forget(child=child):
                self.forget(process, child)

    def forget(self, process: Process, child: str) -> None:
        """An actor is gone, with all below it: what supervisors among them knew is gone too."""
        known = process.children.get(child)
        gone = f"{process.path}/{child}" if known is None else known.path
        for each in [each for each in self.memory if f"{each}/".startswith(f"{gone}/")]:
            del self.memory[each]

    def announce(self, process: Process) -> None:
        """Log that a supervisor has begun to end, once, before the first thing it does then."""
        for phase in (process.before, process.state.phase):
            match phase:
                case Stopping(why=Ending(reason=reason)) | Emptying(why=Ending(reason=reason)):
                    self.announce_end(process, reason)
                case _:
                    pass

    def announce_end(self, process: Process, reason: Reason) -> None:
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
        for each in listed.value:
            row = {"id": each["child"], "type": each["type"], "state": each["status"]}
            if row["state"] == "running":
                below = process.children[each["child"]]
                row |= {"id": below.path.rpartition("/")[2], **self.look(below)}
            children.append(row)
        if any(each["id"] is None for each in listed.value):
            children.sort(key=lambda row: int(row["id"][1:]))
        return {**shown, "counts": counted.value, "children": children}


def meets(node: Node, kind: str, n: int) -> bool:
    """Whether the n-th start of a node has that fault."""
    faulty = node.get(f"{kind}_starts", [])
    return n >= faulty["from"] if isinstance(faulty, dict) else n in faulty
