"""How fast do N embedded nodes see each other, what do they cost when idle, how fast is a call?

    python bench/embedded_nodes.py [N]

It forks N nodes from this process, as the nursery does, and listens on their control channels."""

from __future__ import annotations

import argparse
import gc
import json
import os
import selectors
import signal
import socket
import statistics
import tempfile
import threading
import time
from pathlib import Path

from clusterlib.runtime import node as runtime_node
from clusterlib.runtime.client import NodeClient


def listener() -> socket.socket:
    opened = socket.socket()
    opened.bind(("127.0.0.1", 0))
    opened.listen(128)
    return opened


class Bench:
    """N nodes, forked from here."""

    def __init__(self, count: int, folder: Path) -> None:
        self.names = [f"node{index}" for index in range(1, count + 1)]
        self.cookie = folder / "cookie"
        self.cookie.write_text("c" * 64)
        self.cookie.chmod(0o400)
        self.clusters = {name: listener() for name in self.names}
        self.https = {name: listener() for name in self.names}
        self.ports = {name: opened.getsockname()[1] for name, opened in self.clusters.items()}
        self.controls: dict[str, socket.socket] = {}
        self.pids: dict[str, int] = {}
        self.folder = folder
        peers = [{"name": name, "address": "127.0.0.1", "port": self.ports[name]} for name in self.names]
        for index, name in enumerate(self.names):
            (folder / f"{name}.json").write_text(
                json.dumps(
                    {
                        "name": name,
                        "cluster": "bench",
                        "index": index,
                        "address": "127.0.0.1",
                        "host": name,
                        "ports": {"cluster": self.ports[name]},
                        "cookie_file": str(self.cookie),
                        "directory": str(folder),
                        "peers": peers,
                    }
                )
            )

    def fork(self, name: str) -> None:
        ours, theirs = socket.socketpair()
        self.controls[name] = ours
        pid = os.fork()
        if pid:
            self.pids[name] = pid
            theirs.close()
            self.clusters[name].close()
            self.https[name].close()
            return
        code = 1
        try:
            for other in self.controls.values():
                other.close()
            for other_name in self.names:
                if other_name != name:
                    self.clusters[other_name].close()
                    self.https[other_name].close()
            os.environ["CLUSTERLIB_FD_CONTROL"] = str(theirs.fileno())
            os.environ["CLUSTERLIB_FD_CLUSTER"] = str(self.clusters[name].fileno())
            os.environ["CLUSTERLIB_FD_HTTP"] = str(self.https[name].fileno())
            code = runtime_node.main({"config": str(self.folder / f"{name}.json")})
        finally:
            os._exit(code)

    def wait_for_views(self, size: int, names: list[str], seconds: float) -> float:
        """Waits until each of these nodes sees `size` nodes; returns when that was."""
        selector = selectors.DefaultSelector()
        rest = {}
        for name in names:
            rest[name] = b""
            selector.register(self.controls[name], selectors.EVENT_READ, name)
        seen: dict[str, int] = {}
        end = time.perf_counter() + seconds
        while len(seen) < len(names) or any(count != size for count in seen.values()):
            left = end - time.perf_counter()
            if left <= 0:
                missing = {name: seen.get(name) for name in names if seen.get(name) != size}
                raise SystemExit(f"after {seconds} s: {missing}")
            for key, _ in selector.select(left):
                name = key.data
                *lines, rest[name] = (rest[name] + self.controls[name].recv(65536)).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    if event["event"] == "view":
                        seen[name] = len(event["alive"])
        return time.perf_counter()

    def processor_seconds(self) -> float:
        ticks = 0
        for pid in self.pids.values():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def proportional_memory(self) -> float:
        total = 0
        for pid in self.pids.values():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total / len(self.pids) / 1024


def ping_pong(count: int) -> list[float]:
    """The bare minimum of a call: a byte there and back over TCP, between two processes."""
    opened = listener()
    pid = os.fork()
    if not pid:
        there, _ = opened.accept()
        there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := there.recv(64):
            there.send(data)
        os._exit(0)
    here = socket.create_connection(opened.getsockname())
    here.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        here.send(b"x" * 32)
        here.recv(64)
        times.append(time.perf_counter() - begun)
    here.close()
    os.waitpid(pid, 0)
    return times


def call_times(client: NodeClient, count: int) -> list[float]:
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        client.call("math:hypot", (3, 4))
        times.append(time.perf_counter() - begun)
    return times


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("count", nargs="?", type=int, default=3)
    parser.add_argument("--idle", type=float, default=3.0)
    options = parser.parse_args()
    gc.freeze()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.count, Path(folder))
        begun = time.perf_counter()
        for name in bench.names:
            bench.fork(name)
        forked = time.perf_counter()
        met = bench.wait_for_views(options.count, bench.names, 20)
        print(
            f"{options.count} nodes: forked {1000 * (forked - begun):.0f} ms, all see all {1000 * (met - begun):.0f} ms"
        )
        print(f"CPU until then: {1000 * bench.processor_seconds() / options.count:.1f} ms a node")
        threading.Event().wait(0.5)
        before = bench.processor_seconds()
        threading.Event().wait(options.idle)
        used = (bench.processor_seconds() - before) / options.idle
        print(
            f"idle: {100 * used:.1f} % of a core for all; memory (PSS) {bench.proportional_memory():.1f} MB a node"
        )
        client = NodeClient(bench.names[0], "127.0.0.1", bench.ports[bench.names[0]], str(bench.cookie))
        call_times(client, 200)
        bare, ours = ping_pong(2000), call_times(client, 2000)
        print(f"call p50 {1e6 * statistics.median(ours):.0f} us, bare {1e6 * statistics.median(bare):.0f} us")
        if options.count > 2:
            victim, *others = bench.names[1], bench.names[0], *bench.names[2:]
            begun = time.perf_counter()
            os.kill(bench.pids[victim], signal.SIGKILL)
            noticed = bench.wait_for_views(options.count - 1, others, 5)
            print(f"killed node noticed by all: {1000 * (noticed - begun):.1f} ms")
            os.waitpid(bench.pids.pop(victim), 0)
            victim, *others = others
            begun = time.perf_counter()
            os.kill(bench.pids[victim], signal.SIGSTOP)
            noticed = bench.wait_for_views(options.count - 2, others, 5)
            print(f"paused node noticed by all: {1000 * (noticed - begun):.0f} ms")
            begun = time.perf_counter()
            os.kill(bench.pids[victim], signal.SIGCONT)
            noticed = bench.wait_for_views(options.count - 1, others, 5)
            print(f"resumed node back for all: {1000 * (noticed - begun):.1f} ms")
        begun = time.perf_counter()
        for name in bench.pids:
            bench.controls[name].sendall(b'{"do":"stop"}\n')
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in bench.pids.values()]
        print(f"stopped: {1000 * (time.perf_counter() - begun):.0f} ms, exit codes {sorted(set(codes))}")


if __name__ == "__main__":
    main()
