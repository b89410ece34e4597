"""Whether the settings of a server program fit together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING

from clusterlib.drivers.command.profile import (
    CommandSettings,
    Formed,
    HealthSettings,
    QuestionSettings,
    ReadySettings,
    RepeatedQuestionSettings,
)
from clusterlib.values.wording import did_you_mean

if TYPE_CHECKING:
    from clusterlib.profiles import Mistake
    from clusterlib.profiles.checks import Together

__all__ = ["mistakes"]


def mistakes(together: Together) -> Iterator[Mistake]:
    section = together.profile.section
    ready, formed = section(ReadySettings), section(Formed)
    yield from _program(together)
    yield from _templates(together)
    for name, question in (("ready", ready), ("formed", formed), ("health", section(HealthSettings))):
        yield from _question(together, name, question)
    for name, asked in (("ready", ready), ("formed", formed)):
        yield from _interval(together, name, asked)


def _program(together: Together) -> Iterator[Mistake]:
    command = together.profile.section(CommandSettings)
    filled_in = together.kind.filled_in["command"] or ()
    if not command.program:
        right = 'write program = "redis-server", for example'
        yield together.mistake(
            "command", "program", problem="the driver command needs a program", right=right
        )
    for one in fields(command):
        value = getattr(command, one.name)
        texts = (value,) if isinstance(value, str) else value or ()
        if one.name not in filled_in and any("{{" in text or "{%" in text for text in texts):
            right = "write it out; arguments and environment may hold Jinja"
            if one.name == "crash":
                right = r"write it out; a brace of a line that is looked for is \{ in a regular expression"
            yield together.mistake(
                "command", one.name, problem="is no template: nothing fills it in", right=right
            )
    if not together.profile.ports and not _asks(together.profile.section(ReadySettings)):
        right = 'write client = "14000-14999" under [ports], or log = "started" under [ready], for example'
        problem = "its readiness is undefined: it has no ports, and [ready] has no question"
        yield together.mistake("ports", problem=problem, right=right)


def _templates(together: Together) -> Iterator[Mistake]:
    for output in together.profile.templates:
        if output.partition("/")[0] == "data":
            problem = "is in data, which is emptied before the first start of a node"
            right = "choose another place; `prepare` under [command] may copy it into data"
            yield together.mistake("templates", output, problem=problem, right=right)


def _asks(asked: QuestionSettings) -> bool:
    return bool(asked.ports or asked.log or asked.http or asked.send or asked.command)


def _question(together: Together, name: str, asked: QuestionSettings) -> Iterator[Mistake]:
    ways = [way for way in ("http", "send", "command") if getattr(asked, way)]
    known = [*together.profile.ports, *together.profile.derived]
    if len(ways) > 1:
        problem = f"asks in {len(ways)} ways at once: {', '.join(ways)}"
        yield together.mistake(
            name, ways[1], problem=problem, right="keep one of them; its answer is one, too"
        )
    if asked.answer and not ways:
        right = "write http, send or command beside it"
        yield together.mistake(name, "answer", problem="is expected, but nothing is asked", right=right)
    if asked.log and name == "health":
        right = "write a line that shows a problem under [command] crash"
        problem = "a line that was printed once says nothing about the present"
        yield together.mistake(name, "log", problem=problem, right=right)
    for field, ports in (("ports", asked.ports), ("to", (asked.to,) if asked.to else ())):
        for port in ports:
            if port not in known:
                yield together.mistake(
                    name, field, problem=f'there is no port "{port}"', right=did_you_mean(port, known)
                )


def _interval(together: Together, name: str, asked: RepeatedQuestionSettings) -> Iterator[Mistake]:
    """One question and no second one within the start: a node that is not ready at once would never
    become ready."""
    most = together.profile.timeouts.start
    if asked.interval >= most:
        problem = f"{asked.interval:g} s is not less than timeouts.start, which is {most:g} s"
        yield together.mistake(name, "interval", problem=problem, right=f"write less than {most:g}")
