"""A conflict names the settings that differ as a profile has them, and remedies that work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clusterlib.client.differences import check_shape
from clusterlib.client.planning import plan_for
from clusterlib.errors import ClusterConflict
from tests.statuses import cluster_status, node_status

FIXED = """\
driver = "command"
[nodes]
count = 2
[ports]
client = "16920-16939"
[environment]
PLAIN = "1"
[command]
program = "sh"
fixed = "its slots are dealt out when it is formed"
"""


def conflict(project: Path, before: str, after: str = "", **overrides: object) -> ClusterConflict:
    """What is told where a cluster of the first text runs, and one of the second is requested."""
    (project / "profiles").mkdir(exist_ok=True)
    profile = project / "profiles/fx.toml"
    profile.write_text(before)
    running = plan_for("fx", name="default", project=project)
    (project / "plan.json").write_text(running.to_json())
    profile.write_text(after or before)
    status = cluster_status(
        profile="fx",
        run=str(project),
        nodes=(node_status(),) * running.size,
        simulated=running.simulated,
        fingerprint=running.fingerprint,
    )
    with pytest.raises(ClusterConflict) as caught:
        check_shape(status, "fx", {name.replace("__", "."): one for name, one in overrides.items()}, project)
    return caught.value


def test_a_cluster_whose_size_is_fixed_is_not_to_be_scaled(tmp_path: Path) -> None:
    told = conflict(tmp_path, FIXED, nodes__count=3)

    assert told.evidence[1:] == ("nodes.count: 2 run, 3 are requested",)
    assert told.remedies == (
        "invoke cluster.up --profile fx --name fx-2 --nodes 3",
        "invoke cluster.down",
    )


def test_the_other_cluster_is_started_as_it_was_asked_for(tmp_path: Path) -> None:
    told = conflict(tmp_path, "nodes.count = 2\n", nodes__count=3, simulate=True)

    assert "invoke cluster.up --profile fx --name fx-2 --nodes 3 --simulate" in told.remedies


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('PLAIN = "1"', 'PLAIN = "2"', "environment.PLAIN differs"),
        (
            'client = "16920-16939"',
            'client = "16920-16939"\nadmin = "16940-16959"',
            'ports.admin: nothing runs, "16940-16959" is requested',
        ),
        (
            'client = "16920-16939"',
            'client = "16920-16929"',
            'ports.client: "16920-16939" runs, "16920-16929" is requested',
        ),
        ('program = "sh"', 'program = "cat"', "command.program differs"),
        ('program = "sh"', 'program = "sh"\narguments = ["a"]', "command.arguments differs"),
        ("count = 2", 'count = 2\nname = "b{index}"', 'nodes.name: "node{index}" runs, "b{index}" is requested'),
        ("count = 2", 'count = 2\nmemory = "64MiB"', 'nodes.memory: "32MiB" runs, "64MiB" is requested'),
        (
            "[environment]",
            '[derived]\nbus = "client + 10"\n[environment]',
            'derived.bus: nothing runs, "client + 10" is requested',
        ),
        ("[environment]", '[ready]\nlog = "up"\n[environment]', "ready.log differs"),
    ],
)  # fmt: skip
def test_a_setting_that_differs_is_told_once_as_a_profile_has_it(
    tmp_path: Path, old: str, new: str, line: str
) -> None:
    told = conflict(tmp_path, FIXED, FIXED.replace(old, new))

    assert told.evidence[1:] == (line,)


def test_settings_of_an_embedded_node_have_their_names(tmp_path: Path) -> None:
    told = conflict(tmp_path, "nodes.count = 2\n", 'nodes.count = 2\n[python]\napp = "a:b"\n')

    assert told.evidence[1:] == ('python.app: nothing runs, "a:b" is requested',)


def test_clusters_of_several_roles_are_compared_role_by_role(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/fx.toml").write_text("nodes.count = 2\n")
    running = plan_for("fx", name="default", project=tmp_path)
    (only,) = running.roles
    several = replace(running, roles=(only, replace(only, name="store")))
    (tmp_path / "plan.json").write_text(several.to_json())
    nodes = (node_status(role="node"), *(node_status(role="store"),) * 3)
    status = cluster_status(profile="fx", run=str(tmp_path), nodes=nodes, fingerprint="another")

    with pytest.raises(ClusterConflict) as caught:
        check_shape(status, "fx", {}, tmp_path)

    assert caught.value.evidence[1:] == (
        "roles: node, store run, node are requested",
        "role node: nodes.count: 1 run, 2 are requested",
    )
