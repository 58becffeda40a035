"""`python -m tests.conformance.generate --seed S --count N --out DIR`: random cases for OTP and us.

Case i depends on (S, i) alone. Nothing in a case depends on how fast a machine is: windows are as
long as an hour, nothing hangs, no supervisor is killed while others wait for it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Node = dict[str, Any]
PERIOD = 3_600
RESTARTS = ("permanent", "permanent", "transient", "temporary")
ORDINARY = ("one_for_one", "one_for_all", "rest_for_one")
CRASHES = ("boom", "badarg", {"tuple": ["bad", "luck"]}, "killed", "noproc")
EXITS = ("normal", "shutdown", {"shutdown": "why"})
WRONG = (
    {}, "junk", {"id": "q"}, {"start": True}, {"id": "q", "start": "bad"},
    {"id": "q", "start": True, "restart": "never"}, {"id": "q", "start": True, "shutdown": -1},
    {"id": "q", "start": True, "shutdown": "soon"}, {"id": "q", "start": True, "type": "manager"},
    {"id": "q", "start": True, "significant": "maybe"},
    {"id": "q", "start": True, "significant": True},
    {"id": "q", "start": True, "modules": "some"}, {"id": "q", "start": True, "modules": [1]},
)  # fmt: skip


OFTEN = {
    "end": 30, "kill": 10, "stop": 5, "signal": 6, "burst": 8, "request": 25, "wrong": 4, "code": 6,
    "info": 2, "root": 0.4,
}  # fmt: skip


class Case:
    """A tree, and what is done to it."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.workers: dict[str, Node] = {}
        self.supervisors: dict[str, Node] = {}
        self.asked: dict[str, int] = {}  # children of pools
        self.fresh = 0

    def chance(self, of: float) -> bool:
        return self.rng.random() < of

    # --- the tree

    def worker(self, path: str, id: str, auto: bool, *, is_template: bool = False) -> Node:
        rng = self.rng
        node: Node = {"id": id, "type": "worker", "restart": rng.choice(RESTARTS)}
        if self.chance(0.3):
            node["shutdown"] = rng.choice((1_000, "infinity", "brutal_kill"))
        if self.chance(0.15):
            node["trap_exit"] = False
        elif self.chance(0.2):
            node["on_terminate"] = {"exit": rng.choice((*CRASHES, *EXITS))}
        if auto and node["restart"] != "permanent" and self.chance(0.5):
            node["significant"] = True
        if not is_template:
            self.workers[f"{path}/{id}"] = node
            self.faults(path, node)
        return node

    def faults(self, path: str, node: Node) -> None:
        """Starts that fail, decline, or find their supervisor asked for things meanwhile."""
        rng, later = self.rng, (2, 3, 4)
        for kind, often in (("fail", 0.2), ("ignore", 0.08), ("crash", 0.06)):
            if self.chance(often):
                node[f"{kind}_starts"] = sorted(rng.sample(later, rng.randint(1, 2)))
        if self.chance(0.02):
            node[f"{rng.choice(('fail', 'ignore', 'crash'))}_starts"] = [1]
        if self.chance(0.2) and path == "root":  # else two supervisors are at work at a time
            ops = [self.request(path, inside=True) for _ in range(rng.randint(1, 3))]
            node["inject"] = {str(rng.choice((2, 2, 3))): [op for op in ops if op]}

    def supervisor(self, path: str, id: str, depth: int, auto: bool) -> Node:
        rng, is_root = self.rng, path == ""
        own = id if is_root else f"{path}/{id}"
        node: Node = {"id": id, "type": "supervisor", "period": PERIOD}
        self.supervisors[own] = node
        node["intensity"] = rng.choice((1, 3, 8, 20) if is_root else (0, 1, 2, 4))
        if not is_root:
            node["restart"] = rng.choice(RESTARTS)
            if auto and node["restart"] != "permanent" and self.chance(0.4):
                node["significant"] = True
        own_auto = self.chance(0.2)
        if own_auto:
            node["auto_shutdown"] = rng.choice(("any_significant", "all_significant"))
        if not is_root and self.chance(0.25):
            node["strategy"] = "simple_one_for_one"
            node["children"] = [self.worker(own, "w", own_auto, is_template=True)]
            self.asked[own] = 0
        else:
            node["strategy"] = rng.choice(ORDINARY)
            node["children"] = []
            for place in range(rng.randint(1, 4)):
                below = depth > 0 and self.chance(0.35)
                name = f"{'s' if below else 'w'}{place}"
                make = self.supervisor(own, name, depth - 1, own_auto) if below else None
                node["children"].append(make or self.worker(own, name, own_auto))
        if not is_root:
            self.faults(path, node)
        return node

    # --- what is done to it

    def operations(self) -> list[Node]:
        ops: list[Node] = []
        for _ in range(self.rng.randint(3, 9)):
            ops += self.some()
        return ops

    def some(self) -> list[Node]:
        rng = self.rng
        paths = [*self.workers, *(f"{pool}/#{k}" for pool, n in self.asked.items()
                                  for k in range(1, n + 1))]  # fmt: skip
        nested = [path for path in self.supervisors if path != "root"]
        kind = rng.choices(list(OFTEN), list(OFTEN.values()))[0]
        if kind == "end" and paths:
            return [self.end(rng.choice(paths))]
        if kind == "kill":
            return [{"op": "kill", "path": rng.choice([*paths, *nested] or ["root"])}]
        if kind == "stop" and nested:
            reason = rng.choice((*EXITS, *CRASHES))
            return [{"op": "exit", "path": rng.choice(nested), "reason": reason}]
        if kind == "signal":
            path = rng.choice([*paths, *self.supervisors])
            return [{"op": "signal", "path": path, "reason": rng.choice((*EXITS, "boom"))}]
        if kind == "burst":
            return self.burst()
        if kind == "wrong":
            return [self.wrong()]
        if kind == "code":
            return self.code()
        if kind == "info":
            return [{"op": "info", "path": rng.choice([*paths, *self.supervisors]), "msg": "hello"}]
        if kind == "root":
            return [{"op": "parent_signal", "reason": rng.choice((*EXITS, "boom"))}]
        op = self.request(rng.choice([*self.supervisors]))
        return [op] if op else []

    def end(self, path: str) -> Node:
        if self.chance(0.65):
            return {"op": "crash", "path": path, "reason": self.rng.choice(CRASHES)}
        return {"op": "exit", "path": path, "reason": self.rng.choice(EXITS)}

    def burst(self) -> list[Node]:
        """A supervisor that sees several ends at once."""
        path = self.rng.choice([*self.supervisors])
        below = [each for each in self.workers if each.rpartition("/")[0] == path]
        below += [f"{path}/#{k}" for k in range(1, self.asked.get(path, 0) + 1)]
        if not below:
            return []
        ends = self.rng.sample(below, min(len(below), self.rng.randint(1, 3)))
        ops = [{"op": "kill", "path": e} if self.chance(0.3) else self.end(e) for e in ends]
        return [{"op": "suspend", "path": path}, *ops, {"op": "resume", "path": path}]

    def request(self, path: str, *, inside: bool = False) -> Node | None:
        """A call of a supervisor's API; `inside` a start there is none that needs bookkeeping."""
        rng, where = self.rng, {} if inside else {"sup": path}
        children = [each["id"] for each in self.supervisors[path].get("children", [])]
        if path in self.asked:
            children += [f"#{k}" for k in range(1, self.asked[path] + 1)]
        children.append("nobody")
        verbs = ("terminate_child", "restart_child", "delete_child", "which_children",
                 "count_children", "start_child", "get_childspec")  # fmt: skip
        verb = rng.choice(verbs[:6] if inside else verbs)
        op: Node = {"op": verb, **where}
        if verb in ("which_children", "count_children"):
            return op
        if verb != "start_child":
            return op | {"id": rng.choice(children)}
        if path in self.asked:
            if inside:
                return None
            self.asked[path] += 1
            faults = ({}, {}, {"fail_starts": [1]}, {"ignore_starts": [1]}, {"fail_starts": [2]})
            overrides = rng.choice(faults)
            return op | ({"overrides": overrides} if overrides else {})
        if inside or self.chance(0.3):
            return op | {"spec": {"id": rng.choice([*children, "extra"]), "type": "worker"}}
        self.fresh += 1
        auto = "auto_shutdown" in self.supervisors[path]
        return op | {"spec": self.worker(path, f"n{self.fresh}", auto)}

    def wrong(self) -> Node:
        rng = self.rng
        ordinary = [each for each in self.supervisors if each not in self.asked]
        if self.chance(0.5):
            path = rng.choice(ordinary)
            return {"op": "start_child_raw", "sup": path, "spec": rng.choice(WRONG)}
        right = {"id": "r", "start": True, "restart": "transient", "significant": True}
        specs: Any = [rng.choice((*WRONG, right, right)) for _ in range(rng.randint(0, 3))]
        op: Node = {"op": "check_childspecs", "specs": specs}
        if self.chance(0.5):
            modes = ("never", "any_significant", "all_significant", "sometimes")
            op["auto_shutdown"] = rng.choice(modes)
        return op

    def code(self) -> list[Node]:
        """New code of a supervisor: flags, order, children that come and go."""
        rng = self.rng
        path = rng.choice([*self.supervisors])
        node = dict(self.supervisors[path])
        if path in self.asked:
            node["children"] = [dict(node["children"][0], restart=rng.choice(RESTARTS))]
            node["children"][0].pop("significant", None)
        else:
            node["strategy"] = rng.choice(ORDINARY)
            children = [dict(each) for each in node["children"]]
            rng.shuffle(children)
            children = children[: rng.randint(0, len(children))] if self.chance(0.4) else children
            if self.chance(0.3):
                self.fresh += 1
                children.append({"id": f"c{self.fresh}", "type": "worker"})
                self.workers[f"{path}/c{self.fresh}"] = children[-1]
            if self.chance(0.1) and children:
                children.append(dict(children[0]))
            node["children"] = children
        if self.chance(0.5):
            node["intensity"] = rng.choice((0, 2, 6))
        if self.chance(0.1):
            node[rng.choice(("intensity", "period", "strategy"))] = "wrong"
        elif self.chance(0.05):
            node["init_returns"] = "ignore"
        if node.get("init_returns") is None and "wrong" not in node.values():
            self.supervisors[path] = {**self.supervisors[path], "children": node["children"]}
        return [{"op": "code_change", "path": path, "spec": node}]


def case(seed: int, number: int) -> Node:
    """The case of that number."""
    made = Case(random.Random(f"{seed}/{number}"))
    root = made.supervisor("", "root", 2, False)
    ops = made.operations()
    return {"name": f"g{seed}_{number:05}", "root": root, "ops": ops}


def main(given: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(given)
    options.out.mkdir(parents=True, exist_ok=True)
    for number in range(options.count):
        made = case(options.seed, number)
        (options.out / f"{made['name']}.json").write_text(json.dumps(made))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
