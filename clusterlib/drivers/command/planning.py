"""The settings of a profile for a server program, as its driver needs them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from clusterlib.disk.paths import within
from clusterlib.drivers.command.profile import CommandSettings, Form, Formed, HealthSettings, ReadySettings
from clusterlib.drivers.command.settings import Forming, Question, Server
from clusterlib.drivers.planning import CodeContext, Planned
from clusterlib.frozen import field_names
from clusterlib.messages.plan import CodeSources
from clusterlib.values.sources import ValueSource

if TYPE_CHECKING:
    from clusterlib.profiles.model import Profile

__all__ = ["code", "environment", "settings"]

COMMANDS = ("command", "form")
V = TypeVar("V")


def settings(planned: Planned) -> Server:
    values = planned.resolved.values
    command = values.section(CommandSettings)
    return Server(
        program=str(planned.programs[command.program]),
        arguments=command.arguments,
        ports=tuple(values.ports),
        order=command.order,
        prepare=command.prepare,
        user=command.user,
        stop=command.stop,
        stop_all=command.stop_all,
        stop_command=command.stop_command,
        stop_seconds=values.timeouts.stop,
        fixed=command.fixed,
        crash=command.crash,
        logs=command.logs,
        shared=command.shared,
        shell=command.shell,
        execute=command.execute,
        environment=values.environment,
        ready=_like(Question, values.section(ReadySettings)),
        form=Forming(values.section(Form).command),
        formed=_like(Question, values.section(Formed)),
        health=_like(Question, values.section(HealthSettings)),
    )


def _like(kind: type[V], section: object) -> V:
    """The driver's own value of a section. What the section does not have keeps its default."""
    names = [name for name in field_names(kind) if hasattr(section, name)]
    return kind(**{name: getattr(section, name) for name in names})


def code(context: CodeContext) -> CodeSources:
    """Python code that its command leads to, and the files that it gets.

    A server cannot report what it has loaded."""
    from clusterlib.drivers.command.own_code import own_code

    values, left_out = context.resolved.values, context.left_out()
    program = context.programs.get(values.section(CommandSettings).program)
    own = own_code(context.resolved, context.project, program, context.templates(), left_out)
    return CodeSources(
        trees=own.trees or context.chosen_roots,
        left_out=left_out,
        files=(*map(str, _named_files(values, context.project)), *own.files),
        reported=False,
    )


def _named_files(values: Profile, project: Path) -> Iterator[Path]:
    """The files that a server gets and reads when it starts: a script, a configuration."""
    from clusterlib.drivers.command.named import named_in

    words = [text for name in COMMANDS for text in _words(values.sections[name])]
    for text in (*words, *values.environment.values()):
        yield from named_in(text, project)


def _words(section: Any) -> Iterator[str]:
    for name in field_names(section):
        value = getattr(section, name)
        if isinstance(value, tuple):
            yield from value


def environment(planned: Planned) -> dict[str, str]:
    """PYTHONPATH with the code roots that the profile names; embedded nodes need none."""
    resolved = planned.resolved
    roots = within(planned.project, resolved.values.python.path)
    if not roots or resolved.origin("python.path").source == ValueSource.DEFAULT:
        return {}
    inherited = [path for path in [os.environ.get("PYTHONPATH")] if path]
    return {"PYTHONPATH": os.pathsep.join([*roots, *inherited])}
