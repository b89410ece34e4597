"""Sample values for every name in a template, to try a profile without starting anything."""

from __future__ import annotations

from typing import Any

from clusterlib.numbering import host_of, name_of
from clusterlib.profiles.model import ONLY_ROLE
from clusterlib.profiles.resolved import ResolvedProfile
from clusterlib.rendering import complete
from clusterlib.values.choices import AddressMode

__all__ = ["sample_values"]


def sample_values(profile: ResolvedProfile, index: int = 1) -> dict[str, Any]:
    """The values for the templates of the node `index`: the same names as from the keeper, with
    sample values."""
    values = profile.values
    nodes = [_sample_node(profile, number) for number in range(1, values.nodes.count + 1)]
    timeouts = values.timeouts
    sample = {
        "cluster": {
            "name": "sample",
            "project": str(profile.project),
            "profile": profile.name,
            "simulated": values.simulate,
            "nodes": nodes,
        },
        "node": nodes[index - 1],
        "timeouts": {
            "start": timeouts.start,
            "stop": timeouts.stop,
            "call": timeouts.call,
            "health": timeouts.health,
            "detect": timeouts.detect,
        },
        "python": {
            "app": values.python.app,
            "path": [str(profile.project / root) for root in values.python.path],
        },
        "cookie_file": "/sample/cookie",
        "alive": [one["name"] for one in nodes],
        "starting": [one["name"] for one in nodes],
    }
    return complete(sample)


def _sample_node(profile: ResolvedProfile, index: int) -> dict[str, Any]:
    from clusterlib.values.kinds import derived_port

    values = profile.values
    apart = values.network.mode is AddressMode.PER_NODE
    ports = {purpose: ports.first + (0 if apart else index - 1) for purpose, ports in values.ports.items()}
    derived = {purpose: derived_port(text) for purpose, text in values.derived.items()}
    address = f"127.1.{index // 250}.{index % 250 + 1}" if apart else "127.0.0.1"
    name = name_of(values.nodes.name, index)
    host = host_of(values.nodes.host, index, name=name, address=address)
    return {
        "name": name,
        "role": ONLY_ROLE,
        "index": index,
        "index0": index - 1,
        "address": address,
        "host": host,
        "ports": {**ports, **{name: ports[base] + offset for name, (base, offset) in derived.items()}},
        "directory": f"/sample/{name}",
        "memory": values.nodes.memory,
    }
