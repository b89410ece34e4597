"""The program of one runner: it uses clusterlib as its script says, and prints what happened.

    python -m tests.chaos.runner PROJECT SCRIPT-AS-JSON

It writes JSON lines to stdout, which is a file: what it said survives it. An error of clusterlib's
tree is an answer; anything else that is raised is a finding."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import clusterlib
from clusterlib.errors import ClusterError, KeeperLost, StaleCodeWarning
from clusterlib.waiting import Deadline, poll

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    project, script = Path(arguments[0]), json.loads(arguments[1])
    try:
        _live(project, script)
    except ClusterError as error:
        tell("error", act="unnamed", error=error.to_dict())
    except BaseException:  # noqa: BLE001 - whatever it is, it is a finding, and the harness must read of it
        tell("raised", trace=traceback.format_exc().splitlines())
        return 1
    tell("over")
    return 0


def tell(what: str, **facts: Any) -> None:
    line = json.dumps({"time": time.time(), "pid": os.getpid(), "what": what, **facts})
    os.write(1, line.encode() + b"\n")


def _live(project: Path, script: dict[str, Any]) -> None:
    tell("starting")
    try:
        cluster = clusterlib.up(
            "chaos",
            name=script["name"],
            nodes=script["nodes"],
            simulate=script["simulate"],
            project=project,
            hold=script["hold"],
        )
    except ClusterError as error:
        tell("error", act="up", error=error.to_dict())
        return
    tell("up", status=cluster.status().to_dict())
    for act in script["acts"]:
        if not _attempt(cluster, act, project):
            return
    _end(cluster, script["ending"])


def _attempt(cluster: clusterlib.Cluster, act: str, project: Path) -> bool:
    """False when there is no cluster any more to act on."""
    tell("acting", act=act)
    try:
        _act(cluster, act, project)
        tell("status", status=cluster.status().to_dict())
    except KeeperLost as error:
        tell("error", act=act, error=error.to_dict())
        return False
    except ClusterError as error:
        tell("error", act=act, error=error.to_dict())
    return True


def _act(cluster: clusterlib.Cluster, act: str, project: Path) -> None:
    node = cluster.nodes[-1]
    match act:
        case "call":
            answer = cluster.nodes[0].call("chaos_app:add", 2, 3, timeout=2.0)
            assert answer == 5, f"a node says that 2 + 3 is {answer}"
        case "work":
            poll(lambda: cluster.nodes[0].call("chaos_app:add", 2, 3, timeout=2.0) != 5, Deadline(0.3))
        case "members":
            cluster.nodes[0].members(timeout=2.0)
        case "kill":
            node.kill()
        case "pause":
            node.pause()
        case "pause-resume":
            node.pause()
            node.resume()
        case "restart":
            cluster.restart()
        case "restart-one":
            node.restart()
        case "scale":
            cluster.scale(len(cluster) % 5 + 1)
        case "join":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", StaleCodeWarning)  # of a paused node: it cannot be asked
                clusterlib.attach(cluster.name, project=project).close()
        case "whole":
            cluster.wait_ready(15.0)
            seen = sorted(cluster.nodes[0].members())
            expected = sorted(node.name for node in cluster)
            assert seen == expected, f"{cluster.nodes[0].name} sees {seen}, not {expected}"
        case _:
            raise AssertionError(f"a runner does not know how to {act}")


def _end(cluster: clusterlib.Cluster, ending: str) -> None:
    tell("ending", how=ending)
    try:
        if ending == "down":
            cluster.down()
        elif ending == "close":
            cluster.close()
        else:
            tell("left")
            os._exit(0)
    except ClusterError as error:
        tell("error", act=ending, error=error.to_dict())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
