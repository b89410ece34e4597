"""The client's side of a kind of node: what can be requested from a node directly, without its
keeper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from clusterlib.drivers.place import Place
from clusterlib.errors import NotSupported
from clusterlib.frozen import frozen
from clusterlib.remedies import do

if TYPE_CHECKING:
    from clusterlib.drivers.processes import ProcessCalls
    from clusterlib.runtime.client import CodeDigest

__all__ = ["Evaluation", "NodeCalls", "ports_in_words"]


@frozen
class Evaluation:
    """The result of code that was typed in a shell."""

    value: str | None
    """As the node writes it; None if there is nothing to show."""
    printed: str
    problem: str | None
    """The traceback, if it has failed."""


class NodeCalls:
    """The calls of one node. Here they are refused; kinds of nodes that support some override them.

    They raise NodeUnavailable and CallTimeout without further information; the caller adds what the
    keeper knows."""

    evaluates: ClassVar[bool] = False
    """Whether code from a shell is evaluated in the node."""
    has_prompt: ClassVar[bool] = False
    """Whether it is typed at clusterlib's prompt. Otherwise the node has its own shell."""
    examined_directly: ClassVar[bool] = False
    """Whether the client examines the health of the nodes. Otherwise the keeper does."""
    loads_code: ClassVar[tuple[str, ...]] = ()
    """Suffixes of files whose new content a node can load while it runs."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def call(self, target: str, args: Sequence[Any], kwargs: Mapping[str, Any], timeout: float) -> Any:
        raise self.refusal("call")

    def run(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], timeout: float
    ) -> Any:
        raise self.refusal("run")

    def members(self, timeout: float) -> list[str]:
        raise self.refusal("members")

    def ping(self, timeout: float) -> float:
        raise self.refusal("ping")

    def digest(self, timeout: float) -> CodeDigest:
        raise self.refusal("digest")

    def stacks(self, timeout: float) -> list[str] | None:
        """None if only the keeper can find out."""
        return None

    def evaluate(self, session: str, source: str, timeout: float) -> Evaluation:
        raise self.refusal("evaluate")

    def complete(self, session: str, text: str, timeout: float) -> list[str]:
        """Names in the session that complete the text."""
        raise self.refusal("complete")

    def forget(self, session: str, timeout: float) -> None:
        """Ends the session."""

    @classmethod
    def has_processes(cls) -> bool:
        """Whether clients can look into the processes of a node."""
        return cls.processes is not NodeCalls.processes

    @property
    def processes(self) -> ProcessCalls:
        """Requests about its processes."""
        from clusterlib.drivers.processes import ProcessCalls

        return ProcessCalls(self.place)

    def close(self) -> None:
        pass

    def refusal(self, method: str) -> NotSupported:
        node = self.place.status()
        port = next(iter(node.ports), "client")
        what = f"does not support `{method}`" if _has_own(type(self)) else "takes no calls"
        return NotSupported(
            f"{self.place.name} {what} (driver {self.place.driver!r})",
            cause=f"its own client reaches it at {node.address}, ports {ports_in_words(node.ports)}",
            remedies=[
                f'node.address and node.ports, for its client: connect(node.address, node.ports["{port}"])',
                do("cluster.shell", self.place.name),
            ],
        ).of_cluster(self.place.cluster)


def _has_own(calls: type[NodeCalls]) -> bool:
    """Whether it defines one of the calls itself."""
    return any(getattr(calls, name) is not getattr(NodeCalls, name) for name in ("call", "run", "ping"))


def ports_in_words(ports: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {port}" for name, port in ports.items())
