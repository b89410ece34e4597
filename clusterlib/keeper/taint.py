"""Why the cluster is not as it was when it got ready: what was done to it, what happened to it, what a test left in it.

Every reason is told once, and stays until the cluster is healed. Resuming a node takes away what pausing it gave; restarting
nodes, on request, takes all that was said of these nodes. What a test has left in the cluster as a whole may be in its data:
it goes when all nodes begin with none, or when `heal` is asked for by somebody who knows that the data does not matter."""

from __future__ import annotations

from collections.abc import Callable, Collection

from clusterlib.keeper.diary import Tell
from clusterlib.messages.events import ClusterDirty

__all__ = ["Taint"]

PAUSED = "is paused"


class Taint:
    def __init__(self, tell: Tell, changed: Callable[[], None]) -> None:
        self._tell = tell
        self._changed = changed
        self._reasons: dict[tuple[str | None, str], str] = {}
        """By node (None: of the cluster as a whole) and what is the matter, in the order in which they came."""

    def __bool__(self) -> bool:
        return bool(self._reasons)

    def reasons(self) -> list[str]:
        return list(self._reasons.values())

    @property
    def of_the_whole(self) -> bool:
        """Whether something is the matter with the cluster as a whole: then nobody knows which of its nodes are still good."""
        return any(node is None for node, _ in self._reasons)

    def spoilt(self, reason: str) -> None:
        """The cluster as a whole: what a test left in it."""
        self._add(None, reason, reason)

    def ended(self, node: str, how: str) -> None:
        """Of one node the first end counts: one that was killed has not also ended by itself. Nor is it paused any more."""
        self.resumed(node)
        self._add(node, "ended", f"{node} {how}")

    def paused(self, node: str) -> None:
        self._add(node, PAUSED, f"{node} {PAUSED}")

    def resumed(self, node: str) -> None:
        if self._reasons.pop((node, PAUSED), None):
            self._changed()

    def ended_on_request(self, nodes: Collection[str], *, everything: bool = False) -> None:
        """These are about to begin anew, and know nothing of what was done to them. `everything`: they are all nodes, and
        have no data any more. What happens from now on is held against the new ones."""
        kept = {
            key: reason for key, reason in self._reasons.items() if not everything and key[0] not in nodes
        }
        if kept != self._reasons:
            self._reasons = kept
            self._changed()

    def gone(self, nodes: Collection[str]) -> None:
        """These belong to the cluster no more, and what was said of them with them."""
        self.ended_on_request(nodes)

    def clear(self) -> None:
        if self._reasons:
            self._reasons.clear()
            self._changed()

    def _add(self, node: str | None, what: str, reason: str) -> None:
        if (node, what) not in self._reasons:
            self._reasons[node, what] = reason
            self._tell(ClusterDirty(reason))
            self._changed()
