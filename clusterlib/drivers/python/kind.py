"""The embedded node, as other rooms see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlib.drivers.kind import NodeKind, NoSettings

if TYPE_CHECKING:
    from clusterlib.drivers.api import Driver
    from clusterlib.drivers.calls import NodeCalls
    from clusterlib.drivers.planning import CodeContext
    from clusterlib.hosts.api import Host
    from clusterlib.messages.plan import CodeSources

__all__ = ["KIND"]


def _driver(settings: NoSettings, host: Host) -> Driver:  # noqa: ARG001 - it needs neither
    from clusterlib.drivers.python.driver import PythonDriver

    return PythonDriver()


def _calls() -> type[NodeCalls]:
    from clusterlib.drivers.python.calls import PythonCalls

    return PythonCalls


def _code(context: CodeContext) -> CodeSources:  # noqa: ARG001 - nodes tell what they have loaded
    from clusterlib.messages.plan import CodeSources

    return CodeSources()


KIND = NodeKind(
    _driver,
    _calls,
    ports={"cluster": "20000-23999", "http": "24000-27999"},
    templates={"node.json": "python/node.json.j2"},
    uses=frozenset({"python.app"}),
    simulated=True,
    code=_code,
)
