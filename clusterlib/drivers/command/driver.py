"""Any server program as a node: how it starts, how several form a cluster, how each is asked.

One driver serves one cluster, so it knows all its nodes: which answer, which wait for which, and
whether the cluster was formed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import re
import shutil
import signal
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from clusterlib.drivers.api import Driver, NodeSpec, NodeTexts
from clusterlib.drivers.command.link import COLUMNS, ServerLink
from clusterlib.drivers.command.settings import Server
from clusterlib.errors import CommandFailed
from clusterlib.frozen import replace
from clusterlib.health.probes import Answer, Never, NotYet, Ready
from clusterlib.hosts.api import Host, Program, Spawn
from clusterlib.hosts.run_program import ProgramRun, run_program
from clusterlib.messages.status import OwnShell
from clusterlib.network.ports import Claim
from clusterlib.remedies import do
from clusterlib.rendering import render_text

__all__ = ["CommandDriver"]

DATA = "data"
TAIL = 15
STOLEN = ("address already in use", "eaddrinuse", "address in use", "could not bind")


class CommandDriver(Driver):
    name = "command"

    def __init__(self, server: Server, host: Host) -> None:
        self.server = replace(server, ready=server.answers)
        self.crash = tuple(map(re.compile, server.crash))
        self._host = host
        self._values: dict[str, Mapping[str, Any]] = {}
        self._links: dict[str, ServerLink] = {}
        self._places: dict[str, tuple[str, dict[str, int]]] = {}
        """The place of each node's data: a node that gets another place has no data."""
        self._changed = asyncio.Event()
        self._forming: asyncio.Task[None] | None = None
        self._is_formed = not self.server.form.command
        self._failure: CommandFailed | None = None
        self._hear: dict[str, Callable[[bytes], None]] = {}
        self._last = ""
        self._all_leave = False

    @property
    def purposes(self) -> tuple[str, ...]:
        return self.server.ports

    def why_not_fresh(self, names: Collection[str]) -> str | None:
        if self._values.keys() <= set(names):
            return None
        if self.server.fixed:
            return self.server.fixed
        seed = self._seed_name()
        if seed in names and (self.server.seed_first or self.server.form.command):
            return f"{seed} is the first node: the others have their data, or their place in the cluster, from it"
        return None

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        return COLUMNS

    # -- values for texts

    def learn(self, texts: Mapping[str, NodeTexts]) -> None:
        """Raises TemplateError for a text that cannot be filled in, even for one that is needed
        only at the end."""
        for first in list(texts.values())[:1]:
            for text in self.server.texts():
                first.filled(text)
        self._values = {name: node.values for name, node in texts.items()}

    def values_at_start(self, name: str) -> Mapping[str, Any]:
        """The values for texts that start this node: `alive` are the nodes that ran before this
        start."""
        return self._values[name]

    def values(self, name: str) -> Mapping[str, Any]:
        """The values for all other texts: `alive` are the nodes that answer now."""
        return {**self._values[name], "alive": sorted(self.answering())}

    def shell(self, node: NodeSpec) -> OwnShell | None:
        if node.name not in self._values or not self.server.shell:
            return None
        # The shell is a command of the profile, so it gets the profile's folders and variables,
        # too.
        environment = {"PATH": node.environment["PATH"]} if "PATH" in node.environment else {}
        return OwnShell(
            command=tuple(self._filled(node, self.server.shell)),
            environment={**environment, **self._own_environment(node)},
            execute=tuple(self.server.execute),
        )

    def last_words(self, node: NodeSpec) -> list[str]:
        lines: list[str] = []
        for path in self._own_logs(node):
            with contextlib.suppress(OSError):
                text = path.read_text(encoding="utf-8", errors="replace")
                lines += [f"{path.name}: {line}" for line in text.splitlines()[-TAIL:]]
        return lines

    # -- starting

    async def prepare(self, node: NodeSpec, hear: Callable[[bytes], None]) -> None:
        self._hear[node.name] = hear
        place = (node.address, dict(node.ports))
        fresh = self._places.get(node.name) != place
        if fresh:
            self._make_folders(node)
            if self._is_seed(node):
                self._is_formed, self._failure = not self.server.form.command, None
        self._hand_over(node)
        if fresh and self.server.seed_first and not self._is_seed(node):
            await self._seed_answers()
        if fresh and self.server.prepare:
            await self._prepare(node, hear)
        self._places[node.name] = place

    def order(self, node: NodeSpec, claims: Mapping[str, Claim]) -> tuple[Spawn, ServerLink]:
        del claims
        words = (self.server.program, *filter(None, self._filled_at_start(node, self.server.arguments)))
        link = ServerLink(self, node)
        former = self._links.get(node.name)
        if former is not None:
            former.close()
        self._links[node.name] = link
        return self._spawn(node, words, helper=False), link

    def stopping(self, names: Collection[str]) -> None:
        self._all_leave = bool(names) and self._links.keys() <= set(names)

    @property
    def stop_signal(self) -> signal.Signals:
        """The signal that asks a node to stop, alone or together with all others."""
        return signal.Signals[(self._all_leave and self.server.stop_all) or self.server.stop]

    def forget(self, node: NodeSpec) -> None:
        """Its data is deleted, except its log files: the runs that are kept as evidence must not
        fill the disk."""
        self._places.pop(node.name, None)
        data = Path(node.directory) / DATA
        kept = set(self._own_logs(node))
        if not any(path.is_relative_to(data) for path in kept):
            shutil.rmtree(data, ignore_errors=True)
            return
        for path in data.rglob("*"):
            if path not in kept and not path.is_dir():
                path.unlink(missing_ok=True)

    def _own_logs(self, node: NodeSpec) -> list[Path]:
        if node.name not in self._values:
            return []
        folder = Path(node.directory)
        return [
            path for pattern in self._filled(node, self.server.logs) for path in sorted(folder.glob(pattern))
        ]

    def ports_stolen(self, log_tail: list[str]) -> bool:
        return any(sign in line.lower() for line in log_tail for sign in STOLEN)

    async def run(self, node: NodeSpec, words: Sequence[str], *, heard: bool = False) -> ProgramRun:
        """Runs a command as this node would. `heard`: its output belongs to the node's log."""
        hear = self._hear.get(node.name) if heard else None
        return await run_program(self._host, self._spawn(node, words), hear or (lambda _: None))

    async def stop(self, node: NodeSpec) -> bool:
        words = self._filled(node, self.server.stop_command)
        try:
            async with asyncio.timeout(self.server.stop_seconds):
                return (await self.run(node, words, heard=True)).exit.clean
        except TimeoutError:
            return False

    # -- which nodes answer

    def answering(self) -> dict[str, ServerLink]:
        return {name: link for name, link in self._links.items() if link.answering and not link.closed}

    def silent(self, expected: frozenset[str]) -> list[str]:
        return sorted(expected - self.answering().keys())

    def absent(self) -> list[str]:
        """The members of the cluster that do not answer now."""
        return sorted(self._values.keys() - self.answering().keys())

    def announce(self) -> None:
        """A node answers, or has gone, or has found the others: nodes that wait for this check
        again."""
        self._changed.set()
        self._changed = asyncio.Event()
        for link in self._links.values():
            link.announce()

    def joined(self, newcomer: ServerLink) -> None:
        """This node has found the others.

        The earlier nodes are asked whether they have found it."""
        for link in self.answering().values():
            if link.formed and link is not newcomer and newcomer.node.name not in link.view:
                link.meet()
        self.announce()

    def left(self, link: ServerLink) -> None:
        if self._links.get(link.node.name) is link:
            del self._links[link.node.name]
        if self._forming is not None and not self._links:
            self._forming.cancel()
            self._forming = None
        self.announce()

    # -- forming

    def forming(self, link: ServerLink) -> Answer:
        """Forms a cluster of the nodes that answer, once.

        Called for all of them, as soon as they all answer."""
        if self._failure is not None:
            link.failure = self._failure
            return Never(self._failure.problem)
        if self._is_formed:
            return Ready()
        if self._forming is None:
            self._forming = asyncio.get_running_loop().create_task(self._form())
        last_answer = f", which last said {self._last!r}" if self._last else ""
        words = [render_text(text, self.values(self._seed_name())) for text in self.server.form.command]
        return NotYet(f"the cluster is being formed by {words[0]}{last_answer}")

    async def _form(self) -> None:
        seed = self._seed()
        words = self._filled(seed, self.server.form.command)
        try:
            done = await run_program(self._host, self._spawn(seed, words), self._hear_forming)
            if done.exit.clean:
                self._is_formed = True
            else:
                self._failure = _failed("the cluster could not be formed", words, done, self._looks(seed))
        except CommandFailed as error:
            self._failure = error
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - its waiters must get the error
            self._failure = CommandFailed("the cluster could not be formed", cause=str(error))
        finally:
            self._forming = None
        self.announce()

    def _hear_forming(self, data: bytes) -> None:
        lines = data.decode("utf-8", errors="replace").split("\n")
        self._last = next((line.strip() for line in reversed(lines) if line.strip()), self._last)[:200]
        self._hear[self._seed().name](data)

    async def _prepare(self, node: NodeSpec, hear: Callable[[bytes], None]) -> None:
        words = self._filled_at_start(node, self.server.prepare)
        if not words[0]:
            return
        done = await run_program(self._host, self._spawn(node, words), hear)
        if not done.exit.clean:
            raise _failed(f"{node.name} could not be prepared", words, done, self._looks(node))

    async def _seed_answers(self) -> None:
        """Waits without its own limit: the start has one, and the seed's failure ends it."""
        seed = self._seed_name()
        while seed not in self.answering():
            await self._changed.wait()

    # -- helpers

    def _is_seed(self, node: NodeSpec) -> bool:
        return node.name == self._seed_name()

    def _seed_name(self) -> str:
        return str(next(iter(self._values.values()))["seed"]["name"])

    def _seed(self) -> NodeSpec:
        name = self._seed_name()
        link = self._links.get(name)
        if link is not None:
            return link.node
        raise CommandFailed(
            f"{name}, the first node, is not there", cause="the others are made a cluster by it"
        )

    def _filled(self, node: NodeSpec, texts: Sequence[str]) -> list[str]:
        """The texts with this node's present values."""
        values = self.values(node.name)
        return [render_text(text, values) for text in texts]

    def _filled_at_start(self, node: NodeSpec, texts: Sequence[str]) -> list[str]:
        values = self.values_at_start(node.name)
        return [render_text(text, values) for text in texts]

    def _spawn(self, node: NodeSpec, words: Sequence[str], *, helper: bool = True) -> Spawn:
        return Spawn(
            name=node.name,
            run=Program(tuple(words)),
            directory=node.directory,
            environment={**node.environment, **self._own_environment(node)},
            helper=helper,
            shared=self.server.shared,
            user=self._user,
        )

    def _own_environment(self, node: NodeSpec) -> dict[str, str]:
        values = self.values_at_start(node.name)
        return {name: render_text(text, values) for name, text in self.server.environment.items()}

    def _looks(self, node: NodeSpec) -> list[str]:
        """Where to look when a command of the profile fails."""
        profile = self._values[node.name]["cluster"]["profile"]
        return [do("cluster.logs", node.name), do("profile.show", profile, resolved=True)]

    @property
    def _user(self) -> str | None:
        return self.server.user if os.geteuid() == 0 else None

    def _make_folders(self, node: NodeSpec) -> None:
        data = Path(node.directory) / DATA
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True, mode=0o700)

    def _hand_over(self, node: NodeSpec) -> None:
        """Gives the node's folder to the user it runs as.

        Files that this user has created are already theirs."""
        if self._user is None:
            return
        try:
            entry = pwd.getpwnam(self._user)
        except KeyError:
            return  # the start reports it
        folder = Path(node.directory)
        for path in (folder, *folder.rglob("*")):
            if path.lstat().st_uid != entry.pw_uid:
                os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def _failed(problem: str, words: Sequence[str], done: ProgramRun, remedies: Sequence[str]) -> CommandFailed:
    return CommandFailed(
        problem,
        cause=f"{' '.join(words)[:300]}: {done.exit}",
        evidence=done.lines[-TAIL:],
        remedies=remedies,
    )
