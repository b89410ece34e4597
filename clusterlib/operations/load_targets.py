"""What a caller of `cluster.load` names as its target, and the nodes that can have it."""

from __future__ import annotations

import re
import shlex
import string
from collections.abc import Sequence
from urllib.parse import quote

from clusterlib.errors import TemplateError, UsageError
from clusterlib.frozen import frozen
from clusterlib.load.orders import LoadRequest, TargetKind
from clusterlib.load.threads import check_threads
from clusterlib.messages.status import NodeStatus
from clusterlib.remedies import do
from clusterlib.rendering import render_text

__all__ = ["LoadWish", "check_nodes", "request_of"]

URL = re.compile(r"https?://", re.IGNORECASE)
QUOTED = re.compile("[^!-~]")
"""What a path cannot contain unless it is quoted."""
HTTP_PORT = "http"


@frozen
class LoadWish:
    """How each request is made, as the caller has said it."""

    target: str | None
    command: tuple[str, ...]
    method: str
    body: str | None
    port: str | None
    timeout: float


def request_of(asked: LoadWish) -> LoadRequest:
    """Raises UsageError if no target is named, or two."""
    target = asked.target
    if (asked.command or (target is not None and not target.startswith("/"))) and (option := _of_http(asked)):
        raise UsageError(
            f"{option} is for HTTP requests, and the target is not a path",
            remedies=[do("cluster.load", "/health")],
        )
    if asked.command:
        if target is not None:
            raise UsageError(
                f"there are two targets: {target}, and the command after --",
                remedies=[do("cluster.load", target), do("cluster.load", command=[*asked.command])],
            )
        words = shlex.join(asked.command)
        return LoadRequest(TargetKind.COMMAND, words, timeout=asked.timeout, words=asked.command)
    if target is None:
        raise UsageError("a target is missing", remedies=_examples())
    if target.startswith("/"):
        _check_path(target)
        port = asked.port or HTTP_PORT
        return LoadRequest(TargetKind.HTTP, target, port, asked.method, asked.body, asked.timeout)
    if URL.match(target):
        path = "/" + target.split("/", 3)[3] if target.count("/") > 2 else "/"
        raise UsageError(
            f"{target} is not a target: load goes to the nodes of the cluster, not to any address",
            cause="the path alone is requested from each node",
            remedies=[do("cluster.load", path)],
        )
    if ":" not in target:
        raise UsageError(
            f"{target!r} is not a target",
            cause="a target is a function, package.module:function, a path that begins with /, "
            "or a command after --",
            remedies=_examples(),
        )
    return LoadRequest(TargetKind.FUNCTION, target, timeout=asked.timeout)


def _of_http(asked: LoadWish) -> str | None:
    """The first option that only a request over HTTP has, and that was given."""
    given = {"method": asked.method != "GET", "body": asked.body is not None, "port": asked.port is not None}
    return next((option for option, is_given in given.items() if is_given), None)


def _examples() -> list[str]:
    return [
        do("cluster.load", "shop:checkout"),
        do("cluster.load", "/health"),
        do("cluster.load", command=["curl", "-sf", "http://{{ node.address }}:{{ node.ports.http }}/health"]),
    ]


def _check_path(path: str) -> None:
    if not (found := QUOTED.search(path)):
        return
    raise UsageError(
        f"{path!r} cannot be requested",
        cause=f"it contains {found[0]!r}, which must be quoted in a URL",
        remedies=[do("cluster.load", quote(path, safe=string.punctuation))],
    )


def check_nodes(request: LoadRequest, nodes: Sequence[NodeStatus], clients: int) -> None:
    """Raises an error if the clients cannot put this load on these nodes."""
    words = [] if request.kind is TargetKind.COMMAND else [request.target]
    if clients < len(nodes):
        raise UsageError(
            f"{clients} client{'s' if clients > 1 else ''} cannot put load on {len(nodes)} nodes",
            cause="each client has one node",
            remedies=[
                do("cluster.load", *words, clients=len(nodes), command=[*request.words]),
                do("cluster.load", *words, clients=clients, only=nodes[0].name, command=[*request.words]),
            ],
        )
    if request.kind is TargetKind.FUNCTION:  # only when it is imported is it known to be a coroutine
        return
    check_threads(request, clients)
    for node in nodes:
        if request.kind is TargetKind.COMMAND:
            _check_words(request.words, node)
        elif request.port not in node.ports:
            raise UsageError(
                f"{node.name} has no port called {request.port!r}",
                cause=f"its ports: {', '.join(node.ports) or 'none'}",
                remedies=[do("cluster.load", *words, port=name) for name in node.ports],
            )


def _check_words(words: Sequence[str], node: NodeStatus) -> None:
    known = {"name": node.name, "address": node.address, "ports": dict(node.ports)}
    for word in words:
        try:
            render_text(word, {"node": known})
        except TemplateError as error:
            raise UsageError(
                f"the word {word!r} cannot be filled in for {node.name}",
                cause="it can contain node.name, node.address, and node.ports.NAME; the ports are "
                f"{', '.join(node.ports) or 'none'}",
                remedies=error.remedies,
            ) from error
