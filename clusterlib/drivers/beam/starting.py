"""How an Erlang node is started so that it is fast, private, and known to nobody but its cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from clusterlib.errors import StartError
from clusterlib.frozen import frozen
from clusterlib.hosts.places import write_private

__all__ = ["SMALL", "Boot"]

SMALL: Final = ("+S", "1:1", "+SDio", "1", "+SDcpu", "1:1", "+sbwt", "none", "+P", "65536")
"""One scheduler that does not spin, and small tables: many nodes share this machine, and each starts sooner."""

FOREIGN: Final = frozenset(
    {"ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS", "ERL_EPMD_ADDRESS", "ERL_EPMD_PORT", "ERL_LIBS"}
)
"""Of the caller's environment: what would make our nodes other nodes than the profile says."""


@frozen
class Boot:
    """One node to start. It needs no epmd of the machine: who listens at `epmd_port` learns its port and tells it the others'."""

    name: str
    """Long, with an address for a host: node1@127.0.0.1."""
    epmd_port: int
    home: Path
    """A private folder: the cookie lies there, so that it does not show in the list of processes."""
    port: int | None = None
    """Where it takes connections of others; None: wherever there is room, and epmd is told."""
    paths: Sequence[str] = ()
    flags: Sequence[str] = SMALL

    @property
    def address(self) -> str:
        return self.name.partition("@")[2]

    def distribution(self) -> tuple[str, ...]:
        """What makes a node of Erlang's virtual machine, whoever starts it, a member of the cluster."""
        interface = "{" + self.address.replace(".", ",") + "}"
        asked = [
            *("-name", self.name, "-start_epmd", "false"),
            *("-kernel", "inet_dist_use_interface", interface),
            *(
                "-kernel",
                "prevent_overlapping_partitions",
                "false",
            ),  # else one cut link takes a node from all others
        ]
        if self.port is not None:
            asked += [
                "-kernel",
                "inet_dist_listen_min",
                f"{self.port}",
                "-kernel",
                "inet_dist_listen_max",
                f"{self.port}",
            ]
        return tuple(asked)

    def arguments(self, program: str = "erl") -> tuple[str, ...]:
        """A plain node of OTP, deaf to its stdin."""
        paths = ("-pa", *self.paths) if self.paths else ()
        return (program, "-noinput", "-boot", "no_dot_erlang", *self.flags, *self.distribution(), *paths)

    def environment(self, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        kept = {name: value for name, value in base.items() if name not in FOREIGN}
        return kept | {
            "HOME": str(self.home),
            "ERL_EPMD_PORT": f"{self.epmd_port}",
            "ERL_CRASH_DUMP_SECONDS": "0",  # a dump of a hundred megabytes is no evidence anybody asked for
        }

    def write_cookie(self, cookie: str) -> None:
        if not cookie or len(cookie) > 255 or not cookie.isascii() or not cookie.isprintable():
            raise StartError(
                f"{self.name} cannot have this cookie",
                cause="a cookie is 1 to 255 printable ASCII characters",
            )
        write_private(self.home / ".erlang.cookie", cookie, mode=0o400)
