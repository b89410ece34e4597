"""The bare minimum of `up`: the same node processes, forked by one script without keeper, guard or
templates.

    python -m bench.bare FOLDER NODES

It writes the nodes' configurations, forks each node with sockets that already listen, and waits on
their control channels until every node sees every other. A line on stdin makes it kill and reap
them."""

import sys
import time

BEGIN = time.perf_counter()

import gc  # noqa: E402
import itertools  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import select  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
from typing import Any, NoReturn  # noqa: E402

import clusterlib.runtime.node  # noqa: E402


class BareNode:
    """One node process, and the sockets it is given."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cluster = listening()
        self.http = listening()
        self.control, self.lent = socket.socketpair()
        self.text = b""
        self.alive: list[str] = []
        self.serving = False
        self.pid = 0

    @property
    def peer(self) -> dict[str, Any]:
        return {"name": self.name, "address": "127.0.0.1", "port": self.cluster.getsockname()[1]}

    def hear(self) -> None:
        data = self.control.recv(1 << 20)
        if not data:
            raise SystemExit(f"{self.name} ended")
        *lines, self.text = (self.text + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if message["event"] == "view":
                self.alive = message["alive"]
            self.serving = self.serving or message["event"] == "serving"


def listening() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    return listener


def main() -> None:
    folder, count = sys.argv[1], int(sys.argv[2])
    cookie = f"{folder}/cookie"
    descriptor = os.open(cookie, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o400)
    os.write(descriptor, b"0123456789abcdef" * 4)
    os.close(descriptor)
    nodes = [BareNode(f"node{number}") for number in range(1, count + 1)]
    gc.freeze()
    for number, node in enumerate(nodes, 1):
        config = write_config(folder, cookie, node, number, nodes)
        node.pid = os.fork()
        if node.pid == 0:
            become(node, config)
    waiting = select.poll()
    by_descriptor = {node.control.fileno(): node for node in nodes}
    for node in nodes:
        node.lent.close()
        waiting.register(node.control, select.POLLIN)
    unready = set(nodes)
    while unready:
        for number, _ in waiting.poll():
            node = by_descriptor[number]
            node.hear()
            if node.serving and len(node.alive) == count:
                unready.discard(node)
    seconds = time.perf_counter() - BEGIN
    answer({"seconds": seconds, "pids": [node.pid for node in nodes]})
    line = sys.stdin.readline()
    begin = time.perf_counter()
    for node in nodes:
        os.kill(node.pid, signal.SIGKILL)
    for node in nodes:
        os.waitpid(node.pid, 0)
    if line:
        answer({"seconds": time.perf_counter() - begin})


def write_config(folder: str, cookie: str, node: BareNode, number: int, nodes: list[BareNode]) -> str:
    path = f"{folder}/{node.name}.json"
    config = {
        "name": node.name,
        "cluster": "bare",
        "simulated": False,
        "index": number,
        "address": "127.0.0.1",
        "host": "localhost",
        "ports": {"cluster": node.peer["port"], "http": node.http.getsockname()[1]},
        "cookie_file": cookie,
        "directory": folder,
        "peers": [other.peer for other in nodes],
        "detect": 0.8,
        "app": None,
        "code_roots": [],
    }
    with open(path, "w") as file:  # noqa: PTH123 - a bare script
        json.dump(config, file)
    return path


def become(node: BareNode, config: str) -> NoReturn:
    given = {"CONTROL": node.lent.fileno(), "CLUSTER": node.cluster.fileno(), "HTTP": node.http.fileno()}
    for name, descriptor in given.items():
        os.environ[f"CLUSTERLIB_FD_{name}"] = str(descriptor)
    kept = [2, *sorted(given.values()), os.sysconf("SC_OPEN_MAX")]
    for below, above in itertools.pairwise(kept):
        os.closerange(below + 1, above)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(os.open(f"{config}.log", os.O_WRONLY | os.O_CREAT, 0o600), 1)
    os.dup2(1, 2)
    try:
        clusterlib.runtime.node.main({"config": config})
    finally:
        os._exit(0)


def answer(facts: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
