"""Shows a cluster's events as they come: redrawn lines on a terminal, one line each in CI, nothing
with --json."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from clusterlib.messages.event import Event
from clusterlib.messages.events import (
    ClusterBuilding,
    ClusterReady,
    ClusterRestarting,
    ClusterRetrying,
    ClusterScaling,
    ClusterStarting,
    ClusterStopping,
    NodeMoved,
    NodeReached,
)
from clusterlib.messages.states import NodeState

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

    from clusterlib.doors.paint import Paint

__all__ = ["LinesProgress", "LiveProgress", "Picture", "Progress", "SilentProgress"]

SHOWN_NODES = 12
TITLES = (ClusterBuilding, ClusterStarting, ClusterRestarting, ClusterScaling, ClusterStopping)
"""The present activity, until the next of these."""


class Progress(Protocol):
    def __call__(self, event: Event) -> None: ...
    def close(self) -> None: ...


class SilentProgress:
    def __call__(self, event: Event) -> None:
        pass

    def close(self) -> None:
        pass


class LinesProgress:
    """For logs: what happened, a line each. That the cluster is ready is the answer itself."""

    def __init__(self, say: Callable[[str], None], paint: Paint) -> None:
        self._say = say
        self._paint = paint

    def __call__(self, event: Event) -> None:
        text = event.sentence()
        if text and not isinstance(event.what, ClusterReady):
            self._say(text)

    def close(self) -> None:
        pass


@dataclass(slots=True)
class Line:
    state: NodeState = NodeState.PLANNED
    step: str = ""
    seconds: float | None = None
    reason: str = ""


class Picture:
    """What the events so far add up to."""

    def __init__(self) -> None:
        self.title = ""
        self.note = ""
        self.nodes: dict[str, Line] = {}

    def take(self, event: Event) -> None:
        if event.node:
            self._take_node(event)
        elif isinstance(event.what, ClusterRetrying):
            self.note = event.sentence()
            self.nodes.clear()
        elif isinstance(event.what, TITLES):
            self.title = event.sentence()

    def _take_node(self, event: Event) -> None:
        line = self.nodes.setdefault(event.node, Line())
        match event.what:
            case NodeReached(rung=rung):
                line.step = rung
            case NodeMoved(state=state, seconds=seconds, reason=reason):
                line.state, line.seconds, line.reason = state, seconds, reason or ""

    def shown(self) -> list[tuple[str, Line]]:
        """The nodes worth a line: all if they fit, else those that are not ready yet."""
        lines = list(self.nodes.items())
        if len(lines) > SHOWN_NODES:
            lines = [(name, line) for name, line in lines if line.state is not NodeState.READY][:SHOWN_NODES]
        return lines

    @property
    def ready(self) -> int:
        return sum(line.state is NodeState.READY for line in self.nodes.values())


class LiveProgress:
    """For terminals: a line for each node, redrawn as it changes, and removed at the end."""

    def __init__(self, stream: TextIO, paint: Paint) -> None:
        self._stream = stream
        self._colours = paint.colours
        self._picture = Picture()
        self._live: Live | None = None

    def __call__(self, event: Event) -> None:
        self._picture.take(event)
        if self._live is None:
            self._live = self._open()
        self._live.update(self._draw())

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _open(self) -> Live:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream, no_color=not self._colours, highlight=False)
        live = Live(
            console=console,
            transient=True,
            refresh_per_second=12,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        live.start()
        return live

    def _draw(self) -> Group:
        from rich.console import Group
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        from clusterlib.doors.paint import STATES

        picture = self._picture
        counted = (
            f"{picture.title}  {picture.ready}/{len(picture.nodes)} ready" if picture.nodes else picture.title
        )
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        for name, line in picture.shown():
            detail = line.reason or (f"{line.seconds:.2f} s" if line.seconds is not None else line.step)
            table.add_row(
                "",
                name,
                Text(line.state, style=STATES.get(line.state, "")),
                Text(detail, style="dim" if self._colours else ""),
            )
        parts: list[Any] = [self._spinner(Spinner, Text(counted)), table]
        if picture.note:
            parts.append(Text(picture.note, style="yellow"))
        return Group(*parts)

    def _spinner(self, kind: Any, text: Any) -> Any:
        """One spinner for the whole story: a new one for each frame would never turn."""
        if self._turning is None:
            self._turning = kind("dots")
        self._turning.update(text=text)
        return self._turning

    _turning: Any = None
