"""Why the cluster differs from the state in which it became ready: faults, unexpected ends, and
damage by tests and operations.

Every reason is recorded once, and stays until the cluster is healed. Resuming a node removes the
reason of its pause; restarting nodes on request removes all reasons of these nodes. Damage that a
test reported for the cluster as a whole may be in its data: it is removed when all nodes start
without data, or when `heal` is called by a caller who knows that the data does not matter."""

from __future__ import annotations

from collections.abc import Callable, Collection

from clusterlib.keeper.event_log import Tell
from clusterlib.messages.events import ClusterDirty

__all__ = ["Taint"]

PAUSED = "is paused"
LOST = "cannot start nodes"


class Taint:
    def __init__(self, tell: Tell, changed: Callable[[], None]) -> None:
        self._tell = tell
        self._changed = changed
        self._reasons: dict[tuple[str | None, str], str] = {}
        """By node (None: the cluster as a whole) and reason, in the order in which they
        were added."""

    def __bool__(self) -> bool:
        return bool(self._reasons)

    def reasons(self) -> list[str]:
        return list(self._reasons.values())

    @property
    def of_the_whole(self) -> bool:
        """Whether the cluster as a whole is damaged: then it is unknown which of its nodes are
        intact."""
        return any(node is None for node, _ in self._reasons)

    def damaged(self, reason: str) -> None:
        """A test or an operation has left damage to the cluster as a whole, or a turn was lost."""
        self._add(None, reason, reason)

    def ended(self, node: str, how: str) -> None:
        """The first end of a node counts: one that was killed has not also ended by itself.

        It is not paused any more, either."""
        self.resumed(node)
        self._add(node, "ended", f"{node} {how}")

    def paused(self, node: str) -> None:
        self._add(node, PAUSED, f"{node} {PAUSED}")

    def lost(self, reason: str) -> None:
        """The cluster cannot start nodes any more. Only its end removes this reason."""
        self._add(None, LOST, reason)

    def resumed(self, node: str) -> None:
        if self._reasons.pop((node, PAUSED), None):
            self._changed()

    def ended_on_request(self, nodes: Collection[str], *, everything: bool = False) -> None:
        """These nodes are about to start again without their damage.

        `everything`: these are all nodes, and they have no data any more. Later damage counts for
        the new processes."""
        self._keep(lambda node: not everything and node not in nodes)

    def gone(self, nodes: Collection[str]) -> None:
        """These nodes have left the cluster, and their reasons are removed."""
        self.ended_on_request(nodes)

    def clear(self) -> None:
        self._keep(lambda _: False)

    def _keep(self, wanted: Callable[[str | None], bool]) -> None:
        """Removes all other reasons, as far as they can be removed."""
        kept = {
            (node, what): reason
            for (node, what), reason in self._reasons.items()
            if what == LOST or wanted(node)
        }
        if kept != self._reasons:
            self._reasons = kept
            self._changed()

    def _add(self, node: str | None, what: str, reason: str) -> None:
        if (node, what) not in self._reasons:
            self._reasons[node, what] = reason
            self._tell(ClusterDirty(reason))
            self._changed()
