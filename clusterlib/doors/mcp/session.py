"""The conversation with one client: what it may ask, and what is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clusterlib import __version__
from clusterlib.doors.mcp.calling import ToolCall
from clusterlib.doors.mcp.channel import LEVELS, Channel
from clusterlib.doors.mcp.messages import (
    INVALID_PARAMS,
    METHOD_UNKNOWN,
    RESOURCE_UNKNOWN,
    ClientMessage,
    RpcError,
)
from clusterlib.doors.mcp.resources import TEMPLATES, listed, operation_of, shown_contents
from clusterlib.doors.mcp.tools import described
from clusterlib.doors.mcp.wording import ToolWording, by_tool
from clusterlib.operations.catalogue import Catalogue, catalogue, load, project_here, shipped
from clusterlib.operations.permitting import Permissions

__all__ = ["ToolSession", "Work"]

Document = Mapping[str, Any]
Work = Callable[[Channel], Document]
"""What takes time, and so runs in a process of its own."""
VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
STRUCTURED = frozenset({"2025-11-25", "2025-06-18"})
"""The versions in which answers are data, too."""
MOST_NAME = 40


class ToolSession:
    def __init__(self, permissions: Permissions) -> None:
        self.permissions = permissions
        self.level = "info"
        self._version = VERSIONS[0]
        self._client = ""
        self._known: Catalogue | None = None
        self._methods: dict[str, Callable[[Document], Document | Work]] = {
            "initialize": self._initialize,
            "ping": lambda _: {},
            "logging/setLevel": self._set_level,
            "tools/list": self._list_tools,
            "tools/call": self._call_tool,
            "resources/list": lambda _: lambda _channel: {"resources": listed(self._project)},
            "resources/templates/list": lambda _: {"resourceTemplates": TEMPLATES},
            "resources/read": self._read_resource,
        }

    def answer(self, message: ClientMessage) -> Document | Work:
        """Raises RpcError."""
        method = self._methods.get(message.method)
        if method is None:
            raise RpcError(METHOD_UNKNOWN, f"there is no method {message.method}")
        return method(message.params)

    def tools_changed(self) -> bool:
        """Whether the operations of the project differ from those that were last listed."""
        before, now = self._known, catalogue(self._project)
        if before is None or before.operations == now.operations:
            return False
        self._known = now
        return True

    @property
    def _project(self) -> Path | None:
        return project_here()

    @property
    def _structured(self) -> bool:
        return self._version in STRUCTURED

    @property
    def _door(self) -> str:
        return f"{self._client} over MCP" if self._client else "an assistant over MCP"

    # -- methods

    def _initialize(self, params: Document) -> Document:
        asked = params.get("protocolVersion")
        self._version = asked if asked in VERSIONS else VERSIONS[0]
        client = params.get("clientInfo")
        name = str(client.get("name", "")) if isinstance(client, Mapping) else ""
        self._client = "".join(filter(str.isprintable, name))[:MOST_NAME]
        return {
            "protocolVersion": self._version,
            "capabilities": {"tools": {"listChanged": True}, "resources": {}, "logging": {}},
            "serverInfo": {"name": "clusterlib", "version": __version__},
            "instructions": self._instructions(),
        }

    def _instructions(self) -> str:
        allowed = ", ".join(sorted(self.permissions.allowed))
        return (
            "Looks into the clusters of real nodes that clusterlib runs for the tests of this project "
            f"({self._project or 'no project was found'}). Begin with cluster_status; cluster_events says "
            "what happened, cluster_logs what the nodes printed, cluster_health what is wrong. The text of "
            f"a failed call says what to do about it. Allowed effects: {allowed}."
        )

    def _set_level(self, params: Document) -> Document:
        if params.get("level") not in LEVELS:
            raise RpcError(INVALID_PARAMS, f"a level is one of {', '.join(LEVELS)}")
        self.level = params["level"]
        return {}

    def _list_tools(self, _: Document) -> Work:
        for one in shipped():
            load(one)  # here, so that the process of each call has it already
        self._known = known = catalogue(self._project)
        return lambda _: {"tools": described(known.operations, self.permissions, structured=self._structured)}

    def _call_tool(self, params: Document) -> Work:
        name, arguments = params.get("name"), params.get("arguments")
        if not isinstance(name, str) or not isinstance(arguments, Mapping | None):
            raise RpcError(INVALID_PARAMS, "a call has a name, and arguments that are an object")
        return self._call(name, arguments or {}).answer

    def _read_resource(self, params: Document) -> Work:
        uri = params.get("uri")
        operation, arguments = operation_of(uri)

        def read(channel: Channel) -> Document:
            answer = self._call(operation.replace(".", "_"), arguments, structured=True).answer(channel)
            if answer.get("isError"):
                raise RpcError(RESOURCE_UNKNOWN, answer["content"][0]["text"])
            return shown_contents(str(uri), answer, answer["structuredContent"])

        return read

    def _call(self, name: str, arguments: Document, *, structured: bool | None = None) -> ToolCall:
        tools = by_tool(catalogue(self._project).operations)
        if name not in tools:
            raise RpcError(INVALID_PARAMS, f"there is no tool {name}; tools/list has all")
        return ToolCall(
            name,
            tools[name],
            arguments,
            self._project,
            self._door,
            self.permissions,
            ToolWording(tools, self.permissions),
            self._structured if structured is None else structured,
        )
