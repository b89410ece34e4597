"""A user's program: starts a cluster, prints how long that took, and then follows commands.

    python -m bench.child PROJECT NAME NODES [simulate] [profile=PROFILE]

The answer to `up` comes first. Then each line on stdin is a command: `down`, `attach COUNT`,
`calls COUNT PORT`, `leave`. Each answer is one line of JSON. Nothing that `up` could need is
imported before the clock starts."""

import sys
import time

BEGIN = time.perf_counter()

import clusterlib  # noqa: E402

project, name, nodes = sys.argv[1], sys.argv[2], int(sys.argv[3])
profile = next((word.partition("=")[2] for word in sys.argv[4:] if word.startswith("profile=")), "dev")
cluster = clusterlib.up(profile, name=name, nodes=nodes, simulate="simulate" in sys.argv[4:], project=project)
SECONDS = time.perf_counter() - BEGIN

# The clock has stopped: from here on anything may be imported.
import json  # noqa: E402
import os  # noqa: E402
import socket  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402


def main() -> None:
    answer({"seconds": SECONDS, "status": cluster.status().to_dict()})
    for line in sys.stdin:
        command, *words = line.split()
        match command:
            case "down":
                answer({"seconds": timed(cluster.down)})
            case "attach":
                answer(leases(int(words[0])))
            case "calls":
                answer(calls(int(words[0]), int(words[1])))
            case "leave":
                os._exit(0)


def answer(facts: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def timed(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def leases(count: int) -> dict[str, list[float]]:
    """Attaching and closing, beside one request over the bare socket."""
    control = cluster.status().control
    ours, bare = [], []
    for _ in range(count):
        begin = time.perf_counter()
        other = clusterlib.attach(name, project=project)
        ours.append(time.perf_counter() - begin)
        other.close()
        bare.append(timed(lambda: ask(control)))
    return {"ours": ours, "bare": bare}


def ask(control: str) -> None:
    with socket.socket(socket.AF_UNIX) as keeper:
        keeper.connect(control)
        keeper.sendall(b'{"id": 1, "op": "status", "args": {}}\n')
        received = b""
        while not received.endswith(b"\n"):
            received += keeper.recv(1 << 20)
    json.loads(received)


def calls(count: int, port: int) -> dict[str, list[float]]:
    """Remote calls, alternating with a ping-pong with an echo in another process."""
    node = cluster.nodes[0]
    ours, bare = [], []
    with socket.create_connection(("127.0.0.1", port)) as echo:
        echo.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ping = b"x" * 64
        for turn in range(-100, count):
            begin = time.perf_counter()
            node.call("os:getpid")
            between = time.perf_counter()
            echo.sendall(ping)
            echo.recv(64)
            end = time.perf_counter()
            if turn >= 0:  # the first ones only warm up
                ours.append(between - begin)
                bare.append(end - between)
    return {"ours": ours, "bare": bare}


if __name__ == "__main__":
    main()
