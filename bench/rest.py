"""What is measured of the server over REST, beside a bare server of Starlette and uvicorn."""

from __future__ import annotations

import contextlib
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import clusterlib
from bench.figures import Figures, Row
from bench.machine import memory_mb
from bench.programs import ROOT, environment
from bench.rows import Bench, ms
from clusterlib.messages.effects import Effect
from clusterlib.operations.declaring import Caller, Operation
from clusterlib.operations.serving import ProjectServer
from clusterlib.operations.views import ClusterView

__all__ = ["REST"]

CALLS = 200
DISPATCHES = 2000
BARE_SERVER = "a server of Starlette and uvicorn with one route that returns the same JSON"


@contextlib.contextmanager
def bare_server(document: object) -> Iterator[int]:
    """Its port."""
    with tempfile.TemporaryDirectory(prefix="clusterlib-bench-") as folder:
        file = Path(folder) / "answer.json"
        file.write_text(json.dumps(document))
        with subprocess.Popen(
            [sys.executable, "-m", "bench.bare_rest", str(file)],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as running:
            assert running.stdin is not None
            assert running.stdout is not None
            yield int(running.stdout.readline())
            running.stdin.close()


def asked(port: int, path: str, headers: dict[str, str]) -> list[float]:
    """Milliseconds of each request, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    found = []
    try:
        for _ in range(CALLS):
            began = time.perf_counter()
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            found.append(ms(time.perf_counter() - began))
    finally:
        connection.close()
    return found


def request(bench: Bench) -> list[Row]:
    """The status of three nodes."""
    ours, bare, memory = [], [], []
    with (
        clusterlib.up("dev", project=bench.project, simulate=True) as cluster,
        ProjectServer.start(bench.project) as server,
        bare_server(ClusterView.of(cluster.status()).to_dict()) as port,
    ):
        served = urlsplit(server.serving.url).port
        assert served is not None
        headers = {"Authorization": f"Bearer {server.token}"}
        for _ in range(bench.repeat):
            ours.append(statistics.median(asked(served, "/api/clusters/default/status", headers)))
            bare.append(statistics.median(asked(port, "/", {})))
        assert server.child is not None
        memory.append(memory_mb(server.child))
    what = "a request over REST: the status of 3 nodes, p50"
    return [
        Row("rest-request", what, "ms", Figures.of(ours), None, Figures.of(bare), BARE_SERVER),
        Row("rest-memory", "memory of the server over REST (PSS), after these", "MB", Figures.of(memory), 32),
    ]


def cold(bench: Bench) -> list[Row]:
    """From the start of `clusterlib serve` until it takes requests."""
    ours, bare = [], []
    for _ in range(bench.repeat):
        began = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "clusterlib", "serve", "--json"],
            cwd=bench.project,
            env={**environment(), "CLUSTERLIB_PROJECT": str(bench.project)},
            stdout=subprocess.PIPE,
        ) as running:
            assert running.stdout is not None
            assert running.stdout.readline().startswith(b'{"url"')
            ours.append(ms(time.perf_counter() - began))
            running.terminate()
        began = time.perf_counter()
        with bare_server({}):
            bare.append(ms(time.perf_counter() - began))
    what = "`clusterlib serve`, cold, until it takes requests"
    return [Row("rest-cold", what, "ms", Figures.of(ours), 700, Figures.of(bare), BARE_SERVER)]


def dispatch(bench: Bench) -> list[Row]:
    """An operation that does nothing, in this process."""

    def nothing(*, count: int = 3) -> int:
        return count

    operation = Operation(nothing, "nothing", "bench", Effect.READ, taints=False)
    caller = Caller(bench.project)
    ours = [_each(lambda: operation.called_by(caller, None, (), {"count": 2})) for _ in range(bench.repeat)]
    bare = [_each(lambda: nothing(count=2)) for _ in range(bench.repeat)]
    what = "the dispatch of an operation in process, its arguments checked"
    return [
        Row("operation-dispatch", what, "ms", Figures.of(ours), 0.2, Figures.of(bare), "the function alone")
    ]


def _each(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(DISPATCHES):
        call()
    return ms(time.perf_counter() - began) / DISPATCHES


REST: dict[str, Callable[[Bench], list[Row]]] = {
    "rest-request": request,
    "rest-cold": cold,
    "operation-dispatch": dispatch,
}
