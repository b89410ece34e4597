"""A cluster's events, shown as they come: redrawn lines on a terminal, one line each in CI, nothing with --json."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

    from clusterlib.doors.paint import Paint

__all__ = ["LinesProgress", "LiveProgress", "Picture", "Progress", "SilentProgress", "sentence"]

Event = dict[str, Any]
SHOWN_NODES = 12


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
        text = sentence(event)
        if text and event["kind"] != "cluster.ready":
            self._say(text)

    def close(self) -> None:
        pass


@dataclass(slots=True)
class Line:
    state: str = "planned"
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
        kind = event["kind"]
        if kind.startswith("cluster."):
            self._take_cluster(kind, event)
        name = event.get("node")
        if not name:
            return
        line = self.nodes.setdefault(name, Line())
        if kind == "node.reached":
            line.step = event["rung"]
        elif kind == "node.state":
            line.state = event["state"]
            line.seconds = event.get("seconds")
            line.reason = event.get("reason", "")

    def _take_cluster(self, kind: str, event: Event) -> None:
        if kind == "cluster.retrying":
            self.note = f"trying again: {event['reason']}"
            self.nodes.clear()
        elif kind in TITLES:
            self.title = TITLES[kind](event)

    def shown(self) -> list[tuple[str, Line]]:
        """The nodes worth a line: all if they fit, else those that are not ready yet."""
        lines = list(self.nodes.items())
        if len(lines) > SHOWN_NODES:
            lines = [(name, line) for name, line in lines if line.state != "ready"][:SHOWN_NODES]
        return lines

    @property
    def ready(self) -> int:
        return sum(line.state == "ready" for line in self.nodes.values())


class LiveProgress:
    """For eyes: a line for each node, redrawn as it changes and gone when all is said."""

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


def _simulated(event: Event) -> str:
    return " [SIMULATED]" if event.get("simulated") else ""


TITLES: dict[str, Callable[[Event], str]] = {
    "cluster.building": lambda e: f"building the project: {e['command']}",
    "cluster.starting": lambda e: (
        f"starting cluster {e['name']}: {_count(e['nodes'])}, profile {e['profile']}{_simulated(e)}"
    ),
    "cluster.restarting": lambda e: (
        f"restarting {', '.join(e['nodes'])}" + (" with no data" if e.get("fresh") else "")
    ),
    "cluster.scaling": lambda e: f"scaling from {e['before']} to {_count(e['after'])}",
    "cluster.stopping": lambda e: f"stopping: {e['reason']}",
}


def _count(nodes: int) -> str:
    return f"{nodes} node" + ("" if nodes == 1 else "s")


def _became(event: Event) -> str:
    node, state, reason = event["node"], event["state"], event.get("reason")
    match state:
        case "ready":
            seconds = event.get("seconds")
            return f"{node} is ready" + (f" after {seconds:.2f} s" if seconds is not None else "")
        case "dead" | "paused":
            return f"{node} is {state}" + (f": {reason}" if reason else "")
        case "stopped":
            return f"{node} stopped"
    return ""


SENTENCES: dict[str, Callable[[Event], str]] = {
    **TITLES,
    "node.state": _became,
    "node.killed": lambda e: f"{e['node']} was killed: {e['reason']}",
    "node.abandoned": lambda e: f"{e['node']} was given up: {e['reason']}",
    "node.restarting": lambda e: f"{e['node']} is started again in {e['after']:g} s: {e['reason']}",
    "cluster.retrying": lambda e: f"trying again: {e['reason']}",
    "cluster.ready": lambda e: f"cluster is ready after {e['seconds']:.2f} s",
    "cluster.stopped": lambda e: (
        "cluster stopped" if e.get("clean", True) else "cluster stopped, but something was left behind"
    ),
    "cluster.loaded": lambda e: (
        "new code runs: " + ", ".join([*e["modules"], *(f"{name} is gone" for name in e["gone"])])
    ),
    "cluster.dirty": lambda e: f"cluster is dirty: {e['reason']}",
    "cluster.healed": lambda e: f"cluster is whole and clean again after {e['seconds']:.2f} s",
    "turn.taken": lambda e: (
        f"{e['holder']} {'has the cluster alone' if e['exclusive'] else 'shares the cluster'}"
    ),
    "turn.ended": lambda e: (
        f"{e['holder']} is through with the cluster" + (f": {e['dirty']}" if e["dirty"] else "")
    ),
    "cluster.lingering": lambda e: f"cluster waits {e['seconds']:g} s to be used again",
    "fault.kill": lambda e: f"kill {e['node']}",
    "fault.stop": lambda e: f"stop {e['node']}",
    "heal.start": lambda e: f"start {e['node']}",
    "fault.pause": lambda e: f"pause {e['node']}",
    "heal.resume": lambda e: f"resume {e['node']}",
}


def sentence(event: Event) -> str:
    """An event as a line for people; empty for what only a machine wants to know."""
    tell = SENTENCES.get(event["kind"])
    return tell(event) if tell is not None else ""
