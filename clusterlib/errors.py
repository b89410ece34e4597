"""The tree of errors. Every error has a problem, a cause, the evidence, and remedies.

    ClusterError
    ├── UsageError                  a command or an argument is invalid                (exit 2)
    │   ├── WrongType               an argument has the wrong type; also a TypeError
    │   └── DriverUnusable          no driver has this name, or it cannot be used
    ├── ProfileError                mistakes in a profile, all of them at once         (exit 2)
    ├── TemplateError               a template is missing, or has a mistake            (exit 2)
    ├── StartError                  a cluster did not start
    │   ├── NodeExited              a node ended before it was ready
    │   │   └── ApplicationFailed   because its application raised, or exited
    │   ├── NodeNotReady            a node lived but was not ready in time
    │   ├── CommandFailed           a command of the profile failed or did not end
    │   ├── BuildFailed             the command that compiles the project failed
    │   ├── PortTaken               another process listens on a port of a node
    │   ├── PortsExhausted          no free port in a range
    │   └── ProgramMissing          a program is not on PATH
    ├── ClusterNotRunning           no cluster of that name runs                       (exit 3)
    ├── ClusterConflict             a cluster of that name runs, with other settings
    ├── ClusterBusy                 another process or test uses the cluster
    ├── NeedImpossible              no cluster can satisfy the need of a test
    ├── KeeperLost                  the keeper died or does not answer
    │   └── HandleClosed            the handle was closed
    ├── AlreadyServed               another server serves the project over REST
    ├── RequestRefused              a request over REST cannot be answered         (exit 2)
    │   └── AccessRefused           it is not allowed
    ├── OtherVersion                another version of clusterlib started the cluster
    ├── OperationBroken             an operation of the project cannot be imported (exit 2)
    ├── LeftBehind                  processes survived a shutdown
    ├── StaleCode                   nodes run other code than is on disk, after a sync
    ├── NodeUnknown                 the cluster has no node of that name               (exit 2)
    ├── NodeUnavailable             the node is not reachable in its present state
    │   ├── NoDistribution          an Erlang node does not accept connections
    │   ├── EpmdUnavailable         no epmd answers, or another program does
    │   ├── CookieMismatch          an Erlang node refuses this cookie
    │   └── NameTaken               the name of an Erlang node is in use
    ├── ProcessGone                 no process has this id or name
    ├── ProcessNameTaken            another process has this name
    ├── ServerRefused               a server has answered an operation with an error
    ├── NotSupported                this driver does not support the operation
    ├── NotInTime                   a condition did not become true in time
    ├── CallTimeout                 a remote call took longer than its limit
    ├── TermError                   not an Erlang term, or no term for a value
    └── RemoteError                 the exception of a remote call cannot be transmitted
        └── ErlangError             a remote call ended with an Erlang exception

This module imports only that of remedies, so that the smallest process can raise these errors. An
error that belongs to one kind of node is declared in the folder of its driver, and is imported when
it is needed. An error is sent over a socket with `to_dict` and restored with `from_dict`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Self

from clusterlib.remedies import Remedy, revived

if TYPE_CHECKING:
    from clusterlib.drivers.beam.errors import (
        CookieMismatch,
        EpmdUnavailable,
        ErlangError,
        NameTaken,
        NoDistribution,
        TermError,
    )

__all__ = [
    "AccessRefused",
    "AlreadyServed",
    "ApplicationFailed",
    "BuildFailed",
    "CallTimeout",
    "ClusterBusy",
    "ClusterConflict",
    "ClusterError",
    "ClusterNotRunning",
    "ClusterlibWarning",
    "CommandFailed",
    "CookieMismatch",
    "DriverUnusable",
    "EpmdUnavailable",
    "ErlangError",
    "HandleClosed",
    "KeeperLost",
    "LeftBehind",
    "NameTaken",
    "NeedImpossible",
    "NoDistribution",
    "NodeExited",
    "NodeNotReady",
    "NodeUnavailable",
    "NodeUnknown",
    "NotInTime",
    "NotSupported",
    "OperationBroken",
    "OtherVersion",
    "PortTaken",
    "PortsExhausted",
    "ProcessGone",
    "ProcessNameTaken",
    "ProfileError",
    "ProgramMissing",
    "RemoteError",
    "RequestRefused",
    "ServerRefused",
    "StaleCode",
    "StaleCodeWarning",
    "StartError",
    "TemplateError",
    "TermError",
    "UsageError",
    "WrongType",
    "every_error",
]


class ClusterlibWarning(UserWarning):
    """Something that works but may not be intended."""


class StaleCodeWarning(ClusterlibWarning):
    """The nodes of a cluster run other code than is on disk."""


class ClusterError(Exception):
    """The root of the tree. `code` is stable and has its paragraph in docs/troubleshooting.md."""

    code: ClassVar[str] = "cluster-error"
    exit_code: ClassVar[int] = 1
    explains_a_node: ClassVar[bool] = False
    """Whether it says by itself why a node did not start, so that nothing is put around it."""

    def __init__(
        self,
        problem: str,
        *,
        cause: str | None = None,
        evidence: Iterable[str] = (),
        remedies: Iterable[str] = (),
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.cause = cause
        self.evidence = tuple(map(str, evidence))  # it is written as JSON
        self.remedies = tuple(map(Remedy.of, remedies))

    def __str__(self) -> str:
        lines = [f"{self.problem} [{self.code}]"]
        if self.cause:
            lines.append(f"  cause: {self.cause}")
        lines += [f"  | {line}" for line in self.evidence]
        lines += [f"  try: {remedy}" for remedy in self.remedies]
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (self.to_dict(),)

    def of_cluster(self, name: str, profile: str | None = None) -> Self:
        """The same error, with remedies for that cluster, and for that profile if one is given.

        Without names they would mean the default cluster and the default profile."""
        if profile is not None:
            self.remedies = tuple(remedy.of_profile(profile) for remedy in self.remedies)
        self.remedies = tuple(remedy.of_cluster(name) for remedy in self.remedies)
        return self

    def to_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "problem": self.problem,
            "cause": self.cause,
            "evidence": list(self.evidence),
            "remedies": list(map(str, self.remedies)),
            "remedy_parts": [remedy.to_json() for remedy in self.remedies],
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> ClusterError:
        """Restores an error that was sent over a socket.

        An unknown code becomes a ClusterError with all its texts.
        """
        kind = every_error().get(str(data.get("code")), ClusterError)
        return kind(
            str(data.get("problem", "unknown problem")),
            cause=data.get("cause"),
            evidence=data.get("evidence", ()),
            remedies=_revived_remedies(data),
        )


class UsageError(ClusterError):
    code = "usage"
    exit_code = 2


class WrongType(UsageError, TypeError):
    code = "wrong-type"


class DriverUnusable(UsageError):
    """There is no driver of that name, or what has it is not one."""

    code = "driver-unusable"


class ProfileError(ClusterError):
    code = "profile"
    exit_code = 2


class TemplateError(ClusterError):
    code = "template"
    exit_code = 2


class StartError(ClusterError):
    code = "start-failed"


class NodeExited(StartError):
    code = "node-exited"
    explains_a_node = True


class ApplicationFailed(NodeExited):
    """The user's application has failed, not the machine.

    It would fail again, here and everywhere."""

    code = "application-failed"
    explains_a_node = False


class NodeNotReady(StartError):
    code = "node-not-ready"


class CommandFailed(StartError):
    code = "command-failed"


class BuildFailed(StartError):
    code = "build-failed"


class PortTaken(StartError):
    code = "port-taken"
    explains_a_node = True


class PortsExhausted(StartError):
    code = "ports-exhausted"


class ProgramMissing(StartError):
    code = "program-missing"


class ClusterNotRunning(ClusterError):
    code = "not-running"
    exit_code = 3


class ClusterConflict(ClusterError):
    code = "conflict"


class ClusterBusy(ClusterError):
    code = "busy"


class NeedImpossible(ClusterError):
    code = "impossible"


class KeeperLost(ClusterError):
    code = "keeper-lost"


class AlreadyServed(ClusterError):
    """The project has a server already."""

    code = "already-served"


class RequestRefused(ClusterError):
    """A request over REST cannot be answered as it is."""

    code = "request-refused"
    exit_code = 2


class AccessRefused(RequestRefused):
    """A request over REST, or a call of an assistant, is not allowed."""

    code = "access-refused"


class OtherVersion(ClusterError):
    """The keeper has another version of clusterlib, and the two cannot communicate."""

    code = "other-version"


class OperationBroken(ClusterError):
    """An operation of the project cannot be imported, or is none."""

    code = "operation-broken"
    exit_code = 2


class HandleClosed(KeeperLost):
    code = "handle-closed"


class LeftBehind(ClusterError):
    code = "left-behind"


class StaleCode(ClusterError):
    code = "stale-code"


class NodeUnknown(ClusterError):
    code = "unknown-node"
    exit_code = 2


class NodeUnavailable(ClusterError):
    code = "node-unavailable"


class ProcessGone(ClusterError):
    code = "process-gone"


class ProcessNameTaken(ClusterError):
    code = "process-name-taken"


class ServerRefused(ClusterError):
    code = "server-refused"


class NotSupported(ClusterError):
    code = "not-supported"


class NotInTime(ClusterError):
    code = "not-in-time"


class CallTimeout(ClusterError):
    code = "call-timeout"


class RemoteError(ClusterError):
    code = "remote-error"


SHIPPED_DRIVERS = "clusterlib.drivers.shipped"
"""Names the modules with errors of one kind of node."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> type[ClusterError]:
        for module in _of_drivers() if name in __all__ else ():
            if name in module.__all__:
                return getattr(module, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _of_drivers() -> list[Any]:
    return [import_module(name) for name in import_module(SHIPPED_DRIVERS).ERRORS]


def every_error() -> dict[str, type[ClusterError]]:
    """Every error by its code. The socket and the troubleshooting guide are checked against it."""
    _of_drivers()
    found: dict[str, type[ClusterError]] = {}
    unseen = [ClusterError]
    while unseen:
        kind = unseen.pop()
        found[kind.code] = kind
        unseen += kind.__subclasses__()
    return found


def _revived_remedies(data: Mapping[str, Any]) -> list[Remedy]:
    texts, parts = list(data.get("remedies") or ()), data.get("remedy_parts")
    if not isinstance(parts, list) or len(parts) != len(texts):
        parts = texts  # of a version that has sent only the texts
    return [revived(one, text) for one, text in zip(parts, texts, strict=True)]


def _revive(data: dict[str, Any]) -> ClusterError:
    return ClusterError.from_dict(data)
