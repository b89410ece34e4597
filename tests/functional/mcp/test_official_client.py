"""The official client of the protocol against our server: it checks each answer by the schema that
was declared for it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from clusterlib.doors.mcp.wording import tool_name
from clusterlib.operations.catalogue import shipped
from tests.functional.conftest import Up


def talk(project: Path, conversation: Callable[[Client], Any], mode: str, *options: str) -> Any:
    async def whole() -> Any:
        parameters = StdioServerParameters(
            command=sys.executable, args=["-m", "clusterlib", "mcp", *options], cwd=project
        )
        async with Client(stdio_client(parameters), mode=mode) as client:
            return await conversation(client)

    return asyncio.run(whole())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_every_tool_that_looks_answers_by_its_schema(project: Path, up: Up, mode: str) -> None:
    up("ci-small")

    looking = [one for one in shipped() if one.effect == "read" and not one.serves]
    expected = {tool_name(one) for one in looking if not any(each.required for each in one.parameters)}

    async def conversation(client: Client) -> dict[str, bool]:
        tools = (await client.list_tools()).tools
        assert all(one.output_schema and one.input_schema and one.description for one in tools)
        answered = {}
        for name in expected & {one.name for one in tools}:
            answer = await client.call_tool(name, {})
            assert answer.structured_content is not None, answer
            answered[name] = answer.is_error
        return answered

    answered = talk(project, conversation, mode)

    assert answered == dict.fromkeys(expected, False)


def test_tools_that_change_and_destroy_answer_by_their_schemas(project: Path, up: Up) -> None:
    async def conversation(client: Client) -> None:
        for name, arguments in (
            ("cluster_up", {"profile": "ci-small"}),
            ("cluster_pause", {"node": "node1"}),
            ("cluster_resume", {"node": "node1"}),
            ("cluster_stop", {"node": "node1"}),
            ("cluster_start", {"node": "node1"}),
            ("cluster_kill", {"node": "node2"}),
            ("cluster_restart", {"node": "node2"}),
            ("cluster_scale", {"count": 1}),
            ("cluster_sync", {}),
            ("cluster_shell", {"command": "1 + 1"}),
            ("cluster_run", {"command": ["true"]}),
            ("cluster_down", {}),
            ("cluster_clean", {"all": True}),
        ):
            answer = await client.call_tool(name, arguments)
            assert not answer.is_error, answer
            assert answer.structured_content is not None

    every = [word for effect in ("change", "destroy", "execute") for word in ("--allow", effect)]
    talk(project, conversation, "auto", *every)


def test_progress_and_resources_reach_the_client(project: Path, up: Up) -> None:
    async def conversation(client: Client) -> tuple[list[str], list[str]]:
        steps = []

        async def progressed(progress: float, total: float | None, message: str | None) -> None:
            steps.append(message or "")

        await client.call_tool("cluster_up", {"profile": "ci-small"}, progress_callback=progressed)
        resources = (await client.list_resources()).resources
        texts = [str((await client.read_resource(one.uri)).contents[0]) for one in resources]
        await client.call_tool("cluster_down", {})
        return steps, texts

    steps, texts = talk(project, conversation, "auto", "--allow", "change", "--allow", "destroy")

    assert any("node1" in step for step in steps)
    assert any("cluster.ready" in text for text in texts)
