"""The stream of events: nothing is lost and nothing comes twice, whatever ends meanwhile."""

from __future__ import annotations

import http.client
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clusterlib.operations.down import bring_down
from clusterlib.rundir.folders import runs_of
from tests.functional.conftest import Up
from tests.functional.web.client import Client
from tests.functional.web.conftest import Serve
from tests.functional.web.test_serving import child_of

STREAM = "/api/clusters/default/events/stream"


class Stream:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each message with its id, or with the name of its kind."""
        known: dict[str, str] = {}
        for raw in iter(self._response.readline, b""):
            line = raw.decode().rstrip("\n")
            if line:
                key, _, value = line.partition(": ")
                known[key] = value
            elif "data" in known:
                yield known.get("id") or known["event"], json.loads(known["data"])
                known = {}
            else:
                known = {}

    def until(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for one in self:
            found.append(one)
            if one[1].get("kind") == kind:
                return found
        raise AssertionError(f"the stream has ended without {kind}: {found[-3:]}")


@contextmanager
def stream(client: Client, last: str | None = None, path: str = STREAM) -> Iterator[Stream]:
    connection = client.connect()
    headers = {"Authorization": f"Bearer {client.token}", **({"Last-Event-ID": last} if last else {})}
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Stream(response)
    finally:
        connection.close()


def recorded(project: Path, name: str = "default") -> list[str]:
    """The ids of everything that the files have."""
    return [
        f"{name}/{run.path.name}/{json.loads(line)['number']}"
        for run in runs_of(project, name)
        for line in run.events.read_text().splitlines()
    ]


def test_it_goes_on_for_a_cluster_with_any_letters_in_its_name(client: Client, up: Up) -> None:
    up("ci-small", name="caf\u00e9", simulate=True)
    path = "/api/clusters/caf%C3%A9/events/stream"
    with stream(client, path=path) as events:
        seen = [one for one, _ in events.until("cluster.ready")]

    as_browsers_do = seen[0].encode().decode("latin-1")
    with stream(client, as_browsers_do, path=path) as events:
        assert [one for one, _ in events.until("cluster.ready")] == seen[1:]


def test_it_has_what_was_and_what_happens(client: Client, up: Up, project: Path) -> None:
    cluster = up("ci-small", simulate=True)

    with stream(client) as events:
        seen = events.until("lease.taken")
        assert seen[0][0].endswith("/1")
        cluster["node1"].kill()
        seen += events.until("fault.kill")

    assert [one for one, _ in seen] == recorded(project)[: len(seen)]
    assert seen[-1][1]["node"] == "node1"
    assert seen[-1][1]["cluster"] == "default"


def test_after_a_cut_it_goes_on_behind_the_last_event(client: Client, up: Up, project: Path) -> None:
    cluster = up("ci-small", simulate=True)
    seen: list[str] = []
    last = None
    for _ in range(4):
        with stream(client, last) as events:
            cluster["node1"].pause()
            seen += [one for one, _ in events.until("fault.pause")]
            last = seen[-1]
        cluster["node1"].resume()

    with stream(client, path=f"{STREAM}?after={last}") as events:
        cluster["node2"].kill()
        seen += [one for one, _ in events.until("fault.kill")]

    assert seen == recorded(project)[: len(seen)]


def test_it_goes_on_into_the_next_run_of_the_name(client: Client, up: Up, project: Path) -> None:
    with stream(client) as events:  # there is no cluster yet
        up("ci-small", simulate=True)
        seen = events.until("cluster.ready")
        bring_down(project=project)
        up("ci-small")  # and this one is real
        seen += events.until("cluster.ready")
        bring_down(project=project)
        seen += events.until("cluster.stopped")

    ids = [one for one, _ in seen]
    assert ids == recorded(project)[: len(ids)]
    assert len({one.rpartition("/")[0] for one in ids}) == 2
    assert [data["simulated"] for _, data in seen if data["kind"] == "cluster.ready"] == [True, False]


def test_it_goes_on_when_the_server_was_killed(
    serve: Serve, up: Up, project: Path, gone: Callable[[int], bool]
) -> None:
    cluster = up("ci-small", simulate=True)
    served = serve()
    seen: list[str] = []
    for number in range(3):
        with stream(served.client, seen[-1] if seen else None) as events:
            cluster["node1"].pause()
            seen += [one for one, _ in events.until("fault.pause")]
            child = child_of(served.process.pid)
            os.kill(child, signal.SIGKILL)
            assert gone(child)
            with pytest.raises((AssertionError, http.client.HTTPException, OSError)):
                events.until(f"nothing {number}")
        cluster["node1"].resume()

    assert seen == recorded(project)[: len(seen)]


def test_it_goes_on_when_the_keeper_was_killed(client: Client, up: Up, project: Path) -> None:
    cluster = up("ci-small", simulate=True)
    with stream(client) as events:
        seen = events.until("lease.taken")
        os.kill(cluster.status().keeper.pid, signal.SIGKILL)
        bring_down(project=project)
        up("ci-small", simulate=True)
        seen += events.until("lease.taken")

    ids = [one for one, _ in seen]
    assert ids == recorded(project)[: len(ids)]


def test_the_progress_of_a_start_is_in_the_stream(client: Client, up: Up) -> None:
    with stream(client, path="/api/clusters/shop/events/stream") as events:
        assert client.post("/api/clusters/shop/up", profile="ci-small", simulate=True).status == 200
        seen = [data["kind"] for _, data in events.until("cluster.ready")]

    assert "cluster.starting" in seen
    assert "node.started" in seen
    client.post("/api/clusters/shop/down")


def test_many_readers_get_the_same(client: Client, up: Up, project: Path) -> None:
    cluster = up("ci-small", simulate=True)
    streams = [stream(client) for _ in range(20)]
    opened = [one.__enter__() for one in streams]
    try:
        cluster["node1"].kill()
        seen = [[one for one, _ in events.until("fault.kill")] for events in opened]
    finally:
        for one in streams:
            one.__exit__(None, None, None)

    assert all(one == seen[0] for one in seen)
    assert seen[0] == recorded(project)[: len(seen[0])]


def test_an_id_whose_run_is_gone_is_said(client: Client, up: Up) -> None:
    up("ci-small", simulate=True)

    with stream(client, "default/20200101-000000.000000-abcd/7") as events:
        (kind, data), *rest = events.until("cluster.ready")

    assert (kind, data) == ("lost", {"after": "default/20200101-000000.000000-abcd/7"})
    assert rest[0][0].endswith("/1")


@pytest.mark.parametrize(
    "last", ["7", "default", "other/20200101-000000.000000-abcd/7", "default/x/-1", "default//1"]
)
def test_what_is_no_id_is_refused(client: Client, last: str) -> None:
    answer = client.ask("GET", STREAM, headers={"Last-Event-ID": last})

    assert (answer.status, answer.document["code"]) == (400, "request-refused")


def test_a_name_that_no_cluster_can_have_is_refused(client: Client) -> None:
    assert client.get("/api/clusters/..x/events/stream").status == 422


def test_a_server_ends_its_streams_in_order(serve: Serve, up: Up) -> None:
    up("ci-small", simulate=True)
    served = serve()
    with stream(served.client) as events:
        events.until("cluster.ready")
        assert served.end() == 0
        assert [data["kind"] for _, data in events if data["kind"] == "fault.kill"] == []
