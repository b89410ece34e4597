"""A prompt in a node: input is evaluated there, as Python, or in an Erlang node as Erlang or
Elixir."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from clusterlib.client.cluster import Cluster, Node
from clusterlib.client.code.looking import some_files
from clusterlib.drivers.api import SESSION
from clusterlib.errors import NotSupported
from clusterlib.frozen import frozen
from clusterlib.hosts.launch import run_command
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.parameters import ClusterName, Expression, NodeName
from clusterlib.operations.reach import reached
from clusterlib.operations.result import Result
from clusterlib.remedies import do

__all__ = ["Evaluated", "NodeShell", "OwnShellEnded", "run_own_shell", "shell"]

WITHOUT_LIMIT = 30 * 86400.0
"""An endless loop is ended with Ctrl-C, not with a timeout."""
QUICKLY = 5.0
MOST_SESSIONS = 50


@frozen
class Evaluated(Result):
    node: str
    value: str | None
    """The value as the node writes it (`repr`); None if there is nothing to show: after a
    statement, or for the value None."""
    output: str
    """What the code printed."""
    traceback: str | None
    stale: tuple[str, ...] = ()
    """The files that differ from those that the nodes run."""

    @property
    def exit_status(self) -> int:
        return 1 if self.traceback else 0


def stale_sentence(stale: Sequence[str], cluster: Cluster) -> str:
    """The message for a user of such a cluster."""
    files = some_files(stale, cluster.project)
    renewed = do("cluster.up") + " or " + do("cluster.sync") + " renews it"
    stale = f"cluster {cluster.name} runs other code than is on disk ({files}); "
    return stale + renewed.of_cluster(cluster.name)


def run_own_shell(
    node: str | None = None,
    *,
    name: str | None = None,
    code: str | None = None,
    project: Path | str | None = None,
    on_stale: Callable[[str], None] = lambda _: None,
) -> int | None:
    """Runs the shell of a server program, such as `redis-cli -p PORT`, with our streams; returns
    its exit code.

    None if the node itself evaluates the input: a Python node always, an Erlang node for an
    expression. Such a shell has its own connection to the node, so the cluster need not be held.
    `on_stale` is called if the node runs other code than is on disk."""
    with reached(name, project=project) as cluster:
        chosen = _chosen(cluster, node)
        if chosen.kind.has_prompt or (chosen.kind.evaluates and code is not None):
            return None
        shell = chosen.status().shell
        if shell is None:
            raise NotSupported(
                f"{chosen.name} has no shell",
                cause=f"profile {cluster.profile} names none: shell under [command]",
                remedies=[
                    do("profile.show", cluster.profile, resolved=True),
                    do("cluster.logs", chosen.name),
                ],
            )
        session = f"shell{os.getpid() % MOST_SESSIONS}"  # few names: each becomes an atom in an Erlang node
        words = [word.replace(SESSION, session) for word in shell.command]
        if code is not None:
            words += [*shell.execute, code] if shell.execute else shlex.split(code)
        if stale := cluster.stale:
            on_stale(stale_sentence(stale, cluster))
        return run_command(words, environment={**os.environ, "TERM": _terminal(), **shell.environment})


def _chosen(cluster: Cluster, node: str | None) -> Node:
    """The node of that name, or else the first that is ready."""
    if node is not None:
        return cluster[node]
    status = cluster.status()
    return cluster[next((one.name for one in status.nodes if one.is_ready), status.nodes[0].name)]


def _terminal() -> str:
    """Without a known type of terminal, Erlang's remote shell would silently be a local one."""
    known = os.environ.get("TERM", "")
    return known if known not in {"", "dumb"} else "vt100"


@frozen
class OwnShellEnded(Result):
    """The shell of a server program has ended, and has printed its output."""

    node: str
    exit_code: int

    @property
    def exit_status(self) -> int:
        return self.exit_code


@operation(effect="execute")
def shell(
    caller: Caller,
    node: NodeName | None = None,
    *,
    name: ClusterName | None = None,
    command: Expression | None = None,
) -> Evaluated | OwnShellEnded | NodeShell:
    """Open a prompt in a node, or evaluate one expression there with -c."""
    code = run_own_shell(node, name=name, code=command, project=caller.project, on_stale=caller.note)
    if code is not None:
        return OwnShellEnded(node or "", code)
    session = NodeShell(node, name=name, project=caller.project)
    if session.stale_sentence:
        caller.note(session.stale_sentence)
    if command is None:
        return session
    with session:
        return session.evaluate(command)


class NodeShell:
    """A session in one node.

    Names survive from one evaluation to the next, and are forgotten at the end."""

    def __init__(
        self, node: str | None = None, *, name: str | None = None, project: Path | str | None = None
    ) -> None:
        self._reached = reached(name, project=project)
        self._session = secrets.token_hex(8)
        self.cluster = self._reached.__enter__()
        try:
            self._node = self._choose(node)
            self.stale = self.cluster.stale
            """The files that differ from those that the nodes run."""
        except BaseException:
            self._reached.__exit__(None, None, None)
            raise
        self.node = self._node.name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._node.status().is_ready:
                self._node.forget(self._session, QUICKLY)
        finally:
            self._reached.__exit__(kind, error, trace)

    def evaluate(self, source: str) -> Evaluated:
        """Runs statements in the node and returns the value of a last expression.

        An exception is a result, too."""
        # As it came from a command line that Python did not take for UTF-8.
        source = source.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        found = self._node.evaluate(self._session, source, WITHOUT_LIMIT)
        return Evaluated(self.node, found.value, found.printed, found.problem, self.stale)

    @property
    def stale_sentence(self) -> str | None:
        """A message if the nodes run other code than is on disk; else None."""
        return stale_sentence(self.stale, self.cluster) if self.stale else None

    def complete(self, text: str) -> list[str]:
        """Names in the session that continue `text`."""
        return self._node.complete(self._session, text, QUICKLY)

    def _choose(self, node: str | None) -> Node:
        chosen = _chosen(self.cluster, node)
        if not chosen.kind.evaluates:
            driver = self.cluster.roles[chosen.role].driver
            raise NotSupported(
                f"nodes of the driver {driver!r} have no Python prompt",
                cause="they have the shell of their own that the profile names",
                remedies=[do("cluster.shell", *([node] if node else [])), do("cluster.logs")],
            ).of_cluster(self.cluster.name)
        return chosen
