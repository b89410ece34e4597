"""What a profile says about a server program, as the driver reads it from the plan. Texts are filled in when they are used."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from clusterlib.frozen import frozen

__all__ = ["Question", "Server"]


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
        """Whether something is asked that can only be known by asking again."""
        return bool(self.ports or self.http or self.send or self.command)

    def texts(self) -> Iterator[str]:
        yield from (self.log, self.http, self.post, self.send, *self.command, self.answer, self.means)

    @staticmethod
    def of(told: Mapping[str, Any]) -> Question:
        known = {one.name for one in fields(Question)} & told.keys()
        return Question(**{name: _frozen(told[name]) for name in known})


@frozen
class Server:
    """The program, and everything about it."""

    program: str
    arguments: tuple[str, ...]
    ports: tuple[str, ...]
    seed_first: bool
    prepare: tuple[str, ...]
    user: str | None
    stop: signal.Signals
    stop_all: signal.Signals | None
    stop_command: tuple[str, ...]
    stop_seconds: float
    fixed: str | None
    crash: tuple[re.Pattern[str], ...]
    logs: tuple[str, ...]
    shared: tuple[str, ...]
    shell: tuple[str, ...]
    execute: tuple[str, ...]
    environment: Mapping[str, str]
    ready: Question
    form: tuple[str, ...]
    formed: Question
    health: Question

    def texts(self) -> Iterator[str]:
        """All that is filled in with the values of a node before it is used."""
        yield from (*self.arguments, *self.prepare, *self.stop_command, *self.logs, *self.shell, *self.form)
        yield from self.environment.values()
        for question in (self.ready, self.formed, self.health):
            yield from question.texts()

    @staticmethod
    def of(told: Mapping[str, Any]) -> Server:
        command = told["command"]
        ready = Question.of(told["ready"])
        if ready.empty:
            ready = replace(ready, ports=tuple(told["ports"]))
        return Server(
            program=told["program"],
            arguments=tuple(command["arguments"]),
            ports=tuple(told["ports"]),
            seed_first=command["order"] == "seed first",
            prepare=tuple(command["prepare"]),
            user=command["user"],
            stop=signal.Signals[command["stop"]],
            stop_all=signal.Signals[command["stop_all"]] if command["stop_all"] else None,
            stop_command=tuple(command["stop_command"]),
            stop_seconds=told["stop_seconds"],
            fixed=command["fixed"] or None,
            crash=tuple(re.compile(pattern) for pattern in command["crash"]),
            logs=tuple(command["logs"]),
            shared=tuple(command["shared"]),
            shell=tuple(command["shell"]),
            execute=tuple(command["execute"]),
            environment=dict(told["environment"]),
            ready=ready,
            form=tuple(told["form"]["command"]),
            formed=Question.of(told["formed"]),
            health=Question.of(told["health"]),
        )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
