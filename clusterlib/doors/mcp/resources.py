"""Resources: what an assistant can attach to a conversation. Each is the answer of an operation
that only looks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from clusterlib.client.start import project_folder
from clusterlib.doors.documents import as_json
from clusterlib.doors.mcp.messages import RESOURCE_UNKNOWN, RpcError
from clusterlib.errors import ClusterError
from clusterlib.rundir.folders import all_names, latest_run

__all__ = ["TEMPLATES", "listed", "operation_of", "shown_contents"]

Document = Mapping[str, Any]
SCHEME = "clusterlib://"
JSON, PLAIN = "application/json", "text/plain"
TEMPLATES: list[Document] = [
    {
        "uriTemplate": f"{SCHEME}{{cluster}}/status",
        "name": "status",
        "description": "The state of a cluster and of its nodes.",
        "mimeType": JSON,
    },
    {
        "uriTemplate": f"{SCHEME}{{cluster}}/events",
        "name": "events",
        "description": "What happened to a cluster: the events of its run, or of its last one.",
        "mimeType": JSON,
    },
    {
        "uriTemplate": f"{SCHEME}{{cluster}}/logs/{{node}}",
        "name": "logs",
        "description": "What a node has printed.",
        "mimeType": PLAIN,
    },
]


def listed(project: Path | None) -> list[Document]:
    """Those of all clusters of the project, running or not."""
    try:
        folder = project_folder(project)
    except ClusterError:
        return []
    found: list[Document] = []
    for name in all_names(folder):
        run = latest_run(folder, name)
        nodes = run.node_names() if run is not None else []
        for path, about, kind in (
            ("status", "state", JSON),
            ("events", "events", JSON),
            *((f"logs/{quote(node, safe='')}", f"output of {node}", PLAIN) for node in sorted(nodes)),
        ):
            uri = f"{SCHEME}{quote(name, safe='')}/{path}"
            found.append({"uri": uri, "name": f"{name}: {about}", "mimeType": kind})
    return found


def operation_of(uri: object) -> tuple[str, Mapping[str, str]]:
    """The operation whose answer it is, and its arguments. Raises RpcError."""
    unknown = RpcError(RESOURCE_UNKNOWN, f"there is no resource {uri!r}; resources/list has all")
    if not isinstance(uri, str) or not uri.startswith(SCHEME):
        raise unknown
    match [unquote(part) for part in uri.removeprefix(SCHEME).split("/")]:
        case [cluster, ("status" | "events") as what]:
            return f"cluster.{what}", {"name": cluster}
        case [cluster, "logs", node]:
            return "cluster.logs", {"name": cluster, "node": node}
    raise unknown


def shown_contents(uri: str, answer: Document, document: Document) -> Document:
    """`answer` is that of the tool, `document` the data in it."""
    lines = document.get("lines")
    if uri.removeprefix(SCHEME).count("/") < 2 or not isinstance(lines, list):
        return {"contents": [{"uri": uri, "mimeType": JSON, "text": as_json(document)}]}
    notes = [one["text"] for one in answer["content"][1:]]
    text = "\n".join([*notes, *(f"{one['time']} {one['text']}" for one in lines)])
    return {"contents": [{"uri": uri, "mimeType": PLAIN, "text": text}]}
