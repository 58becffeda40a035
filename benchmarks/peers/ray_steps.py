"""Ray, volatile: a step is a task; each of an agent's takes what the one before gave back."""

from __future__ import annotations

import os

import ray

from benchmarks.peers.steplog import Log, timed, work

LOGS: dict[str, Log] = {}


@ray.remote
def step(path: str, who: str, before: tuple[int, str]) -> tuple[int, str]:
    if path not in LOGS:
        LOGS[path] = Log(path)
    return LOGS[path].add(who, before[0])


def main() -> None:
    asked = work()
    ray.init(
        num_cpus=os.cpu_count(),
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        runtime_env={"env_vars": {"PYTHONPATH": os.getcwd()}},
    )
    ray.get(step.remote(os.devnull, "warm", (0, "")))

    def everyone() -> None:
        last = []
        for n in range(asked.agents):
            now = (0, "")
            for _ in range(asked.steps):
                now = step.remote(str(asked.log), f"a{n}", now)
            last.append(now)
        ray.get(last)

    timed(asked, everyone)
    ray.shutdown()


if __name__ == "__main__":
    main()
