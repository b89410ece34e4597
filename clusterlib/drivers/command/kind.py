"""A server program, as other rooms see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING

from clusterlib.drivers.kind import NodeKind, Traits

if TYPE_CHECKING:
    from clusterlib.drivers.api import Driver
    from clusterlib.drivers.command.settings import Server
    from clusterlib.drivers.planning import CodeContext, Planned
    from clusterlib.hosts.api import Host
    from clusterlib.messages.plan import CodeSources
    from clusterlib.profiles import Mistake
    from clusterlib.profiles.checks import Together
    from clusterlib.profiles.model import Profile

__all__ = ["KIND"]


def _driver(settings: Server, host: Host) -> Driver:
    from clusterlib.drivers.command.driver import CommandDriver

    return CommandDriver(settings, host)


def _sections() -> Mapping[str, type]:
    from clusterlib.drivers.command import profile

    return profile.SECTIONS


def _mistakes(together: Together) -> Iterable[Mistake]:
    from clusterlib.drivers.command.mistakes import mistakes

    return mistakes(together)


def _traits(values: Profile) -> Traits:
    from clusterlib.drivers.command.profile import CommandSettings

    command = values.section(CommandSettings)
    server = command.server or PurePath(command.program).name
    return Traits((command.program,), command.search, command.user, command.fixed, server)


def _settings(planned: Planned) -> Server:
    from clusterlib.drivers.command.planning import settings

    return settings(planned)


def _settings_type() -> type[Server]:
    from clusterlib.drivers.command.settings import Server

    return Server


def _code(context: CodeContext) -> CodeSources:
    from clusterlib.drivers.command.planning import code

    return code(context)


def _environment(planned: Planned) -> dict[str, str]:
    from clusterlib.drivers.command.planning import environment

    return environment(planned)


KIND = NodeKind(
    _driver,
    sections=_sections,
    filled_in={
        "command": frozenset({"arguments", "prepare", "stop_command", "logs", "shell"}),
        "environment": None,
        "ready": None,
        "form": None,
        "formed": None,
        "health": None,
    },
    mistakes=_mistakes,
    traits=_traits,
    settings=_settings,
    settings_type=_settings_type,
    code=_code,
    environment=_environment,
)
