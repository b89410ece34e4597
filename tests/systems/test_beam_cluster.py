"""A cluster of the shipped profile `beam` starts, breaks, heals, grows and ends as any other."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import clusterlib
from clusterlib.drivers.beam.connection import Connection
from clusterlib.drivers.beam.terms import Atom
from clusterlib.errors import CallTimeout, ErlangError, NodeUnavailable, NotSupported, StartError
from clusterlib.hosts.proc import marked
from clusterlib.waiting import Deadline, poll
from tests.systems.beam_nodes import PATIENCE
from tests.systems.installed import need
from tests.systems.terminal import Shell

THREE = ["node1", "node2", "node3"]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[clusterlib.Cluster]:
    need("erl", "erlang-base")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    monkeypatch.chdir(tmp_path)
    for variable in ("CLUSTERLIB_NAME", "CLUSTERLIB_PROJECT", "CLUSTERLIB_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    with clusterlib.up("beam", nodes=3) as cluster:
        marker = cluster.status().marker
        yield cluster
        cluster.down()
    assert poll(lambda: not marked(marker), Deadline(PATIENCE)), "processes are left"


def connect(cluster: clusterlib.Cluster, name: str) -> Connection:
    node = next(node for node in cluster.status().nodes if node.name == name)
    cookie = cluster.cookie_file.read_text()
    return Connection.open(f"{name}@{node.address}", cookie, port=node.ports["cluster"], timeout=PATIENCE)


def views(cluster: clusterlib.Cluster) -> dict[str, list[str]]:
    return {node.name: list(node.view) for node in cluster.status().nodes}


def write_shop(project: Path, start: str) -> None:
    """An application of one module, compiled."""
    ebin = project / "ebin"
    ebin.mkdir()
    (ebin / "shop.app").write_text(
        '{application, shop, [{vsn, "1"}, {modules, [shop]}, {applications, [kernel, stdlib]}, {mod, {shop, []}}]}.'
    )
    source = project / "shop.erl"
    source.write_text(
        f"-module(shop).\n-export([start/2, stop/1]).\nstart(_, _) -> {start}.\nstop(_) -> ok.\n"
    )
    subprocess.run(["erlc", "-o", str(ebin), str(source)], check=True, timeout=PATIENCE)


def test_three_nodes_see_each_other_and_answer(cluster: clusterlib.Cluster) -> None:
    assert views(cluster) == dict.fromkeys(THREE, THREE)
    for name in THREE:
        with connect(cluster, name) as node:
            others = [Atom(f"{other}@127.0.0.1") for other in THREE if other != name]
            assert sorted(map(str, node.call("erlang", "nodes"))) == sorted(map(str, others))
            assert node.call("erpc", "call", [others[0], Atom("erlang"), Atom("node"), []]) == others[0]


def test_a_crash_is_noticed_by_all_and_healed(cluster: clusterlib.Cluster) -> None:
    cluster["node2"].kill()
    survivors = ["node1", "node3"]
    assert poll(lambda: all(views(cluster)[name] == survivors for name in survivors), Deadline(PATIENCE))

    cluster["node2"].restart()

    assert poll(lambda: views(cluster) == dict.fromkeys(THREE, THREE), Deadline(PATIENCE))
    with connect(cluster, "node1") as node:
        found = node.call("erpc", "call", [Atom("node2@127.0.0.1"), Atom("erlang"), Atom("nodes"), []])
        assert len(found) == 2


def test_a_node_takes_calls_and_raises_what_was_raised_there(cluster: clusterlib.Cluster) -> None:
    node = cluster["node1"]

    assert node.call("lists", "reverse", [[1, 2, 3]]) == [3, 2, 1]
    assert node.members() == THREE
    assert 0 < node.ping() < PATIENCE
    with pytest.raises(ErlangError, match="error:badarg") as caught:
        node.call("erlang", "atom_to_list", ["no atom"])
    assert caught.value.reason == Atom("badarg")
    with pytest.raises(CallTimeout):
        node.call("timer", "sleep", [2000], timeout=0.05)
    with pytest.raises(NotSupported, match="runs no Python"):
        node.run(lambda: 1)


def test_many_threads_call_through_one_handle_also_when_the_node_has_begun_a_new_life(
    cluster: clusterlib.Cluster,
) -> None:
    node = cluster["node2"]

    def sums() -> None:
        with ThreadPoolExecutor(50) as pool:
            found = pool.map(lambda number: node.call("lists", "sum", [[number, 1]]), range(200))
            assert list(found) == list(range(1, 201))

    sums()
    node.kill()
    with pytest.raises(NodeUnavailable):
        node.call("erlang", "node")
    node.restart()
    sums()


def test_applications_of_the_project_start_once_all_have_met(
    tmp_path: Path, cluster: clusterlib.Cluster
) -> None:
    write_shop(
        tmp_path,
        start="{ok, spawn_link(fun() -> register(shop, self()), put(met, nodes()), receive stop -> ok end end)}",
    )
    overrides = {"beam.applications": ["shop"], "beam.path": ["ebin"]}

    with clusterlib.up("beam", name="shops", nodes=2, overrides=overrides) as shops:
        for name in THREE[:2]:
            running = shops[name].call("application", "which_applications")
            assert Atom("shop") in [application for application, _, _ in running]
            pid = shops[name].call("erlang", "whereis", [Atom("shop")])
            met = shops[name].call("erlang", "process_info", [pid, Atom("dictionary")])[1]
            assert len(dict(met)[Atom("met")]) == 1
        shops.down()


@pytest.mark.timeout(300)
def test_a_name_that_all_nodes_register_globally_has_one_owner_and_no_process_dies_for_it(
    tmp_path: Path, cluster: clusterlib.Cluster
) -> None:
    write_shop(
        tmp_path,
        start="begin Starter = self(), Shop = spawn_link(fun() -> "
        "put(owner, global:register_name(shop, self())), register(shop, self()), Starter ! {open, self()}, "
        "receive stop -> ok end end), receive {open, Shop} -> {ok, Shop} end end",
    )
    overrides = {"beam.applications": ["shop"], "beam.path": ["ebin"]}

    with clusterlib.up("beam", name="shops", nodes=3, overrides=overrides) as shops:

        def owners() -> list[str]:
            """The nodes whose process got the name. Each still has its process; all know the same
            owner."""
            mine = {name: shops[name].call("erlang", "whereis", [Atom("shop")]) for name in THREE}
            assert Atom("undefined") not in mine.values(), mine
            (known,) = {shops[name].call("global", "whereis_name", [Atom("shop")]) for name in THREE}
            assert known in mine.values()
            answers = {
                name: dict(shops[name].call("erlang", "process_info", [pid, Atom("dictionary")])[1])
                for name, pid in mine.items()
            }
            return [name for name, answer in answers.items() if answer[Atom("owner")] == Atom("yes")]

        assert len(owners()) == 1
        for name in THREE:
            (owner,) = owners()
            if name != owner:
                shops[name].restart()
                assert owners() == [owner]
        shops.down()


def test_an_application_that_does_not_start_is_told_with_its_reason_and_nothing_is_left(
    tmp_path: Path, cluster: clusterlib.Cluster
) -> None:
    write_shop(tmp_path, start="{error, no_money}")
    overrides = {"beam.applications": ["shop"], "beam.path": ["ebin"]}

    with pytest.raises(StartError, match="the application shop did not start") as caught:
        clusterlib.up("beam", name="shops", nodes=2, overrides=overrides)

    assert "no_money" in str(caught.value.cause)


def test_the_shell_of_a_node_is_a_real_remote_shell_and_unseen_by_the_others(
    cluster: clusterlib.Cluster,
) -> None:
    with Shell("node2") as shell:
        shell.shows("(node2@127.0.0.1)1>")
        shell.type("lists:sum([40, 2]).\n")
        shell.shows("\n42\n")
        assert cluster["node1"].members() == THREE
        shell.type("\x07")
        shell.shows(" --> ")
        shell.type("q\n")
        assert shell.ends() == 0


def test_elixir_runs_on_such_nodes_too(cluster: clusterlib.Cluster) -> None:
    need("elixir", "elixir")
    found = shutil.which("elixir")
    assert found is not None
    home = Path(found).resolve().parents[1] / "lib"
    overrides = {
        "beam.applications": ["elixir", "logger"],
        "beam.path": [str(home / name / "ebin") for name in ("elixir", "logger")],
    }

    with clusterlib.up("beam", name="elixir", nodes=2, overrides=overrides) as elixir:
        node = elixir["node1"]
        assert node.call("Enum", "join", [["a", "b"], "-"]) == b"a-b"
        assert node.call("Node", "list") == [Atom("node2@127.0.0.1")]
        with pytest.raises(
            ErlangError, match=r"Enum:fetch!/2 ended with error:\(Enum.OutOfBoundsError\) out of bounds"
        ):
            node.call("Enum", "fetch!", [[], 1])
        elixir.down()


def test_it_grows_and_shrinks_while_the_others_go_on(cluster: clusterlib.Cluster) -> None:
    with connect(cluster, "node1") as node:
        cluster.scale(4)
        assert len(node.call("erlang", "nodes")) == 3
        cluster.scale(2)
        assert poll(lambda: node.call("erlang", "nodes") == [Atom("node2@127.0.0.1")], Deadline(PATIENCE))


def test_two_clusters_of_the_same_names_never_meet(cluster: clusterlib.Cluster) -> None:
    with clusterlib.up("beam", name="second", nodes=2) as second:
        assert views(second) == dict.fromkeys(THREE[:2], THREE[:2])
        assert views(cluster) == dict.fromkeys(THREE, THREE)
        second.down()


def test_nodes_with_addresses_of_their_own_find_each_other_also_after_all_began_anew(
    cluster: clusterlib.Cluster,
) -> None:
    with clusterlib.up("beam", name="wide", nodes=2, overrides={"network.mode": "per-node"}) as wide:
        described = [wide[name].status() for name in THREE[:2]]
        assert len({node.address for node in described}) == 2
        assert len({node.ports["cluster"] for node in described}) == 1
        wide.restart()
        wide.scale(3)
        assert views(wide) == dict.fromkeys(THREE, THREE)
        assert len(wide["node3"].call("erlang", "nodes")) == 2
        wide.down()


def test_the_cookie_shows_neither_to_others_nor_in_the_list_of_processes(cluster: clusterlib.Cluster) -> None:
    cookie = cluster.cookie_file.read_text()
    for node in cluster.status().nodes:
        file = Path(node.directory) / ".erlang.cookie"
        assert file.stat().st_mode & 0o777 == 0o400
        assert cookie not in Path(f"/proc/{node.pid}/cmdline").read_text()
        assert cookie not in (Path(node.directory) / "vm.args").read_text()


def test_the_machine_s_epmd_is_not_started(cluster: clusterlib.Cluster) -> None:
    marker = cluster.status().marker

    commands = [Path(f"/proc/{process.pid}/comm").read_text().strip() for process in marked(marker)]

    assert "epmd" not in commands
