"""The tools that the server lists, made of the declarations of operations."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from clusterlib.doors.mcp.wording import ToolWording, by_tool
from clusterlib.doors.wording import HelpWording
from clusterlib.errors import OperationBroken
from clusterlib.messages.effects import Effect
from clusterlib.operations.describe import parameter_schema, result_schema
from clusterlib.operations.listing import CLUSTER, ListedOperation, ListedParameter
from clusterlib.operations.permitting import Permissions

__all__ = ["WRAPPED", "described", "is_wrapped", "offered"]

Document = Mapping[str, Any]
WRAPPED = "result"
"""The field of an answer that has a result which is no object."""


def offered(one: ListedOperation) -> tuple[ListedParameter, ...]:
    """Its parameters here. An answer of a tool has an end, so none makes a stream of it."""
    return tuple(
        each for each in (*one.arguments, *(() if one.scope == "project" else (CLUSTER,))) if not each.streams
    )


def described(
    operations: tuple[ListedOperation, ...], permissions: Permissions, *, structured: bool
) -> list[Document]:
    """What tools/list answers: only what is allowed."""
    tools = by_tool(operations)
    worded = HelpWording(operations, ToolWording(tools, permissions))
    return [
        _described(name, one, worded, structured=structured)
        for name, one in tools.items()
        if permissions.allow(one)
    ]


def _described(name: str, one: ListedOperation, worded: HelpWording, *, structured: bool) -> Document:
    tool: dict[str, Any] = {
        "name": name,
        "description": worded(one.help),
        "inputSchema": _worded_schema(one, worded),
        "annotations": {
            "title": one.full_name,
            "readOnlyHint": one.effect is Effect.READ,
            "destructiveHint": one.effect in {Effect.DESTROY, Effect.EXECUTE},
            "idempotentHint": one.effect is Effect.READ,
            "openWorldHint": one.effect is Effect.EXECUTE,
        },
    }
    if structured:
        with contextlib.suppress(OperationBroken):  # its call says what is wrong with it
            tool["outputSchema"] = _output_schema(one)
    return tool


def _worded_schema(one: ListedOperation, worded: HelpWording) -> Document:
    schema = parameter_schema(one, offered(one))
    properties = {
        name: {**each, "description": worded(each["description"])} if "description" in each else each
        for name, each in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def is_wrapped(one: ListedOperation) -> bool:
    """Whether its result stands in a field of the answer, because only objects can be answers."""
    return _root(result_schema(one)).get("type") != "object"


def _output_schema(one: ListedOperation) -> Document:
    schema = dict(result_schema(one))
    known = schema.get("$defs")
    root = _root(schema)
    if root.get("type") != "object":
        root = {"type": "object", "properties": {WRAPPED: dict(root)}, "required": [WRAPPED]}
    return {**root, **({"$defs": known} if known else {})}


def _root(schema: Document) -> Document:
    """The schema without references at its root, and of several results the one that is data: the
    others are streams and conversations."""
    found = {key: value for key, value in schema.items() if key != "$defs"}
    data = [one for one in found.get("anyOf", ()) if one]
    if len(data) > 1 and all(_resolved(one, schema).get("type") == "object" for one in data):
        return {"type": "object", "anyOf": data}
    return _resolved(data[0] if len(data) == 1 else found, schema)


def _resolved(one: Document, schema: Document) -> Document:
    reference = one.get("$ref")
    return schema["$defs"][reference.removeprefix("#/$defs/")] if reference else one
