"""The settings of a server program, as the driver reads them from the plan.

Texts are filled in when they are used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clusterlib.frozen import frozen, replace
from clusterlib.values.choices import FormingOrder

__all__ = ["Forming", "Question", "Server"]


@frozen
class Question:
    """One question to a node; see `[ready]` in docs/profiles.md."""

    ports: tuple[str, ...] = ()
    log: str = ""
    http: str = ""
    post: str = ""
    status: int = 200
    send: str = ""
    to: str = ""
    command: tuple[str, ...] = ()
    answer: str = ""
    means: str = ""
    limit: float = 5.0
    interval: float = 0.0
    owned: bool = True

    @property
    def empty(self) -> bool:
        return not (self.ports or self.log or self.asks)

    @property
    def asks(self) -> bool:
        """Whether it has a part that must be asked repeatedly."""
        return bool(self.ports or self.http or self.send or self.command)

    def texts(self) -> Iterator[str]:
        yield from (self.log, self.http, self.post, self.send, *self.command, self.answer, self.means)


@frozen
class Forming:
    """How nodes that all answer become one cluster."""

    command: tuple[str, ...] = ()


@frozen
class Server:
    """The program, and everything about it.

    What `[command]` of the profile holds has its names here, too."""

    program: str
    arguments: tuple[str, ...]
    ports: tuple[str, ...]
    order: FormingOrder
    prepare: tuple[str, ...]
    user: str | None
    stop: str
    stop_all: str | None
    stop_command: tuple[str, ...]
    stop_seconds: float
    fixed: str
    crash: tuple[str, ...]
    logs: tuple[str, ...]
    shared: tuple[str, ...]
    shell: tuple[str, ...]
    execute: tuple[str, ...]
    environment: Mapping[str, str]
    ready: Question
    form: Forming
    formed: Question
    health: Question

    @property
    def seed_first(self) -> bool:
        return self.order is FormingOrder.SEED_FIRST

    @property
    def answers(self) -> Question:
        """What says that a node answers: all its ports take connections, where the profile says
        nothing."""
        return replace(self.ready, ports=self.ports) if self.ready.empty else self.ready

    def texts(self) -> Iterator[str]:
        """All texts that are filled in with the values of a node before they are used."""
        yield from (*self.arguments, *self.prepare, *self.stop_command, *self.logs, *self.shell)
        yield from (*self.form.command, *self.environment.values())
        for question in (self.ready, self.formed, self.health):
            yield from question.texts()
