"""The Mix project of examples/elixir, compiled once, on real nodes, changed while they run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import clusterlib
from clusterlib.drivers.beam.terms import Atom
from clusterlib.errors import BuildFailed, ErlangError, NodeUnavailable, StartError, UsageError
from clusterlib.hosts.proc import marked
from clusterlib.messages.findings import CheckOutcome
from clusterlib.operations.doctor import examine_machine
from clusterlib.operations.sync import synchronise
from clusterlib.waiting import Deadline, poll
from tests.systems.installed import need
from tests.systems.terminal import Shell

EXAMPLE = Path(__file__).parents[2] / "examples" / "elixir"
PATIENCE = 60.0
THREE = ["node1", "node2", "node3"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    need("elixir", "elixir")
    need("mix", "elixir")
    shop = tmp_path / "shop"
    shutil.copytree(EXAMPLE, shop, ignore=shutil.ignore_patterns("_build", ".clusterlib"))
    monkeypatch.chdir(shop)
    for variable in ("CLUSTERLIB_NAME", "CLUSTERLIB_PROJECT", "CLUSTERLIB_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    return shop


@pytest.fixture
def cluster(project: Path) -> Iterator[clusterlib.Cluster]:
    with clusterlib.up() as cluster:
        marker = cluster.status().marker
        yield cluster
        cluster.down()
    assert poll(lambda: not marked(marker), Deadline(PATIENCE)), "processes are left"


def greetings(cluster: clusterlib.Cluster) -> list[object]:
    return [node.call("Shop", "greeting") for node in cluster]


def change(project: Path, old: str, new: str, file: str = "lib/shop.ex") -> None:
    source = project / file
    text = source.read_text()
    assert old in text
    source.write_text(text.replace(old, new))


def test_the_application_runs_on_every_node_and_each_reaches_the_others(cluster: clusterlib.Cluster) -> None:
    assert cluster.profile == "elixir"
    for number, node in enumerate(cluster, 1):
        assert node.members() == THREE
        assert node.call("Shop", "put", ["tea", number]) == number
    assert [node.call("Shop", "total", ["tea"]) for node in cluster] == [6, 6, 6]


def test_its_configuration_is_read_as_mix_reads_it_with_the_environment_of_the_node(project: Path) -> None:
    with clusterlib.up(nodes=1, overrides={"environment.SHOP_COFFEE": "7"}) as cluster:
        node = cluster["node1"]

        assert node.call("Shop", "shelf", ["coffee"]) == 7  # config/runtime.exs
        assert node.call("Shop", "shelf", ["tea"]) == 100  # config/config.exs, merged
        assert node.call("Application", "get_env", [Atom("shop"), Atom("currency")]) == b"EUR"
        cluster.down()


def test_it_is_compiled_once(project: Path) -> None:
    heard: list[str] = []
    for _ in range(2):
        with clusterlib.up(nodes=1, on_event=lambda event: heard.append(event.kind)) as cluster:
            cluster.down()

    assert heard.count("cluster.building") == 1


def test_its_own_tests_pass_as_the_example_says(project: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--distributed", "-p", "no:cacheprovider"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout


def test_a_killed_node_is_noticed_and_healed(cluster: clusterlib.Cluster) -> None:
    cluster["node1"].call("Shop", "put", ["tea", 1])
    cluster["node2"].kill()
    cluster.wait_until(lambda: cluster["node1"].members() == ["node1", "node3"], PATIENCE)
    assert cluster["node3"].call("Shop", "total", ["tea"]) == 1

    cluster.heal()

    assert cluster["node2"].call("Shop", "total", ["tea"]) == 1


def test_a_rolling_restart_leaves_always_somebody_who_answers(cluster: clusterlib.Cluster) -> None:
    over = threading.Event()
    answered, lost = [0], [0]

    def ask() -> None:
        with clusterlib.attach(project=cluster.project) as mine:
            while not over.is_set():
                for node in mine:
                    try:
                        node.call("Shop", "greeting", timeout=PATIENCE)
                        answered[0] += 1
                        break
                    except (NodeUnavailable, ErlangError):  # gone, or there again without its application yet
                        continue
                else:
                    lost[0] += 1

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        assert poll(lambda: answered[0] > 0, Deadline(PATIENCE))
        cluster.restart(rolling=True)
    finally:
        over.set()
        asking.join(PATIENCE)

    assert lost == [0]
    assert [node.starts for node in cluster.status().nodes] == [2, 2, 2]


def test_the_shell_of_a_node_is_iex_in_that_node(cluster: clusterlib.Cluster) -> None:
    with Shell("node2") as shell:
        shell.shows("iex(node2@127.0.0.1)1>")
        shell.type('Shop.total("tea") + 40 + 2\n')
        shell.shows("\n42\n")
        assert cluster["node1"].members() == THREE
        shell.type("\x07")
        shell.shows(" --> ")
        shell.type("q\n")
        assert shell.ends() == 0


# -- new code


def test_changed_code_is_loaded_into_all_nodes_while_they_run(
    project: Path, cluster: clusterlib.Cluster
) -> None:
    cluster["node1"].call("Shop", "put", ["tea", 5])
    assert greetings(cluster) == [b"Welcome"] * 3
    change(project, '"Welcome"', '"Come in"')

    synced = synchronise(project=project)

    assert synced.loaded == dict.fromkeys(THREE, ("Elixir.Shop",))
    assert synced.restarted == ()
    assert greetings(cluster) == [b"Come in"] * 3
    assert cluster["node3"].call("Shop", "total", ["tea"]) == 5, "what was in memory is still there"
    digests = [node.digest() for node in cluster]
    assert all(digest == digests[0] and not digest.stale for digest in digests)
    assert "Elixir.Shop.Stock" in digests[0].modules


def test_code_that_is_the_same_is_left_alone(project: Path, cluster: clusterlib.Cluster) -> None:
    greetings(cluster)
    change(project, "# Each node", "# Every node", file="config/runtime.exs")
    change(project, "# Every node", "# Each node", file="config/runtime.exs")
    synchronise(project=project)  # the file was written

    synced = synchronise(project=project)

    assert (synced.changed, synced.loaded, synced.restarted) == ((), {}, ())


def test_new_modules_are_found_and_deleted_ones_are_gone(project: Path, cluster: clusterlib.Cluster) -> None:
    (project / "lib" / "till.ex").write_text("defmodule Shop.Till do\n  def open, do: :ok\nend\n")
    synchronise(project=project)
    assert [node.call("Shop.Till", "open") for node in cluster] == [Atom("ok")] * 3

    (project / "lib" / "till.ex").unlink()
    synced = synchronise(project=project)

    assert [Path(path).stem for path in synced.changed] == ["Elixir.Shop.Till"]
    for node in cluster:
        with pytest.raises(ErlangError, match="undef"):
            node.call("Shop.Till", "open")


def test_what_is_read_only_at_a_start_takes_a_restart_one_after_another(
    project: Path, cluster: clusterlib.Cluster
) -> None:
    change(project, "tea: 100", "tea: 3", file="config/config.exs")

    synced = synchronise(project=project)

    assert synced.restarted == tuple(THREE)
    assert synced.why.endswith("config/config.exs is read only when a node starts")
    assert [node.call("Shop", "shelf", ["tea"]) for node in cluster] == [3, 3, 3]


def test_code_that_does_not_compile_changes_nothing_and_is_never_passed_over_in_silence(
    project: Path, cluster: clusterlib.Cluster
) -> None:
    greetings(cluster)
    change(project, '"Welcome"', "nowhere()")

    with pytest.raises(BuildFailed, match="does not compile") as failed:
        synchronise(project=project)
    assert any("nowhere" in line for line in failed.value.evidence)
    with pytest.raises(BuildFailed):
        clusterlib.up(project=project)

    assert greetings(cluster) == [b"Welcome"] * 3


def test_whoever_comes_next_never_meets_stale_code(project: Path, cluster: clusterlib.Cluster) -> None:
    greetings(cluster)
    change(project, '"Welcome"', '"Good day"')

    with clusterlib.up(project=project) as joined:
        assert "its code had changed" in joined.notes[-1]
        assert greetings(joined) == [b"Good day"] * 3


def test_a_dead_node_has_the_new_code_when_it_comes_back(project: Path, cluster: clusterlib.Cluster) -> None:
    greetings(cluster)
    cluster["node2"].kill()
    change(project, '"Welcome"', '"Back again"')

    assert sorted(synchronise(project=project).loaded) == ["node1", "node3"]
    cluster.heal()

    assert greetings(cluster) == [b"Back again"] * 3


def test_a_paused_node_cannot_be_given_new_code_and_so_none_is(
    project: Path, cluster: clusterlib.Cluster
) -> None:
    greetings(cluster)
    cluster["node2"].pause()
    change(project, '"Welcome"', '"Wake up"')

    with pytest.raises(NodeUnavailable, match="node2 cannot be given new code now"):
        synchronise(project=project)
    cluster["node2"].resume()
    assert greetings(cluster) == [b"Welcome"] * 3
    synchronise(project=project)

    assert greetings(cluster) == [b"Wake up"] * 3


# -- when it will not start


def test_a_folder_without_a_mix_project_is_told_so(project: Path) -> None:
    (project / "mix.exs").unlink()

    with pytest.raises(UsageError, match="is no Mix project"):
        clusterlib.up()


def test_the_doctor_knows_the_project(project: Path) -> None:
    told = {one.name: one for one in examine_machine(project=project).findings}
    assert told["mix project"].evidence == "starts shop"

    (project / "mix.exs").unlink()
    told = {one.name: one for one in examine_machine(project=project).findings}

    assert told["mix project"].outcome is CheckOutcome.FAILED


def test_a_configuration_that_cannot_be_read_is_told_with_its_reason(project: Path) -> None:
    (project / "config" / "runtime.exs").write_text('import Config\nSystem.fetch_env!("SHOP_SECRET")\n')

    with pytest.raises(StartError, match="configuration cannot be read") as failed:
        clusterlib.up()

    assert "SHOP_SECRET" in str(failed.value.cause)


def test_an_application_that_fails_is_told_with_its_reason(project: Path) -> None:
    change(project, "[Shop.Stock]", '[{Agent, fn -> raise "no licence" end}]', file="lib/shop/application.ex")

    with pytest.raises(StartError, match="the application shop did not start") as failed:
        clusterlib.up()

    assert "no licence" in str(failed.value.cause) + "".join(failed.value.evidence)


def test_the_processes_of_the_application_are_shown_as_elixir_writes_them(
    cluster: clusterlib.Cluster,
) -> None:
    (node,) = cluster.processes.tree("node2").nodes
    (shop,) = [tree for tree in node.trees if tree.name == "shop"]
    stock = next(child for child in shop.children if child.name == "Shop.Stock")
    cluster["node2"].call("Shop", "put", ["tea", 3])

    shown = cluster.processes.show("Shop.Stock", node="node2").process

    assert shown.row.id == stock.id
    assert '"tea" => 3' in dict(shown.values)["state"]
    assert shown.ancestors[0] == "Shop.Supervisor"
    cluster.processes.restart("Shop.Stock", node="node2")
    assert cluster["node2"].call("Shop.Stock", "count", ["tea"]) == 0
