from __future__ import annotations

import functools
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import clusterlib
from clusterlib.client.ending import take_down
from clusterlib.client.start import attach, is_running
from clusterlib.errors import (
    ClusterConflict,
    ClusterNotRunning,
    NodeUnavailable,
    NodeUnknown,
    OtherVersion,
    UsageError,
)
from clusterlib.hosts import proc
from clusterlib.hosts.places import runtime_dir, socket_path
from clusterlib.messages.codec import NotReadable, revive
from clusterlib.rundir.event_files import read_events
from clusterlib.rundir.folders import new_run, prune_to_size
from clusterlib.waiting import Deadline, poll

Up = Callable[..., clusterlib.Cluster]


@pytest.fixture(params=[False, True], ids=["real", "simulated"])
def simulate(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_a_cluster_is_up_when_every_node_sees_every_other(up: Up, simulate: bool) -> None:
    with up("dev", simulate=simulate) as cluster:
        assert [node.members() for node in cluster] == [["node1", "node2", "node3"]] * 3
        assert cluster.state == "ready"
        assert cluster.simulated is simulate


def test_nothing_is_left_when_the_last_holder_closes_its_handle(up: Up, simulate: bool) -> None:
    with up("dev", simulate=simulate) as cluster:
        marker, control = cluster.status().marker, Path(cluster.status().control)
        assert proc.marked(marker)

    assert proc.marked(marker) == []
    assert not control.exists()
    assert not is_running()
    assert not list(runtime_dir().glob(f"{control.stem}*")), "nor a file of it in the runtime folder"


def test_a_cluster_that_is_not_held_outlives_its_starter_until_it_is_told(up: Up) -> None:
    up("ci-small", hold=False).close()
    assert is_running()

    attach().down()

    assert not is_running()


def test_a_second_up_joins_the_running_cluster_and_says_so(up: Up) -> None:
    first = up("dev", hold=False)

    second = up("dev", hold=False)

    assert [node.pid for node in second] == [node.pid for node in first]
    assert any("running already" in note for note in second.notes)


def test_a_joined_cluster_lives_until_its_last_holder_is_gone(up: Up) -> None:
    first = up("dev")
    second = attach()

    first.close()
    assert second["node1"].call("math:sqrt", 9) == 3

    second.close()
    assert not is_running()


def test_another_profile_under_the_same_name_is_a_conflict(up: Up) -> None:
    up("dev")

    with pytest.raises(ClusterConflict) as caught:
        up("ci-large")

    assert caught.value.remedies
    assert is_running()


def test_whoever_asks_for_nothing_in_particular_gets_the_cluster_that_runs(up: Up) -> None:
    up("ci-large", nodes=4)

    assert len(up()) == 4


def test_the_projects_default_profile_is_used_where_none_is_named(up: Up, project: Path) -> None:
    with (project / "pyproject.toml").open("a") as file:
        file.write('[tool.clusterlib]\nprofile = "ci-small"\n')

    assert up().profile == "ci-small"


def test_clusters_of_one_project_run_side_by_side(up: Up) -> None:
    one, two = up("ci-small", name="one"), up("ci-small", name="two")

    ports = [port for cluster in (one, two) for node in cluster for port in node.ports.values()]

    assert len(set(ports)) == len(ports)
    assert one["node1"].members() == two["node1"].members() == ["node1", "node2"]


def test_nobody_is_attached_to_a_cluster_that_does_not_run(up: Up) -> None:
    with pytest.raises(ClusterNotRunning):
        attach("nothing")


def test_the_socket_and_the_secrets_are_private(up: Up) -> None:
    cluster = up("dev")
    control = Path(cluster.status().control)

    assert stat.S_IMODE(runtime_dir().stat().st_mode) == 0o700
    assert stat.S_IMODE(control.stat().st_mode) == 0o600
    assert stat.S_IMODE(cluster.cookie_file.stat().st_mode) == 0o400
    assert stat.S_IMODE(cluster.run_folder.path.stat().st_mode) == 0o700
    secret = cluster.cookie_file.read_text()
    for path in cluster.run_folder.path.rglob("*"):
        if path.is_file() and path != cluster.cookie_file:
            assert secret not in path.read_text(errors="replace"), path


def test_a_project_at_the_end_of_a_very_long_path_has_a_short_socket(up: Up, tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 6)
    deep.mkdir(parents=True)

    with up("ci-small", project=deep) as cluster:
        assert len(str(deep)) > 108
        assert len(cluster.status().control) < 100


def test_each_node_has_an_address_of_its_own_in_per_node_mode(up: Up) -> None:
    with up("dev", overrides={"network.mode": "per-node"}) as cluster:
        nodes = cluster.status().nodes

        assert len({node.address for node in nodes}) == 3
        assert len({tuple(node.ports.items()) for node in nodes}) == 1
        assert cluster["node3"].members() == ["node1", "node2", "node3"]


def test_a_cluster_grows_and_shrinks_while_it_runs(up: Up, simulate: bool) -> None:
    with up("ci-small", simulate=simulate) as cluster:
        before = cluster["node1"].pid

        cluster.scale(4)
        assert cluster["node1"].members() == ["node1", "node2", "node3", "node4"]

        cluster.scale(1)
        cluster.wait_until(lambda: cluster["node1"].members() == ["node1"])
        assert cluster["node1"].pid == before
        assert cluster.state == "ready"


def test_a_cluster_cannot_shrink_to_nothing(up: Up) -> None:
    with up("ci-small") as cluster, pytest.raises(UsageError):
        cluster.scale(0)


def test_a_stopped_node_ends_in_order_and_stays_down_until_it_is_started(up: Up, simulate: bool) -> None:
    with up("dev", simulate=simulate, overrides={"restart.policy": "always"}) as cluster:
        first, second, _ = cluster

        second.stop()

        assert (second.state, second.pid, cluster.state) == ("stopped", None, "degraded")
        cluster.wait_until(lambda: first.members() == ["node1", "node3"])
        with pytest.raises(NodeUnavailable, match="node2 is stopped") as caught:
            second.ping()
        assert caught.value.remedies == ("invoke cluster.start node2",)
        second.stop()
        second.start()
        assert (second.state, cluster.state) == ("ready", "ready")
        assert first.members() == ["node1", "node2", "node3"]
        assert cluster.status().dirty == ()
        second.start()

        second.stop()
        cluster.heal()
        assert (second.state, cluster.status().dirty) == ("ready", ())
        told = list(read_events(cluster.run_folder.events))
        assert "node.restarting" not in {event.kind for event in told}
        deeds = [event.kind for event in told if event.kind in {"fault.stop", "heal.start"}]
        assert deeds == ["fault.stop", "heal.start", "fault.stop"]


def test_a_killed_node_is_missed_by_the_others_and_comes_back_when_restarted(up: Up, simulate: bool) -> None:
    with up("dev", simulate=simulate) as cluster:
        cluster["node2"].kill()

        cluster.wait_until(lambda: cluster["node1"].members() == ["node1", "node3"])
        assert cluster["node2"].state == "dead"
        assert cluster.state == "degraded"
        with pytest.raises(NodeUnavailable):
            cluster["node2"].call("math:sqrt", 4)

        cluster["node2"].restart()
        cluster.wait_ready()
        assert cluster["node2"].call("math:sqrt", 4) == 2


def test_a_restart_is_over_when_everybody_sees_everybody(up: Up, simulate: bool) -> None:
    with up("dev", simulate=simulate) as cluster:
        for node in [*cluster] * 3:
            node.kill()
            node.restart()

            assert cluster.state == "ready"


def test_a_paused_node_is_missed_and_rejoins_when_resumed(up: Up, simulate: bool) -> None:
    with up("dev", simulate=simulate) as cluster:
        cluster["node3"].pause()
        cluster.wait_until(lambda: cluster["node1"].members() == ["node1", "node2"])
        assert cluster["node3"].state == "paused"

        cluster["node3"].resume()
        cluster.wait_ready()
        assert cluster["node1"].members() == ["node1", "node2", "node3"]


def test_a_node_that_is_not_there_is_named(up: Up) -> None:
    with up("ci-small") as cluster, pytest.raises(NodeUnknown, match="node9"):
        cluster["node9"].kill()


def test_a_cluster_of_another_version_is_ended_in_order(up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = up("ci-small", hold=False)

    def of_another_version(kind: type, data: object) -> object:
        if kind is clusterlib.ClusterStatus:
            raise NotReadable("nodes: NodeStatus needs a value for 'zone'")
        return revive(kind, data)

    monkeypatch.setattr("clusterlib.client.connection.revive", of_another_version)
    with pytest.raises(OtherVersion):
        cluster.status()

    assert take_down().forced is None

    kinds = [event.kind for event in read_events(cluster.run_folder.events)]
    assert "cluster.stopped" in kinds


def test_the_diary_tells_the_life_of_the_cluster(up: Up) -> None:
    with up("ci-small") as cluster:
        diary = cluster.run_folder.events

    kinds = [event.kind for event in read_events(diary)]

    assert kinds[0] == "lease.taken"
    assert [kind for kind in kinds if kind.startswith("cluster.")] == [
        "cluster.starting",
        "cluster.ready",
        "cluster.stopping",
        "cluster.stopped",
    ]


def test_the_control_socket_is_named_by_the_cluster_alone(up: Up) -> None:
    cluster = up("ci-small")

    assert Path(cluster.status().control) == socket_path(cluster.status().identifier)


def test_a_started_cluster_may_be_taken_down_twice(up: Up) -> None:
    cluster = up("ci-small")

    cluster.down()
    cluster.down()
    cluster.close()


def test_a_start_makes_room_by_removing_the_oldest_runs_that_have_ended(
    up: Up, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = new_run(project, "ended"), new_run(project, "ended")
    running = up("ci-small", name="running")
    newer = new_run(project, "running")
    monkeypatch.setattr("clusterlib.client.boot.prune_to_size", functools.partial(prune_to_size, most=0))

    up("ci-small")

    assert not first.path.exists()
    assert last.path.is_dir()
    assert running.run_folder.path.is_dir(), "it runs, although another run looks newer"
    assert newer.path.is_dir()


def test_an_up_waits_for_nodes_that_somebody_else_restarts(up: Up, project: Path) -> None:
    (project / "slow.py").write_text("import time\ndef main(): time.sleep(1)\n")
    cluster = up("ci-small", overrides={"python.app": "slow:main"})
    restarting = threading.Thread(target=cluster.restart)
    looking = clusterlib.attach()
    restarting.start()
    assert poll(lambda: any(node.state == "starting" for node in looking.status().nodes), Deadline(10))

    with clusterlib.up() as second:
        assert {node.state for node in second} == {"ready"}

    restarting.join()
    looking.close()
