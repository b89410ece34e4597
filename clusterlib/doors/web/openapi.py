"""The OpenAPI document of all operations, made of their declarations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from clusterlib import __version__
from clusterlib.doors.web.routes import CLUSTER, CLUSTERS, OPENAPI, PROBLEMS, OperationRoute, routes_of
from clusterlib.messages.effects import Effect
from clusterlib.operations.listing import ListedOperation, ListedParameter

__all__ = ["openapi_of"]

JSON = "application/json"
PROBLEM = "application/problem+json"
TEXTS = {"type": "array", "items": {"type": "string"}}
PROBLEM_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "An error, as RFC 9457 describes it.",
    "required": ["type", "title", "status", "detail", "code", "cause", "evidence", "remedies"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Where this kind of error is explained."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "The stable code of the error."},
        "cause": {"type": ["string", "null"]},
        "evidence": TEXTS,
        "remedies": {"type": "array", "items": {"$ref": "#/components/schemas/Remedy"}},
    },
}
REMEDY_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["text", "parts", "requests"],
    "properties": {
        "text": {"type": "string", "description": "To be typed in a shell."},
        "parts": {
            "type": "array",
            "items": {"type": ["string", "object"]},
            "description": "Its texts, and the operations in it with their arguments.",
        },
        "requests": {
            "type": "array",
            "description": "How a client of this server does it.",
            "items": {
                "type": "object",
                "required": ["method", "path", "arguments"],
                "properties": {
                    "method": {"type": "string", "enum": ["GET", "POST"]},
                    "path": {"type": "string"},
                    "arguments": {"type": "object"},
                },
            },
        },
    },
}
EFFECTS = {
    Effect.READ: "Only looks.",
    Effect.CHANGE: "Changes the cluster.",
    Effect.DESTROY: "Takes something away.",
    Effect.EXECUTE: "Runs code of its caller; only if the server was started with `--allow-execute`.",
}
PROBLEM_ANSWER = {
    "description": "An error.",
    "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def openapi_of(
    operations: Iterable[ListedOperation], result: Callable[[ListedOperation], Mapping[str, Any]]
) -> dict[str, Any]:
    """`result` is the schema of what an operation answers."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Problem": PROBLEM_SCHEMA, "Remedy": REMEDY_SCHEMA}
    for route in routes_of(operations):
        answer = _in_components(result(route.operation))
        schemas |= answer.pop("$defs", {})
        paths[route.path] = {route.method.lower(): _operation(route, answer)}
    paths[OPENAPI] = {"get": _own("openapi", "This document.", JSON, {"type": "object"})}
    stream = _own("events_of_cluster_as_they_happen", STREAMED, "text/event-stream", TEXT)
    paths[f"{CLUSTERS}{{{CLUSTER}}}/events/stream"] = {
        "get": {**stream, "parameters": [_in_path(CLUSTER, "The name of the cluster."), *AFTER]}
    }
    explained = _own("problem", "What an error means, and what to do about it.", "text/markdown", TEXT)
    paths[f"{PROBLEMS}{{code}}"] = {"get": {**explained, "parameters": [_in_path("code", "Its code.")]}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "clusterlib",
            "version": __version__,
            "summary": "The operations of a project on its clusters.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The content of the file that `clusterlib serve` names.",
                }
            },
            "schemas": schemas,
        },
    }


def _in_components(schema: Any) -> Any:
    """With its references as a document of OpenAPI has them."""
    if isinstance(schema, Mapping):
        return {key: _in_components(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_in_components(one) for one in schema]
    return schema.replace("#/$defs/", "#/components/schemas/") if isinstance(schema, str) else schema


TEXT: Mapping[str, Any] = {"type": "string"}
STREAMED = "The events of a cluster as they happen, over all its runs, as server-sent events."
AFTER: Sequence[Mapping[str, Any]] = [
    {
        "name": "Last-Event-ID",
        "in": "header",
        "required": False,
        "description": "The id of the last event that the client has: cluster/run/number.",
        "schema": TEXT,
    },
    {
        "name": "after",
        "in": "query",
        "required": False,
        "description": "The same, for clients that cannot set the header.",
        "schema": TEXT,
    },
]


def _own(identifier: str, summary: str, kind: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    answer = {"description": summary, "content": {kind: {"schema": schema}}}
    return {
        "operationId": identifier,
        "summary": summary,
        "responses": {"200": answer, "default": PROBLEM_ANSWER},
    }


def _operation(route: OperationRoute, result: Mapping[str, Any]) -> dict[str, Any]:
    listed = route.operation
    described: dict[str, Any] = {
        "operationId": route.identifier,
        "summary": listed.summary,
        "description": f"{listed.help}\n\n{EFFECTS[listed.effect]}",
        "tags": [listed.group],
        "x-effect": listed.effect.value,
        **({"x-serves": list(listed.serves)} if listed.serves else {}),
        "responses": {
            "200": {"description": "The result.", "content": {JSON: {"schema": result}}},
            "default": PROBLEM_ANSWER,
        },
    }
    parameters = [_in_path(CLUSTER, "The name of the cluster.")] if route.of_cluster else []
    if route.method == "GET":
        parameters += [_in_query(one) for one in route.parameters]
    else:
        described["requestBody"] = {
            "required": any(one.required for one in route.parameters),
            "content": {JSON: {"schema": _body(route.parameters)}},
        }
    if parameters:
        described["parameters"] = parameters
    return described


def _in_path(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def _in_query(one: ListedParameter) -> dict[str, Any]:
    return {
        "name": one.name,
        "in": "query",
        "required": one.required,
        "description": one.help,
        "schema": _schema(one),
    }


def _body(parameters: Iterable[ListedParameter]) -> dict[str, Any]:
    listed = list(parameters)
    return {
        "type": "object",
        "properties": {one.name: {**_nullable(one), "description": one.help} for one in listed},
        "required": [one.name for one in listed if one.required],
        "additionalProperties": False,
    }


def _schema(one: ListedParameter) -> dict[str, Any]:
    known = dict(one.schema)
    return known if one.required or one.default is None else {**known, "default": one.default}


def _nullable(one: ListedParameter) -> dict[str, Any]:
    """A parameter whose default is `null` may be given so, too."""
    schema = _schema(one)
    if one.required or one.default is not None:
        return schema
    if "enum" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    kinds = schema["type"]
    return {**schema, "type": [*(kinds if isinstance(kinds, list) else [kinds]), "null"]}
