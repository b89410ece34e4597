"""Operations that serve only some servers or drivers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterlib.errors import NotSupported
from clusterlib.operations.catalogue import catalogue, load, shipped
from tests.functional.operations.own import Up, program

WELCOME = '''
from clusterlib import Cluster
from clusterlib.operations import operation

SERVES = ("greeter", "other")


@operation(effect="read", group="cluster.greeting", serves=SERVES)
def welcome(cluster: Cluster) -> list[str]:
    """Ask every node for its greeting."""
    return [node.name for node in cluster]


@operation(effect="destroy", serves=("python",))
def unlearn(cluster: Cluster) -> str:
    """Take away what nodes have learned."""
    return "done"
'''
SLEEPERS = """
driver = "command"

[nodes]
count = 1

[command]
program = "/bin/sleep"
arguments = ["600"]
server = "greeter"

[ready]
command = ["true"]
"""


def test_an_operation_of_a_project_serves_a_server_of_its_profile(
    project: Path, operations: Path, up: Up
) -> None:
    (operations / "greet.py").write_text(WELCOME)
    (project / "profiles").mkdir()
    (project / "profiles" / "greeters.toml").write_text(SLEEPERS)
    cluster = up("greeters")

    assert cluster.greeting.welcome() == ["node1"]
    assert cluster.status().roles[0].server == "greeter"
    assert {"greeting"} & set(dir(cluster)) == {"greeting"}
    assert not {"redis", "unlearn"} & set(dir(cluster))
    with pytest.raises(NotSupported) as refused:
        cluster.unlearn()
    assert refused.value.problem == "cluster.unlearn cannot be used on cluster 'default'"
    assert refused.value.cause == "it serves clusters of python; this one is of greeter"
    assert list(refused.value.remedies) == ["invoke cluster.greeting.welcome"]
    assert cluster.status().dirty == (), "it has not begun"
    shown = json.loads(program(project, "status", "--json").stdout)["clusters"][0]["roles"]
    assert shown == [{"name": "node", "driver": "command", "server": "greeter"}]


def test_whom_an_operation_serves_stands_in_lists_and_help(project: Path, operations: Path) -> None:
    (operations / "greet.py").write_text(WELCOME)

    described = json.loads(program(project, "operations", "--json").stdout)["operations"]

    serves = {one["name"]: one["serves"] for one in described}
    assert serves["cluster.greeting.welcome"] == ["greeter", "other"]
    assert serves["cluster.unlearn"] == ["python"]
    assert serves["cluster.redis.clients"] == ["redis-server"]
    assert serves["cluster.kill"] == []
    assert (
        "Only for clusters of greeter or other." in program(project, "greeting", "welcome", "--help").stdout
    )
    assert "greeter, other" in program(project, "operations").stdout
    program(project, "operations")  # reads what it has kept
    assert next(one for one in catalogue(project).operations if one.name == "unlearn").serves == ("python",)


def test_a_mark_that_is_not_written_out_is_a_mistake_with_its_line(project: Path, operations: Path) -> None:
    (operations / "odd.py").write_text(WELCOME.replace('("greeter", "other")', '"greeter"'))

    found = program(project, "operations", code=1).stderr

    assert 'its serves must be a tuple of texts such as ("redis-server",), written out' in found


def test_operations_of_servers_are_refused_on_embedded_nodes(up: Up) -> None:
    cluster = up("ci-small")
    marked = [one for one in shipped() if "server" in str(one.serves)]
    assert marked

    for one in marked:
        with pytest.raises(NotSupported, match=r"cannot be used on cluster 'default'") as refused:
            load(one).on(cluster)
        assert one.serves[0] in str(refused.value.cause)
    assert cluster.status().dirty == ()
