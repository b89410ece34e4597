"""How the tools of this server are called, in remedies and in help."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from clusterlib.doors.wording import Wording
from clusterlib.messages.effects import Effect
from clusterlib.operations.listing import ListedOperation, ListedParameter
from clusterlib.operations.permitting import Permissions
from clusterlib.remedies import OperationCall, OptionValue

__all__ = ["ToolWording", "by_tool", "how_to_allow", "tool_name"]


def tool_name(one: ListedOperation) -> str:
    """With the letters that all assistants accept in the name of a tool."""
    return one.full_name.replace(".", "_").replace("-", "_")


def by_tool(operations: Iterable[ListedOperation]) -> dict[str, ListedOperation]:
    found: dict[str, ListedOperation] = {}
    for one in operations:
        name = tool_name(one)
        while name in found:  # `cluster.a_b`, and `b` of the group `cluster.a`
            name += "_"
        found[name] = one
    return found


def how_to_allow(effect: Effect) -> str:
    return f"a person can allow it: start the server as `clusterlib mcp --allow {effect}`"


class ToolWording(Wording):
    """`cluster_restart {"node": "node2"}`"""

    def __init__(self, tools: Mapping[str, ListedOperation], permissions: Permissions) -> None:
        self._names = {one.full_name: name for name, one in tools.items()}
        self._tools = tools
        self._permissions = permissions

    def name(self, operation: str) -> str:
        return self._names.get(operation, operation)

    def command(self, call: OperationCall) -> str:
        if call.operation not in self._names:
            return super().command(call)
        one = self._tools[self._names[call.operation]]
        worded = f"{self.name(call.operation)} {json.dumps(_arguments(one, call))}"
        if self._permissions.allow(one):
            return worded
        return f"{worded} (not allowed here; {how_to_allow(one.effect)})"


def _arguments(one: ListedOperation, call: OperationCall) -> Mapping[str, Any]:
    known = {each.name: each for each in one.options}
    words = [each.name for each in one.parameters if each.word]
    given: dict[str, OptionValue] = {**dict(zip(words, call.words, strict=False)), **call.options}
    arguments = {name: _typed(known.get(name), value) for name, value in given.items()}
    return {**arguments, **({one.words: list(call.rest)} if one.words and call.rest else {})}


def _typed(parameter: ListedParameter | None, value: OptionValue) -> object:
    """Numbers as numbers. A remedy has all values as texts."""
    kind = parameter.schema.get("type") if parameter is not None else "string"
    if isinstance(value, str) and kind in {"integer", "number"}:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
