"""Nodes of Erlang's virtual machine: how they start without the machine's epmd, find each other,
and are stopped.

The driver of a cluster is also its epmd: it learns when a node registers, and tells the others its
port. Then it connects to the node, receives news of other nodes, and ensures that all nodes connect
to each other."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from clusterlib.drivers.api import SESSION, Driver, NodeSpec, NodeTexts
from clusterlib.drivers.beam.diagnosis import VmArguments, unseen
from clusterlib.drivers.beam.epmd import Directory, NameServer
from clusterlib.drivers.beam.health import COLUMNS
from clusterlib.drivers.beam.link import BeamLink
from clusterlib.drivers.beam.settings import BeamSettings
from clusterlib.drivers.beam.starting import BeamBoot
from clusterlib.hosts.api import Program, Spawn
from clusterlib.hosts.programs import folders_of
from clusterlib.messages.status import OwnShell
from clusterlib.network.ports import Claim

__all__ = ["BeamDriver"]

STOLEN: Final = ("eaddrinuse", "address already in use", "address in use")
LOOPBACK: Final = "127.0.0.1"
LEAST_SILENCE: Final = 1.3
"""Seconds. A node with one scheduler may be busy for nearly one.

To consider it lost would do more harm than to wait."""


class BeamDriver(Driver):
    name = "beam"
    purposes = ("cluster",)
    columns = COLUMNS

    def __init__(self, settings: BeamSettings) -> None:
        self.settings = settings
        self.directory = Directory(self._look_up_nodes)
        self._servers: dict[str, NameServer] = {}
        self._listeners: dict[str, socket.socket] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._links: dict[str, BeamLink] = {}
        self._texts: Mapping[str, NodeTexts] = {}

    def learn(self, texts: Mapping[str, NodeTexts]) -> None:
        self._texts = texts

    def order(self, node: NodeSpec, claims: Mapping[str, Claim]) -> tuple[Spawn, BeamLink]:
        del claims  # a node takes its port by itself; the claim keeps other clusters away from it
        asked = self._asked(node)
        cookie = self._cookie(node)
        boot = BeamBoot(
            name=_name_of(node),
            epmd_port=self._known_at(node.address),
            home=Path(node.directory),
        )
        boot.write_cookie(cookie)
        self._former(node.name)
        link = BeamLink(self, node.name, boot.name, cookie, asked, node.ports.get("cluster", 0))
        self._links[node.name] = link
        return Spawn(
            node.name, Program(self._arguments(node)), node.directory, boot.environment(node.environment)
        ), link

    def facts(self, node: NodeSpec) -> Mapping[str, str]:
        return {"node": _name_of(node), "epmd_port": f"{self._known_at(node.address)}"}

    def shell(self, node: NodeSpec) -> OwnShell:
        epmd_port = f"{self._known_at(node.address)}"
        command = tuple(self._shell(_name_of(node)))
        return OwnShell(command, {"HOME": node.directory, "ERL_EPMD_PORT": epmd_port})

    def ports_stolen(self, log_tail: list[str]) -> bool:
        return any(sign in line.lower() for line in log_tail for sign in STOLEN)

    async def load(
        self, nodes: Collection[str], modules: Mapping[str, str], gone: Collection[str]
    ) -> dict[str, list[str]]:
        from clusterlib.drivers.beam.loading import load_everywhere

        return await load_everywhere([self._links[name] for name in nodes], modules, gone)

    # -- for links

    def serve(self) -> None:
        """Answers as epmd from now on; earlier requests have waited."""
        for address, listener in self._listeners.items():
            if address not in self._servers:
                server = self._servers[address] = NameServer(self.directory)
                task = asyncio.get_running_loop().create_task(server.start(listener))
                self._serving.add(task)
                task.add_done_callback(self._serving.discard)

    @property
    def known_at(self) -> int:
        """The port of our epmd."""
        return self._known_at(LOOPBACK)

    def knows(self, name: str) -> bool:
        return name in self._links

    def silence(self, name: str) -> float:
        """Seconds of silence after which this node considers another one lost."""
        known = self._texts.get(name)
        return max(float(known.values["timeouts"]["detect"]) if known else 0.0, LEAST_SILENCE)

    def others(self, name: str) -> list[BeamLink]:
        """The links to other nodes that answer now."""
        return [link for other, link in self._links.items() if other != name and link.answering]

    def leave(self, link: BeamLink) -> None:
        """The last node to leave ends the service."""
        if self._links.get(link.name) is link:
            del self._links[link.name]
        if not self._links:
            for server in self._servers.values():
                server.close()
            for listener in self._listeners.values():
                listener.close()
            self._servers, self._listeners = {}, {}

    # -- internals

    def _shell(self, node: str) -> list[str]:
        """A separate hidden node, which forwards the terminal."""
        if self.settings.iex:
            own = f"{SESSION}@{LOOPBACK}"  # Elixir, unlike Erlang, cannot ask the other node for a name
            flags = "-start_epmd false -boot no_dot_erlang"
            return [self.settings.iex, "--hidden", "--name", own, "--erl", flags, "--remsh", node]
        flags = "-start_epmd false -boot no_dot_erlang -hidden"
        return [self.settings.program, *flags.split(), "-name", f"undefined@{LOOPBACK}", "-remsh", node]

    def _look_up_nodes(self) -> None:
        for link in list(self._links.values()):
            link.look_up()

    def _former(self, name: str) -> None:
        former = self._links.get(name)
        if former is not None:
            former.close()

    def _asked(self, node: NodeSpec) -> VmArguments:
        """What its vm.args requests.

        For plain `erl`, a node without a name is refused: no later check would find it."""
        file = Path(node.directory) / "vm.args"
        asked = VmArguments.of(file.read_text(encoding="utf-8", errors="replace"))
        if Path(self.settings.program).name == "erl" and (problem := unseen(node.name, asked, str(file))):
            raise problem
        return asked

    def _arguments(self, node: NodeSpec) -> tuple[str, ...]:
        folders = folders_of(self.settings.path)  # at each start: a build may have made more of them
        paths = ("-pa", *reversed(folders)) if folders else ()  # each is put before the earlier ones
        folder = Path(node.directory)
        config = ("-config", str(folder / "sys.config")) if (folder / "sys.config").exists() else ()
        return (
            self.settings.program,
            *("-noinput", "-boot", "no_dot_erlang", "-args_file", str(folder / "vm.args")),
            *config,
            *paths,
        )

    def _cookie(self, node: NodeSpec) -> str:
        known = self._texts.get(node.name)
        path = Path(known.values["cookie_file"]) if known else Path(node.directory).parents[1] / "cookie"
        return path.read_text(encoding="ascii").strip()

    def _known_at(self, address: str) -> int:
        """The port at which nodes of that address ask for others: Erlang requires the same at all
        addresses."""
        if LOOPBACK not in self._listeners:
            self._listeners[LOOPBACK] = socket.create_server((LOOPBACK, 0))
        port: int = self._listeners[LOOPBACK].getsockname()[1]
        if address not in self._listeners:
            self._listeners[address] = socket.create_server((address, port))
        return port


def _name_of(node: NodeSpec) -> str:
    """The name by which other nodes know it."""
    return f"{node.name}@{node.address}"
