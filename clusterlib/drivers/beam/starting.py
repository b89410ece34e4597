"""How an Erlang node is started so that it is fast, private, and known only to its cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from clusterlib.errors import StartError
from clusterlib.frozen import frozen
from clusterlib.hosts.places import write_private

__all__ = ["SMALL", "BeamBoot"]

SMALL: Final = ("+S", "1:1", "+SDio", "1", "+SDcpu", "1:1", "+sbwt", "none", "+P", "65536")
"""One scheduler that does not spin, and small tables: many nodes share this machine, and each
starts sooner."""

FOREIGN: Final = frozenset(
    {"ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS", "ERL_EPMD_ADDRESS", "ERL_EPMD_PORT", "ERL_LIBS"}
)
"""Variables of the caller's environment that would change our nodes against the profile."""


@frozen
class BeamBoot:
    """One node to start.

    It needs no epmd of the machine: the listener at `epmd_port` learns its port and tells it those
    of the others."""

    name: str
    """Long, with an address for a host: node1@127.0.0.1."""
    epmd_port: int
    home: Path
    """A private folder with the cookie, so that the cookie does not show in the list of
    processes."""
    port: int | None = None
    """Where it accepts connections of others; None: any free port, which epmd learns."""
    paths: Sequence[str] = ()
    flags: Sequence[str] = SMALL

    @property
    def address(self) -> str:
        return self.name.partition("@")[2]

    def distribution(self) -> tuple[str, ...]:
        """The arguments and variables that make a node of Erlang's virtual machine, started in any
        way, a member of the cluster."""
        interface = "{" + self.address.replace(".", ",") + "}"
        asked = [
            *("-name", self.name, "-start_epmd", "false"),
            *("-kernel", "inet_dist_use_interface", interface),
            *(
                "-kernel",
                "prevent_overlapping_partitions",
                "false",
            ),  # otherwise one broken link disconnects a node from all others
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
        """A plain node of OTP, which ignores its stdin."""
        paths = ("-pa", *self.paths) if self.paths else ()
        return (program, "-noinput", "-boot", "no_dot_erlang", *self.flags, *self.distribution(), *paths)

    def environment(self, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        kept = {name: value for name, value in base.items() if name not in FOREIGN}
        return kept | {
            "HOME": str(self.home),
            "ERL_EPMD_PORT": f"{self.epmd_port}",
            "ERL_CRASH_DUMP_SECONDS": "0",  # a dump of a hundred megabytes is not useful evidence
        }

    def write_cookie(self, cookie: str) -> None:
        if not cookie or len(cookie) > 255 or not cookie.isascii() or not cookie.isprintable():
            raise StartError(
                f"{self.name} cannot have this cookie",
                cause="a cookie is 1 to 255 printable ASCII characters",
            )
        write_private(self.home / ".erlang.cookie", cookie, mode=0o400)
