"""A kind of node as other rooms see it: one value, which its folder or its package declares.

Only the keeper's side is required. Each part is a function, so that a process imports only what it
uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.frozen import frozen

if TYPE_CHECKING:
    from clusterlib.drivers.api import Driver
    from clusterlib.drivers.calls import NodeCalls
    from clusterlib.drivers.planning import CodeContext, Planned
    from clusterlib.hosts.api import Host
    from clusterlib.messages.findings import Finding
    from clusterlib.messages.plan import CodeSources
    from clusterlib.profiles import Mistake, ResolvedProfile
    from clusterlib.profiles.checks import Together
    from clusterlib.profiles.model import Profile

__all__ = ["NoSettings", "NodeKind", "Traits"]


@frozen
class Traits:
    """What the values of one profile mean for its nodes."""

    programs: tuple[str, ...] = ()
    """The programs that must be on this machine, by name or by path relative to the project."""
    search: tuple[str, ...] = ()
    """Folders searched before PATH, as patterns."""
    user: str | None = None
    """The user of the nodes if we are root; None: root."""
    fixed: str = ""
    """Why nodes cannot be added or removed; empty if they can."""
    server: str = ""
    """Which server the nodes are, for operations that serve only some; empty if they are none."""


def _refuses_calls() -> type[NodeCalls]:
    from clusterlib.drivers.calls import NodeCalls

    return NodeCalls


@frozen
class NoSettings:
    """Of a driver to which a profile says nothing of its own."""


def _own_table(planned: Planned) -> object:
    values = planned.resolved.values
    return next((values.sections[name] for name in planned.resolved.kind.sections()), NoSettings())


def _chosen_roots(context: CodeContext) -> CodeSources:
    from clusterlib.messages.plan import CodeSources

    return CodeSources(trees=context.chosen_roots, reported=False)


@frozen
class NodeKind:
    """A kind of node: the keeper's side, the client's side, and its settings in a profile."""

    driver: Callable[[Any, Host], Driver]
    """Creates the keeper's side from `settings` and the host, which runs commands for it."""
    calls: Callable[[], type[NodeCalls]] = _refuses_calls
    """What clients can do with such a node. Without it, calls are refused."""

    ports: Mapping[str, str] = field(default_factory=dict)
    """A range for each purpose, if the profile has none."""
    templates: Mapping[str, str] = field(default_factory=dict)
    """The files of a node, if the profile has none."""
    sections: Callable[[], Mapping[str, type]] = dict
    """Its own tables of a profile, by name. Each is a frozen dataclass of settings."""
    uses: frozenset[str] = frozenset()
    """Settings of other tables that only some kinds use: `timeouts.build`."""
    filled_in: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    """The tables whose texts are templates, with the settings to which this applies; None: all of
    them."""
    simulated: bool = False
    """Whether its nodes can run in one process, over an in-memory network."""
    mistakes: Callable[[Together], Iterable[Mistake]] = lambda _: ()
    """Mistakes in combinations of values that are correct one by one."""
    traits: Callable[[Profile], Traits] = lambda _: Traits()

    settings: Callable[[Planned], object] = _own_table
    """What the driver is given of the profile: a frozen value. By default its own table."""
    settings_type: Callable[[], type] | None = None
    """The type of these settings, by which the keeper reads them from the plan. A kind with several
    tables must declare both."""
    code: Callable[[CodeContext], CodeSources] = _chosen_roots
    """The code of its nodes, besides programs, templates and watched files.

    By default the code roots that a profile names: a change there restarts the nodes."""
    environment: Callable[[Planned], dict[str, str]] = lambda _: {}
    """Variables of each node in addition to those of the profile."""
    preflight: Callable[[ResolvedProfile, Path, Mapping[str, Path]], Iterable[Finding]] = lambda *_: ()
    """Whether such nodes can run on this machine."""
    modules: Sequence[str] = ()
    """Further modules of the driver, by name. If one of them, or a file in the folder of its
    package, has changed, a running cluster is not used again."""

    def type_of_settings(self) -> type:
        if self.settings_type is not None:
            return self.settings_type()
        return next(iter(self.sections().values()), NoSettings)
