"""Plays one case on perdure's kernel, with a ledger on disk, and tells it as OTP was told."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perdure import Child, FakeClock, Run
from perdure.actors.futures import Future
from perdure.errors import Crashed, PerdureError
from perdure.mailbox.control import (
    Exit,
    Ignored,
    Reason,
    Started,
    StartFailed,
    Stop,
    Stopped,
    read_reason,
)
from perdure.mailbox.requests import (
    CodeChange,
    CountChildren,
    DeleteChild,
    GetChildSpec,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from perdure.supervisors import check_childspecs
from perdure.supervisors.refusals import BadSpec
from tests.conformance.actors import End, Info, Traced
from tests.conformance.terms import (
    Node,
    answered,
    child_data,
    failed,
    flags_data,
    raw_data,
    reason_text,
    term,
    text_of,
)
from tests.conformance.world import Alive, Now, World

SECONDS = 20.0
Result = Callable[[], str]


class Player:
    """One case being played."""

    def __init__(self, case: Node) -> None:
        self.case = case
        self.world = Now.world = World()
        self.world.request = self.request
        self.suspended: list[str] = []
        self.answer = ""  # to the root's start
        self.root_exit: str | None = None

    def play(self, folder: Path) -> dict[str, Any]:
        """Everything that happened; the ledger is in `folder`."""
        node = self.case["root"]
        root = Child(node["id"], Traced, init={"node": node})
        run = Run(root, folder / "ledger", seed=1, clock=FakeClock())
        self.run = run
        self.world.watch(run)
        run.kernel.book.on_kernel_message = self._of_root
        with run:
            self.settle()
            steps = [self.step({"op": "start"}, lambda: self.answer)]
            for op in self.case.get("ops", []):
                result = self.do(op)
                self.settle()
                steps.append(self.step(op, result))
            if self.world.alive("root"):
                self.stop_root()
                steps.append(self.step({"op": "stop_root"}, lambda: "ok"))
        return {"name": self.case["name"], "steps": steps, "root_exit": self.root_exit}

    def _of_root(self, env: Any) -> None:
        """What the root tells the kernel."""
        match self.run.kernel.book.codec.decode(env.body):
            case Started():
                self.answer = "{ok,<pid>}"
            case Ignored():
                self.answer = "ignore"
            case StartFailed(reason=reason):
                self.answer = f"{{error,{text_of(reason)}}}"
            case Exit(reason=reason) | Stopped(reason=reason):
                self.root_exit = text_of(reason)
        self.run.kernel.outside.to_kernel(env)

    def settle(self) -> None:
        """Wait until nothing goes on any more, or the run is over."""
        still, kernel = threading.Event(), self.run.kernel
        kernel.on_kernel(self.run._set_watch, lambda waiting: still.set())
        for _ in range(int(SECONDS / 0.05)):
            if still.wait(0.05) or kernel.ended.is_set():
                break
        else:
            raise TimeoutError(f"{self.case['name']} does not come to rest")
        kernel.on_kernel(self.run._set_watch, lambda waiting: None)

    def step(self, op: Node, result: Result) -> dict[str, Any]:
        """What a step led to."""
        world = self.world
        kills = op["op"] == "kill" and world.last.get(op["path"], NOBODY).is_supervisor
        done: dict[str, Any] = {"op": op, "result": result(), "events": world.log}
        if kills or op.get("unordered"):
            done["unordered"] = True
        if world.injected:
            done["injected"] = [
                {"op": each, "result": outcome(each, life, future)}
                for each, life, future in world.injected
            ]
        world.log, world.injected = [], []
        done["tree"] = self.tree()
        return done

    def stop_root(self) -> None:
        for path in self.suspended:
            if self.world.alive(path):
                self.run.unsuspend(self.world.last[path].address)
        self.suspended = []
        self.settle()
        self._stop(self.world.last["root"], Reason("shutdown"))
        self.settle()

    # --- operations

    def do(self, op: Node) -> Result:
        """Have an operation happen; what it results in, to be looked at when all is still."""
        world, run = self.world, self.run
        if op["op"] == "sleep":
            run.kernel.ask_kernel(self._advance, op["ms"] / 1000)
            return ok
        if op["op"] == "check_childspecs":
            return lambda: self._checked(op)
        path = op.get("path", op.get("sup", "root"))
        life = world.alive(path)
        if life is None:
            return ok if op["op"] == "parent_signal" else lambda: "noproc"  # to the dead: lost
        match op["op"]:
            case "crash" | "exit":
                reason = reason_text(op.get("reason", "boom"))
                if life.is_supervisor:
                    run.stop(life.address, reason)
                else:
                    run.tell(life.address, End(reason)).get(timeout=SECONDS)
            case "kill":
                run.exit(life.address, "kill")
            case "signal":
                run.exit(life.address, reason_text(op["reason"]))
            case "parent_signal":
                self._stop(life, read_reason(reason_text(op["reason"])))
            case "suspend":
                run.suspend(life.address)
                self.suspended.append(path)
            case "resume":
                run.unsuspend(life.address)
                self.suspended = [each for each in self.suspended if each != path]
            case "info":
                run.tell(life.address, Info(str(op["msg"]))).get(timeout=SECONDS)
            case "code_change":
                return self._code_change(path, life, op)
            case _ if not life.is_supervisor:
                return ok  # what a worker says to any call
            case _:
                asked = run.kernel.outside.ask(life.address, self.request(path, op))
                return lambda: outcome(op, life, asked)
        return ok

    def request(self, path: str, op: Node) -> Any:
        """The message that an operation on a supervisor is."""
        id = self._child(path, op.get("id", ""))
        match op["op"]:
            case "start_child" if "spec" in op:
                return StartChild(child_data(path, op["spec"]))
            case "start_child":
                k = self.world.asked[path] = self.world.asked.get(path, 0) + 1
                return StartChild(init={"k": k, "over": op.get("overrides", {})})
            case "start_child_raw":
                return StartChild(raw_data(path, op["spec"]))
            case "terminate_child":
                return TerminateChild(id)
            case "restart_child":
                return RestartChild(id)
            case "delete_child":
                return DeleteChild(id)
            case "get_childspec":
                return GetChildSpec(id)
            case "which_children":
                return WhichChildren()
            case "count_children":
                return CountChildren()
            case other:
                raise ValueError(f"there is no operation {other!r}")

    def _child(self, path: str, id: str) -> str:
        """An id of an operation; "#3" is the third child of a pool, if it ever started."""
        life = self.world.last.get(f"{path}/{id}")
        if id.startswith("#") and life is not None:
            return life.address.rpartition("/")[2]
        return id

    def _code_change(self, path: str, life: Alive, op: Node) -> Result:
        node = op["spec"]
        self.world.told[path] = node
        data = None if node.get("init_returns") == "ignore" else flags_data(path, node)
        asked = self.run.kernel.outside.ask(life.address, CodeChange(data))

        def result() -> str:
            shown = outcome(op, life, asked)
            if shown != "ok":
                del self.world.told[path]
            return shown

        return result

    def _checked(self, op: Node) -> str:
        specs = op["specs"]
        if isinstance(specs, list):
            specs = [raw_data("root", each) for each in specs]
        try:
            check_childspecs(specs, op.get("auto_shutdown"))
        except BadSpec as error:
            return f"{{error,{term(error.why)}}}"
        return "ok"

    def _stop(self, life: Alive, reason: Reason) -> None:
        """What the root's parent does to it."""
        kernel = self.run.kernel
        kernel.ask_kernel(self._post_stop, life.address, reason)

    def _post_stop(self, address: str, reason: Reason) -> None:
        kernel = self.run.kernel
        cell = kernel.book.cell_at(address)
        stop = Stop(cell.incarnation, "infinity", reason, asked=False)
        kernel.outside.post([kernel.lifecycle.control(cell.id, 0, stop)], "stop")

    def _advance(self, seconds: float) -> None:
        clock: Any = self.run.kernel.book.clock.clock
        clock.advance(seconds)
        self.run.kernel.timers.fire()

    # --- the tree

    def tree(self) -> dict[str, Any] | None:
        """Who lives, as the supervisors themselves tell it."""
        root = self.world.alive("root")
        if root is None:
            return None
        asked = {}
        for life in [each for each in self.world.lives.values() if each.is_supervisor]:
            if life.path not in self.suspended:
                ask = self.run.kernel.outside.ask
                asked[life.path] = (
                    ask(life.address, CountChildren()),
                    ask(life.address, WhichChildren()),
                )
        told = {path: [each.get(timeout=SECONDS) for each in both] for path, both in asked.items()}
        return {"id": "root", **self._look(root, told)}

    def _look(self, life: Alive, told: dict[str, list[Any]]) -> dict[str, Any]:
        shown: dict[str, Any] = {"state": "running", "n": life.n}
        if life.path in self.suspended and life.is_supervisor:
            return shown | {"suspended": True}
        if not life.is_supervisor:
            return shown
        counts, listed = told[life.path]
        paths = {each.address: each for each in self.world.lives.values()}
        children, is_pool = [], False
        for each in listed:
            row = {"id": each["child"], "type": each["type"], "state": each["status"]}
            if each["ref"] is not None:
                below = paths[each["ref"].address]
                row |= {"id": below.path.rpartition("/")[2], **self._look(below, told)}
            is_pool = is_pool or str(row["id"]).startswith("#")
            children.append(row)
        if is_pool:
            children.sort(key=lambda row: int(row["id"][1:]))
        return shown | {"counts": counts, "children": children}


def ok() -> str:
    return "ok"


NOBODY = Alive("", 0, "", False)


def outcome(op: Node, life: Alive, asked: Future[Any]) -> str:
    """What a request of that life came to, as OTP writes it."""
    try:
        return answered(op, asked.get(timeout=SECONDS))
    except Crashed:
        return f"{{exit,{life.ended}}}"
    except PerdureError as error:
        return failed(op, error)


def play(case: Node, folder: Path | None = None) -> dict[str, Any]:
    """Play one case, with a ledger in a folder of its own."""
    above = folder if folder is not None else Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(dir=above if above.is_dir() else None))
    try:
        return Player(case).play(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
