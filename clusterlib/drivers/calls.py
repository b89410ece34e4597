"""The client's side of a kind of node: what can be asked of a node directly, without its keeper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from clusterlib.errors import NotSupported
from clusterlib.frozen import frozen
from clusterlib.messages.plan import CodeSources
from clusterlib.messages.status import NodeStatus

if TYPE_CHECKING:
    from clusterlib.runtime.client import CodeDigest

__all__ = ["Evaluation", "NodeCalls", "Place", "ports_in_words"]


@frozen
class Place:
    """Where a node is, and what it takes to talk to it."""

    name: str
    cluster: str
    driver: str
    cookie_file: Path
    sources: CodeSources
    """Where the code of the nodes is."""
    status: Callable[[], NodeStatus]
    """Asks the keeper for the node as it is now."""
    look: Callable[[BaseException | None], Sequence[str]]
    """Called when a call is given up: None at its time-out, else with what interrupts it. Gives evidence."""


@frozen
class Evaluation:
    """What became of code that somebody has typed."""

    value: str | None
    """As the node writes it; None where there is nothing to show."""
    printed: str
    problem: str | None
    """The traceback, where it has failed."""


class NodeCalls:
    """The calls of one node. Here they are refused; the kinds of nodes that take some override them.

    They raise NodeUnavailable and CallTimeout as they are; the caller adds what the keeper knows."""

    evaluates: ClassVar[bool] = False
    """Whether code that somebody types in a shell is evaluated in the node."""
    has_prompt: ClassVar[bool] = False
    """Whether it is typed at our prompt. Otherwise the node has a shell of its own."""
    examined_directly: ClassVar[bool] = False
    """Whether the client examines the health of the nodes. Otherwise the keeper does."""
    loads_code: ClassVar[tuple[str, ...]] = ()
    """The ends of the names of files whose new content a node can load while it runs."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def call(self, target: str, args: Sequence[Any], kwargs: Mapping[str, Any], timeout: float) -> Any:
        raise self.refusal()

    def run(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], timeout: float
    ) -> Any:
        raise self.refusal()

    def members(self, timeout: float) -> list[str]:
        raise self.refusal()

    def ping(self, timeout: float) -> float:
        raise self.refusal()

    def digest(self, timeout: float) -> CodeDigest:
        raise self.refusal()

    def stacks(self, timeout: float) -> list[str] | None:
        """None where only the keeper can find out."""
        return None

    def evaluate(self, session: str, source: str, timeout: float) -> Evaluation:
        raise self.refusal()

    def complete(self, session: str, text: str, timeout: float) -> list[str]:
        """Names in the session that continue the text."""
        raise self.refusal()

    def forget(self, session: str, timeout: float) -> None:
        """The session is over."""

    def close(self) -> None:
        pass

    def refusal(self) -> NotSupported:
        node = self.place.status()
        port = next(iter(node.ports), "client")
        return NotSupported(
            f"{self.place.name} takes no calls: it is a server program (driver {self.place.driver!r})",
            cause=f"its own client reaches it at {node.address}, ports {ports_in_words(node.ports)}",
            remedies=[
                f'node.address and node.ports, for its client: connect(node.address, node.ports["{port}"])',
                f"invoke cluster.shell {self.place.name}",
            ],
        ).of_cluster(self.place.cluster)


def ports_in_words(ports: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {port}" for name, port in ports.items())
