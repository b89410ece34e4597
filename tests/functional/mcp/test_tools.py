"""What an assistant can do with a project over MCP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.functional.conftest import Up
from tests.functional.mcp.conversation import Conversation

CHATTY = '''
import os, subprocess
from clusterlib import Cluster
from clusterlib.operations import Caller, operation


@operation(effect="change", group="shop")
def chat(caller: Caller) -> dict[str, int]:
    """Print a lot."""
    caller.note("it begins")
    print("from Python")
    os.write(1, b"from below\\n")
    subprocess.run(["echo", "from a program"])
    return {"numbers": int(bool(input_is_empty()))}


def input_is_empty() -> bool:
    return os.read(0, 1) == b""
'''
MANY = '''
from clusterlib.operations import operation


@operation(effect="read", group="shop")
def many(*, count: int = 20_000) -> list[str]:
    """List items."""
    return [f"item {number}" for number in range(count)]


@operation(effect="read", group="shop")
def wrong(count: int) -> int:
    """Fail, always."""
    return 1 // 0


@operation(effect="read", group="shop")
def talk() -> object:
    """Give back something that is no data."""
    return object()
'''


@pytest.fixture
def operations(project: Path) -> Path:
    folder = project / "operations"
    folder.mkdir()
    return folder


def test_only_what_looks_is_offered(project: Path) -> None:
    with Conversation(project) as client:
        tools = client.tools()

    assert {"cluster_status", "cluster_logs", "profile_show"} <= tools.keys()
    assert not {"cluster_up", "cluster_kill", "cluster_shell"} & tools.keys()
    assert all(one["annotations"]["readOnlyHint"] for one in tools.values())


def test_what_is_not_offered_is_refused_with_how_to_allow_it(project: Path, up: Up) -> None:
    cluster = up("ci-small")

    with Conversation(project) as client:
        refused = client.call("cluster_kill", node="node1")

    assert refused["isError"]
    assert refused["_meta"]["clusterlib/error"]["code"] == "access-refused"
    assert "clusterlib mcp --allow destroy" in refused["content"][0]["text"]
    assert cluster["node1"].state == "ready"


EVIL = """
from pathlib import Path

Path(__file__).with_name("ran").touch()
"""


def test_code_of_the_assistant_does_not_run_unless_execution_is_allowed(
    project: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "evil"
    folder.mkdir()
    (folder / "evil.py").write_text(EVIL)
    profile = folder / "evil.toml"
    profile.write_text(f'driver = "evil:KIND"\n\n[python]\npath = ["{folder}"]\n')

    with Conversation(project, "--allow", "change") as client:
        refused = [
            client.call("profile_check", name=str(profile)),
            client.call("profile_show", name=str(profile)),
            client.call("cluster_doctor", profile=str(profile)),
            client.call("cluster_up", profile=str(profile)),
            client.call("test_plan", arguments=[str(folder / "evil.py")]),
        ]
        assert "test_plan" not in client.tools()

    assert all(one["_meta"]["clusterlib/error"]["code"] == "access-refused" for one in refused)
    assert all("clusterlib mcp --allow execute" in one["content"][0]["text"] for one in refused)
    assert not (folder / "ran").exists()
    with Conversation(project, "--allow", "execute") as client:
        client.call("profile_check", name=str(profile))
    assert (folder / "ran").exists()


def test_what_is_allowed_is_offered_with_its_dangers(project: Path) -> None:
    with Conversation(project, "--allow", "change", "--allow=destroy") as client:
        tools = client.tools()

    assert "cluster_shell" not in tools
    assert tools["cluster_kill"]["annotations"]["destructiveHint"]
    assert not tools["cluster_pause"]["annotations"]["destructiveHint"]
    assert not tools["cluster_pause"]["annotations"]["readOnlyHint"]


def test_a_cluster_is_started_looked_at_and_broken(project: Path, up: Up) -> None:
    with Conversation(project, "--allow", "change", "--allow", "destroy") as client:
        number = client.begin(
            "tools/call",
            {
                "name": "cluster_up",
                "arguments": {"profile": "ci-small"},
                "_meta": {"progressToken": "up"},
            },
        )
        assert client.answer(number)["result"]["structuredContent"]["cluster"]["nodes"][0]["name"] == "node1"
        steps = [one["params"] for one in client.seen if one.get("method") == "notifications/progress"]
        assert [one["progress"] for one in steps] == [*range(1, len(steps) + 1)]
        assert {one["progressToken"] for one in steps} == {"up"}
        assert any("node1" in one["message"] for one in steps)

        assert client.call("cluster_kill", node="node1")["structuredContent"]["node"]["state"] == "dead"
        again = client.call("cluster_kill", node="node1")
        assert again["isError"]
        assert 'try: cluster_start {"node": "node1"}' in again["content"][0]["text"]
        diary = client.call("cluster_events")["structuredContent"]["events"]
        assert client.call("cluster_down")["structuredContent"]
        ended = client.call("cluster_events")["structuredContent"]["events"]
        gone = client.call("cluster_health")
        assert gone["_meta"]["clusterlib/error"]["code"] == "not-running"

    began = [one for one in diary if one["kind"] == "operation.began"]
    assert began[0]["operation"] == "cluster.kill"
    assert began[0]["by"].startswith("tester over MCP, by pid ")
    (stopping,) = [one for one in ended if one["kind"] == "cluster.stopping"]
    assert stopping["reason"].startswith("asked to, by tester over MCP, by pid ")


def test_what_an_operation_prints_is_in_its_answer_and_not_in_the_protocol(
    project: Path, operations: Path
) -> None:
    (operations / "chatty.py").write_text(CHATTY)

    with Conversation(project, "--allow", "change") as client:
        answer = client.call("shop_chat")

    assert answer["structuredContent"] == {"numbers": 1}
    printed = answer["content"][1]["text"]
    assert all(text in printed for text in ("from Python", "from below", "from a program"))
    notes = [one["params"]["data"] for one in client.seen if one.get("method") == "notifications/message"]
    assert notes == ["it begins"]


def test_only_messages_of_the_level_that_was_set_are_sent(project: Path, operations: Path) -> None:
    (operations / "chatty.py").write_text(CHATTY)

    with Conversation(project, "--allow", "change") as client:
        client.ask("logging/setLevel", {"level": "error"})
        client.call("shop_chat")

    assert [one for one in client.seen if one.get("method") == "notifications/message"] == []


def test_a_large_answer_is_cut_and_says_how_to_ask_for_less(project: Path, operations: Path) -> None:
    (operations / "many.py").write_text(MANY)

    with Conversation(project) as client:
        answer = client.call("shop_many")
        whole = client.call("shop_many", count=3)

    kept = answer["structuredContent"]["result"]
    assert kept[0] == "item 0"
    assert len(json.dumps(kept)) <= 64 << 10
    assert f"left out {20_000 - len(kept)} more of result" in answer["content"][1]["text"]
    assert "Ask for less with: count" in answer["content"][1]["text"]
    assert whole["structuredContent"] == {"result": ["item 0", "item 1", "item 2"]}
    assert len(whole["content"]) == 1


def test_mistakes_are_answers_that_say_what_is_right(project: Path, operations: Path) -> None:
    (operations / "many.py").write_text(MANY)

    with Conversation(project) as client:
        asked: dict[str, dict[str, object]] = {
            "cluster_logs": {"lines": 0},
            "cluster_status": {"nam": "x"},
            "cluster_health": {"name": 7},
            "shop_wrong": {"count": 1},
            "shop_talk": {},
        }
        texts = {
            name: client.call(name, **arguments)["content"][0]["text"] for name, arguments in asked.items()
        }
        follows = client.call("cluster_logs", follow=True)
        unknown = client.ask("tools/call", {"name": "cluster_none"})

    assert "lines: 0 is out of bounds" in texts["cluster_logs"]
    assert "no argument nam" in texts["cluster_status"]
    assert "name: " in texts["cluster_health"]
    assert "ZeroDivisionError" in texts["shop_wrong"]
    assert "return 1 // 0" in texts["shop_wrong"]
    assert "[operation-broken]" in texts["shop_talk"]
    assert "no argument follow" in follows["content"][0]["text"]
    assert unknown["error"]["code"] == -32602


def test_an_assistant_evaluates_in_a_node_if_it_may(project: Path, up: Up) -> None:
    up("ci-small")

    with Conversation(project, "--allow", "execute") as client:
        answer = client.call("cluster_shell", node="node1", command="6 * 7")
        ran = client.call("cluster_run", command=["sh", "-c", "echo $CLUSTERLIB_NODES; exit 3"])
        prompt = client.call("cluster_shell")

    assert answer["structuredContent"]["value"] == "42"
    assert ran["structuredContent"]["exit_code"] == 3
    assert "printed meanwhile" in ran["content"][1]["text"]
    assert "[not-supported]" in prompt["content"][0]["text"]


def test_no_answer_has_a_secret(project: Path, up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "correct-horse-battery")
    cluster = up("ci-small")
    cluster["node1"].run(print, "the password is correct-horse-battery")

    with Conversation(project) as client:
        logs = client.call("cluster_logs")
        read = client.ask("resources/read", {"uri": "clusterlib://default/logs/node1"})

    assert "the password is" in json.dumps(logs)
    assert "the password is" in json.dumps(read)
    assert "correct-horse-battery" not in json.dumps([logs, read])


def test_a_file_of_operations_that_comes_changes_and_goes_is_noticed(project: Path, operations: Path) -> None:
    with Conversation(project) as client:
        assert "shop_many" not in client.tools()
        (operations / "many.py").write_text(MANY)
        client.notification("notifications/tools/list_changed")
        assert "shop_many" in client.tools()
        assert client.call("shop_many", count=1)["structuredContent"] == {"result": ["item 0"]}
        (operations / "many.py").write_text(MANY.replace("item ", "article "))
        assert client.call("shop_many", count=1)["structuredContent"] == {"result": ["article 0"]}
        (operations / "many.py").unlink()
        client.notification("notifications/tools/list_changed")
        assert "shop_many" not in client.tools()


def test_resources_are_the_state_the_events_and_the_logs_of_each_cluster(project: Path, up: Up) -> None:
    cluster = up("ci-small")
    cluster["node2"].run(print, "hello from node2")

    with Conversation(project) as client:
        found = [one["uri"] for one in client.ask("resources/list")["result"]["resources"]]
        texts = {
            uri: client.ask("resources/read", {"uri": uri})["result"]["contents"][0]["text"] for uri in found
        }
        templates = client.ask("resources/templates/list")["result"]["resourceTemplates"]
        unknown = client.ask("resources/read", {"uri": "clusterlib://default/../../etc/passwd"})
        foreign = client.ask("resources/read", {"uri": "file:///etc/passwd"})

    assert found == [
        "clusterlib://default/status",
        "clusterlib://default/events",
        "clusterlib://default/logs/node1",
        "clusterlib://default/logs/node2",
    ]
    assert "hello from node2" in texts[found[3]]
    assert json.loads(texts[found[0]])["clusters"][0]["name"] == "default"
    assert len(templates) == 3
    assert unknown["error"]["code"] == foreign["error"]["code"] == -32002
