"""Operations over REST: where they are, what they take, what they answer."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from clusterlib.operations.catalogue import shipped
from clusterlib.operations.down import bring_down
from clusterlib.operations.listing import ListedOperation
from clusterlib.rundir.event_files import read_events
from tests.functional.conftest import Up
from tests.functional.web.client import JSON, Answer, Client
from tests.functional.web.conftest import Serve

NODE = {"node": "node2"}
CALLS: dict[str, dict[str, Any]] = {
    "cluster.clean": {},
    "cluster.doctor": {},
    "cluster.events": {},
    "cluster.health": {},
    "cluster.logs": {"lines": 3},
    "cluster.operations": {},
    "cluster.status": {},
    "cluster.pause": NODE,
    "cluster.resume": NODE,
    "cluster.stop": NODE,
    "cluster.start": NODE,
    "cluster.kill": NODE,
    "cluster.restart": {"rolling": True},
    "cluster.scale": {"count": 3},
    "cluster.sync": {},
    "cluster.up": {"profile": "ci-small"},
    "cluster.run": {"command": ["true"]},
    "cluster.shell": {"node": "node1", "command": "6 * 7"},
    "profile.check": {},
    "profile.list": {},
    "profile.schema": {},
    "profile.show": {"name": "dev", "resolved": True},
    "test.plan": {},
    "test.report": {},
    "cluster.serve": {},
    "cluster.down": {},
}
"""What each operation is given, in an order in which all of them make sense."""
OTHER_STATUS = {"test.report": 422, "cluster.serve": 409}
"""There is no report; and the project is served already."""


def test_every_operation_can_be_called(serve: Serve, up: Up) -> None:
    up("ci-small")
    client = serve("--allow-execute").client

    for one in sorted(shipped(), key=_place):
        known = one.full_name in CALLS
        answer = _called(client, one, CALLS.get(one.full_name, {}))
        if known:
            assert answer.status == OTHER_STATUS.get(one.full_name, 200), (one.full_name, answer.body)
        else:  # it lacks an argument, or the cluster is of another kind
            assert answer.status in {200, 404, 422}, (one.full_name, answer.body)
        if answer.status == 200:
            assert answer.headers["content-type"] == "application/json"
        else:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.document["code"] != "request-refused", one.full_name


def _place(one: ListedOperation) -> int:
    """Those without arguments here come before the cluster is ended."""
    names = [*CALLS]
    return names.index(one.full_name) if one.full_name in CALLS else names.index("profile.check")


def _called(client: Client, one: ListedOperation, arguments: dict[str, Any]) -> Answer:
    of_cluster = one.scope != "project" or any(each.completes == "clusters" for each in one.parameters)
    path = "/".join(["/api", *(["clusters/default"] if of_cluster else []), *one.path])
    if one.effect != "read":
        return client.post(path, **arguments)
    return client.get(path, **{name: str(value).lower() for name, value in arguments.items()})


def test_what_only_looks_is_got_and_all_else_is_posted(serve: Serve) -> None:
    client = serve("--allow-execute").client
    document = client.get("/api/openapi.json").document

    for path, methods in document["paths"].items():
        (method,) = methods
        other = "POST" if method == "get" else "GET"
        refused = client.ask(other, path.replace("{cluster}", "x"), b"{}", JSON)
        assert refused.status == 405, path
        assert refused.headers["allow"] == method.upper()


def test_a_cluster_is_started_changed_and_ended(client: Client, up: Up, project: Path) -> None:
    started = client.post("/api/clusters/shop/up", profile="ci-small", simulate=True)
    assert started.status == 200
    assert started.document["cluster"]["simulated"] is True
    assert len(started.document["cluster"]["nodes"]) == 2

    killed = client.post("/api/clusters/shop/kill", node="node2")
    assert killed.document["node"]["state"] == "dead"
    (listed,) = client.get("/api/status").document["clusters"]
    assert listed["name"] == "shop"
    restarted = client.post("/api/clusters/shop/restart", node="node2")
    assert restarted.status == 200

    assert client.post("/api/clusters/shop/down").document["stopped"] == ["shop"]
    assert client.get("/api/clusters/shop/status").status == 404


def test_the_diary_says_who_did_what_through_which_door(client: Client, up: Up) -> None:
    cluster = up("ci-small", simulate=True)
    client.headers["User-Agent"] = "shop-tools/3\u00e9"
    client.post("/api/clusters/default/pause", node="node1")

    events = [one.to_dict() for one in _events(client)]

    (began,) = [one for one in events if one["kind"] == "operation.began"]
    assert began["operation"] == "cluster.pause"
    assert began["arguments"] == {"node": "node1"}
    assert began["by"].startswith("REST client at port ")
    assert "(shop-tools/3), by pid" in began["by"]
    (fault,) = [one for one in events if one["kind"] == "fault.pause"]
    assert fault["by"] == began["by"]
    assert cluster["node1"].state == "paused"


def _events(client: Client) -> list[Any]:
    from clusterlib.messages.event import Event

    return [Event.of(one) for one in client.get("/api/clusters/default/events").document["events"]]


@pytest.mark.parametrize("path", ["/api/clusters/default/down", "/api/down"])
def test_the_diary_says_which_client_took_the_cluster_down(client: Client, up: Up, path: str) -> None:
    runs = [up("ci-small", name=name, simulate=True).run_folder for name in ("default", "other")]
    client.headers["User-Agent"] = "shop-tools/3"

    client.post(path, **({"all": True} if path == "/api/down" else {}))

    for run in runs if path == "/api/down" else runs[:1]:
        (stopping,) = [one for one in read_events(run.events) if one.kind == "cluster.stopping"]
        assert "by REST client at port " in stopping.sentence()
        assert "(shop-tools/3), by pid" in stopping.sentence()


def test_all_mistakes_are_named_at_once(client: Client, up: Up) -> None:
    up("ci-small", simulate=True)

    posted = client.post("/api/clusters/default/scale", count=0, role=3, colour="red")
    assert posted.status == 422
    assert "colour" in posted.document["detail"]

    posted = client.post("/api/clusters/default/scale", count=0, role=3)
    assert posted.document["evidence"] == [
        "count: 0 is out of bounds; write at least 1",
        "role: 3 must be text; write a word",
    ]
    got = client.get("/api/clusters/default/logs", lines="many")
    assert (got.status, got.document["detail"]) == (422, 'lines: must be a whole number, not "many"')
    followed = client.get("/api/clusters/default/logs", follow="true")
    assert (followed.status, followed.document["detail"]) == (422, "there is no parameter follow")
    missing = client.post("/api/clusters/default/kill")
    assert (missing.status, missing.document["detail"]) == (422, "node is missing")
    twice = client.ask("GET", "/api/clusters/default/logs?lines=1&lines=2")
    assert (twice.status, twice.document["detail"]) == (422, "lines is given more than once")


def test_a_value_of_json_must_have_its_type(client: Client, up: Up) -> None:
    up("ci-small", simulate=True)

    assert client.post("/api/clusters/default/scale", count="3").status == 422
    missing = client.post("/api/clusters/default/kill", node=None)
    assert (missing.status, missing.document["code"]) == (422, "usage")
    assert client.post("/api/clusters/default/restart", rolling=None).status == 422
    assert client.post("/api/clusters/default/restart", node=None).status == 200


def test_an_error_is_a_problem_with_a_remedy_that_can_be_sent(client: Client, up: Up) -> None:
    answer = client.post("/api/clusters/default/kill", node="node1")

    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.document
    assert problem["code"] == "not-running"
    assert problem["status"] == 404
    (remedy,) = problem["remedies"]
    assert remedy["text"] == "clusterlib up"
    assert remedy["parts"] == [{"operation": "cluster.up", "words": [], "options": {}, "rest": []}]
    (request,) = remedy["requests"]
    assert request == {"method": "POST", "path": "/api/clusters/default/up", "arguments": {}}

    assert client.post(request["path"], profile="ci-small", simulate=True).status == 200
    assert client.post("/api/clusters/default/down").status == 200


def test_the_type_of_a_problem_leads_to_its_explanation(client: Client) -> None:
    problem = client.post("/api/clusters/default/kill", node="node1").document
    assert problem["type"] == f"{client.url}/problems/not-running"

    explained = client.get("/problems/not-running")

    assert explained.status == 200
    assert explained.body.startswith(b"## `not-running`\n")
    assert client.get("/problems/nonsense").status == 404


def test_operations_that_execute_need_a_server_that_allows_it(serve: Serve, up: Up) -> None:
    up("ci-small", simulate=True)
    served = serve()
    refused = served.client.post("/api/clusters/default/shell", node="node1", command="1")
    assert refused.status == 403
    assert refused.document["detail"] == "cluster.shell is not allowed here"
    assert refused.document["remedies"][0]["text"] == "clusterlib serve --allow-execute"
    served.end()

    allowed = serve("--allow-execute").client.post(
        "/api/clusters/default/shell", node="node1", command="6 * 7"
    )
    assert (allowed.status, allowed.document["value"]) == (200, "42")


EVIL = """
from pathlib import Path

Path(__file__).with_name("ran").touch()
"""
EVIL_PROFILE = """
driver = "evil:KIND"

[python]
path = ["{folder}"]
"""


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """A profile outside of the project whose driver is code beside it."""
    folder = tmp_path / "evil"
    folder.mkdir()
    (folder / "evil.py").write_text(EVIL)
    (folder / "evil.toml").write_text(EVIL_PROFILE.format(folder=folder))
    return folder / "evil.toml"


def test_a_profile_that_is_a_file_of_the_client_is_refused(client: Client, evil: Path) -> None:
    refused = [
        client.get("/api/profile/check", name=evil),
        client.get("/api/profile/show", name=evil),
        client.get("/api/doctor", profile=evil),
        client.post("/api/clusters/default/up", profile=str(evil)),
    ]

    assert [one.status for one in refused] == [403] * 4
    assert {one.document["code"] for one in refused} == {"access-refused"}
    assert "must be the name of a profile" in refused[0].document["detail"]
    assert not evil.with_name("ran").exists()
    assert client.get("/api/profile/check", name="dev").status == 200


def test_a_profile_that_is_a_file_can_be_used_where_execution_is_allowed(serve: Serve, evil: Path) -> None:
    answer = serve("--allow-execute").client.get("/api/profile/check", name=evil)

    assert answer.status == 200
    assert evil.with_name("ran").exists()


def test_tests_are_planned_only_where_execution_is_allowed(client: Client, project: Path) -> None:
    (project / "evil_test.py").write_text(EVIL)

    refused = client.post("/api/test/plan", arguments=[str(project / "evil_test.py")])

    assert (refused.status, refused.document["code"]) == (403, "access-refused")
    assert not (project / "ran").exists()


def test_a_prompt_is_not_supported(serve: Serve, up: Up) -> None:
    up("ci-small", simulate=True)

    answer = serve("--allow-execute").client.post("/api/clusters/default/shell", node="node1")

    assert (answer.status, answer.document["code"]) == (422, "not-supported")


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/", "/api/nothing", "/api/clusters/x", "/api/clusters/x/y/z", "/api/%2e%2e/x"]
)
def test_nothing_is_elsewhere(client: Client, path: str) -> None:
    answer = client.ask("GET", path)

    assert (answer.status, answer.document["code"]) == (404, "request-refused")


def test_the_answers_of_requests_at_the_same_time_are_not_mixed(client: Client, up: Up) -> None:
    for name in ("one", "two"):
        up("ci-small", name=name, simulate=True)

    def look(number: int) -> bool:
        name = ("one", "two")[number % 2]
        (cluster,) = client.get(f"/api/clusters/{name}/status").document["clusters"]
        return bool(cluster["name"] == name)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(look, range(64)))


def test_a_request_whose_client_has_gone_is_carried_out(client: Client, up: Up) -> None:
    cluster = up("ci-small", simulate=True)
    connection = client.connect()
    headers = {**JSON, "Authorization": f"Bearer {client.token}"}
    connection.request("POST", "/api/clusters/default/restart", b'{"fresh": true}', headers)
    connection.close()

    cluster.wait_until(lambda: all(one.starts == 2 for one in cluster.status().nodes), timeout=30)
    cluster.wait_ready(30)
    assert client.get("/api/clusters/default/status").status == 200


def test_requests_that_change_one_cluster_do_not_disturb_each_other(client: Client, up: Up) -> None:
    cluster = up("ci-small", simulate=True)

    def disturb(number: int) -> int:
        operation = ("pause", "resume", "kill", "start")[number % 4]
        node = f"node{number % 2 + 1}"
        return client.post(f"/api/clusters/default/{operation}", node=node).status

    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(disturb, range(40)))

    assert found <= {200, 409, 422, 500, 503}
    assert client.post("/api/clusters/default/restart").status == 200
    assert cluster.state == "ready"


def test_a_keeper_that_was_killed_is_said_and_the_next_question_is_answered(
    client: Client, up: Up, project: Path
) -> None:
    cluster = up("ci-small", simulate=True)
    assert client.get("/api/clusters/default/health").status == 200  # a connection is held now
    os.kill(cluster.status().keeper.pid, signal.SIGKILL)
    bring_down(project=project)

    gone = client.get("/api/clusters/default/health")
    assert (gone.status, gone.document["code"]) == (404, "not-running")
    up("ci-small")
    assert client.get("/api/clusters/default/health").status == 200
