"""The server and the protocol: versions, mistakes, cancelling, and the end of either side."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib.waiting import Deadline, poll
from tests.functional.mcp.conversation import Conversation

SLOW = '''
import os, signal
from pathlib import Path
from clusterlib.operations import operation


@operation(effect="read", group="shop")
def wait(*, stubborn: bool = False) -> str:
    """Wait without an end."""
    if stubborn:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    Path("began").write_text(str(os.getpid()))
    try:
        while True:
            signal.pause()
    finally:
        Path("cleaned").touch()
'''


@pytest.fixture
def slow(project: Path) -> Path:
    (project / "operations").mkdir()
    (project / "operations" / "slow.py").write_text(SLOW)
    return project


def begun(project: Path) -> int:
    """The process of the call, once it is there."""
    assert poll(lambda: (project / "began").exists() and (project / "began").read_text(), Deadline(30))
    return int((project / "began").read_text())


@pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"])
def test_the_version_that_the_client_asks_for_is_spoken(project: Path, version: str) -> None:
    with Conversation(project) as client:
        greeting = client.ask("initialize", {"protocolVersion": version, "clientInfo": {"name": "x"}})
        tools = client.tools()
        answer = client.call("profile_list")

    assert greeting["result"]["protocolVersion"] == version
    structured = version >= "2025-06-18"
    assert ("outputSchema" in tools["profile_list"]) is structured
    assert ("structuredContent" in answer) is structured
    assert json.loads(answer["content"][0]["text"])["profiles"]


def test_an_unknown_version_is_answered_with_the_newest_that_we_know(project: Path) -> None:
    with Conversation(project) as client:
        greeting = client.ask("initialize", {"protocolVersion": "2099-01-01"})

    assert greeting["result"]["protocolVersion"] == "2025-11-25"


def test_malformed_messages_are_answered_and_the_server_goes_on(project: Path) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    with Conversation(project) as client:
        codes = []
        for line in (b"nonsense", b"\xff\xfe", deep, b"[]", b"7", b'{"id": 1, "method": "ping"}'):
            client.write(line + b"\n")
            codes.append(client.receive()["error"]["code"])
        for message in (
            {"jsonrpc": "2.0", "id": 90, "method": 7},
            {"jsonrpc": "2.0", "id": {}, "method": "ping"},
            {"jsonrpc": "2.0", "id": 91, "method": "ping", "params": []},
            {"jsonrpc": "2.0", "id": 92, "method": "nothing/at_all"},
            {"jsonrpc": "2.0", "id": 93, "method": "tools/call", "params": {"name": 1}},
            {"jsonrpc": "2.0", "id": 94, "method": "logging/setLevel", "params": {"level": "loud"}},
        ):
            client.send(message)
            codes.append(client.receive()["error"]["code"])
        client.write(b"\n\r\n")
        client.send({"jsonrpc": "2.0", "id": 3, "result": {}})
        client.send({"jsonrpc": "2.0", "method": "notifications/unknown"})
        assert client.ask("ping")["result"] == {}

    assert codes == [*[-32700] * 3, *[-32600] * 5, -32602, -32601, -32602, -32602]


def test_a_message_without_an_end_is_dropped(project: Path) -> None:
    with Conversation(project) as client:
        for _ in range(6):
            client.write(b"x" * (1 << 20))
        client.write(b"\n")
        assert client.receive()["error"]["code"] == -32600
        assert client.ask("ping")["result"] == {}


def test_a_cancelled_call_ends_cleans_up_and_is_not_answered(slow: Path, gone: Callable[..., bool]) -> None:
    with Conversation(slow) as client:
        number = client.begin("tools/call", {"name": "shop_wait"})
        pid = begun(slow)
        assert client.ask("ping")["result"] == {}  # meanwhile
        client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}})
        assert gone(pid)
        assert client.ask("ping")["result"] == {}

    assert (slow / "cleaned").exists()
    assert number not in [one.get("id") for one in client.seen]


def test_a_call_that_does_not_heed_its_cancelling_is_killed(slow: Path, gone: Callable[..., bool]) -> None:
    with Conversation(slow) as client:
        number = client.begin("tools/call", {"name": "shop_wait", "arguments": {"stubborn": True}})
        pid = begun(slow)
        client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}})
        assert gone(pid, 30)
        assert client.ask("ping")["result"] == {}


def test_a_call_whose_process_dies_is_answered_with_an_error(slow: Path) -> None:
    import os

    with Conversation(slow) as client:
        number = client.begin("tools/call", {"name": "shop_wait"})
        os.kill(begun(slow), signal.SIGKILL)
        assert client.answer(number)["error"]["code"] == -32603
        assert client.ask("ping")["result"] == {}


def test_requests_beyond_those_that_run_wait_and_beyond_those_are_refused(slow: Path) -> None:
    with Conversation(slow) as client:
        numbers = [client.begin("tools/call", {"name": "shop_wait"}) for _ in range(8 + 100)]
        refused = client.ask("tools/call", {"name": "shop_wait"})
        client.send({"jsonrpc": "2.0", "id": numbers[0], "method": "ping"})
        twice = client.receive()
        for number in numbers:
            client.send(
                {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}
            )
        assert client.call("profile_list")["structuredContent"]["profiles"]

    assert "wait already" in refused["error"]["message"]
    assert "not answered yet" in twice["error"]["message"]


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_client_that_goes_ends_the_server_and_its_calls(
    slow: Path, gone: Callable[..., bool], stubborn: bool
) -> None:
    with Conversation(slow) as client:
        client.begin("tools/call", {"name": "shop_wait", "arguments": {"stubborn": stubborn}})
        pid = begun(slow)
        client.hang_up()

        assert client.process.wait(30) == 0
        assert gone(pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_ends_the_server_and_its_calls(
    slow: Path, gone: Callable[..., bool], number: signal.Signals
) -> None:
    with Conversation(slow) as client:
        client.begin("tools/call", {"name": "shop_wait"})
        pid = begun(slow)
        client.signal(number)

        assert client.process.wait(30) == (-signal.SIGKILL if number is signal.SIGKILL else 0)
        assert gone(pid)


def test_a_client_that_reads_no_more_ends_the_server(project: Path) -> None:
    with Conversation(project) as client:
        assert client.process.stdout is not None
        client.process.stdout.close()
        client.begin("tools/list")

        assert client.process.wait(30) == 0
        assert "Traceback" not in client.printed


def test_wrong_options_are_refused_with_the_right_ones(project: Path) -> None:
    import subprocess
    import sys

    def refused(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "clusterlib", "mcp", *words],
            cwd=project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr

    assert "mcp --allow destroy" in refused("--allow")
    assert "no effect 'everything'" in refused("--allow", "everything")
    assert "--port" in refused("--port", "80")
