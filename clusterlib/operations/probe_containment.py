"""A separate process that tries the containment ladder and reports the rung it reached, since
entering cannot be undone."""

from __future__ import annotations

import json
import os
import secrets
import select
import socket
import sys
import tempfile
from typing import Any

from clusterlib.hosts.launch import CHANNEL, start_detached
from clusterlib.messages.containing import ContainmentRung

__all__ = ["reachable_containment"]

SECONDS = 5.0


def reachable_containment(rung: str) -> tuple[ContainmentRung | None, list[str]]:
    """The rung a cluster would be held by here, and why not a higher one."""
    with tempfile.TemporaryFile() as log:  # it has no name: nothing is left of it, whenever we are killed
        channel = start_detached(
            [sys.executable, "-P", "-m", "clusterlib.operations.probe_containment", CHANNEL, rung],
            environment={**os.environ, "CLUSTERLIB_MARKER": f"probe-{secrets.token_hex(8)}"},
            directory="/",
            log=log.fileno(),
        )
        with channel:
            data = b""
            while select.select([channel], [], [], SECONDS)[0]:
                chunk = channel.recv(65536)
                if not chunk:
                    break
                data += chunk
        try:
            report: dict[str, Any] = json.loads(data)
        except ValueError:
            log.seek(0)
            said = log.read().decode(errors="replace").strip().splitlines()
            return None, said[-3:] or ["the probe gave no answer"]
    reached = report["rung"]
    return None if reached is None else ContainmentRung(reached), report["refusals"]


def main(arguments: list[str]) -> int:
    from clusterlib.errors import ClusterError
    from clusterlib.hosts.containment import enter

    channel = socket.socket(fileno=int(arguments[0]))
    marker = os.environ["CLUSTERLIB_MARKER"]
    try:
        held = enter(arguments[1], marker=marker, on_keeper_death=lambda: None)
        report: dict[str, object] = {"rung": held.rung, "refusals": list(held.refusals)}
    except ClusterError as error:
        report = {"rung": None, "refusals": [error.problem, *error.evidence]}
    channel.sendall(json.dumps(report).encode())
    channel.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
