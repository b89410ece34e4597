"""Serve the operations of this project over REST, on this machine."""

from __future__ import annotations

from typing import Annotated

from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.parameters import Help
from clusterlib.operations.serving import ProjectServer, Serving
from clusterlib.values.fields import Between

__all__ = ["serve"]


@operation(effect="execute")
def serve(
    caller: Caller,
    *,
    port: Annotated[int, Between(1, 65535), Help("Port to listen on. Default: the last one, if free.")]
    | None = None,
    host: Annotated[str, Help("Address to listen on: one of this machine only.")] = "127.0.0.1",
    allow_execute: Annotated[bool, Help("Also serve operations that run code of their caller.")] = False,
) -> Serving | ProjectServer:
    """Serve all operations of this project over REST (HTTP and JSON), until Ctrl-C."""
    return ProjectServer.start(caller.project, host=host, port=port, allow_execute=allow_execute)
