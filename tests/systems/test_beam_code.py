"""Modules of Erlang, compiled by a command of the project and loaded into nodes that run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import clusterlib
from clusterlib.drivers.beam.terms import Atom
from clusterlib.errors import CallTimeout, ErlangError, NodeUnavailable, ProfileError, StaleCode
from clusterlib.waiting import Deadline, poll
from tests.systems.installed import need

PATIENCE = 30.0
PROFILE = """
extends = "beam"

[nodes]
count = 2

[beam]
build = ["sh", "-c", "mkdir -p ebin && rm -f ebin/*.beam && erlc -o ebin src/*.erl"]
sources = ["src"]
path = ["ebin"]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    need("erl", "erlang-base")
    need("erlc", "erlang-base")
    (tmp_path / "pyproject.toml").write_text('[tool.clusterlib]\nprofile = "shop"\n')
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "shop.toml").write_text(PROFILE)
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path)
    for variable in ("CLUSTERLIB_NAME", "CLUSTERLIB_PROJECT", "CLUSTERLIB_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    write(tmp_path, "shop", "open() -> yes.")
    return tmp_path


def write(project: Path, module: str, code: str, more: str = "") -> None:
    (project / "src" / f"{module}.erl").write_text(
        f"-module({module}).\n-compile(export_all).\n{more}\n{code}\n"
    )


@pytest.fixture
def cluster(project: Path) -> Iterator[clusterlib.Cluster]:
    with clusterlib.up() as cluster:
        yield cluster
        cluster.down()


def ask(cluster: clusterlib.Cluster, module: str, function: str) -> list[object]:
    return [node.call(module, function) for node in cluster]


def test_what_the_build_makes_is_on_the_path_of_the_nodes_and_can_be_replaced(
    project: Path, cluster: clusterlib.Cluster
) -> None:
    assert ask(cluster, "shop", "open") == [Atom("yes")] * 2
    write(project, "shop", "open() -> no.")

    assert cluster.sync().loaded == {"node1": ("shop",), "node2": ("shop",)}

    assert ask(cluster, "shop", "open") == [Atom("no")] * 2


def test_a_module_with_a_function_that_runs_when_it_is_loaded_comes_with_the_others(
    project: Path, cluster: clusterlib.Cluster
) -> None:
    loads = "load() -> persistent_term:put(till, {}), ok.\nopen() -> {}."
    write(project, "till", loads.format("1", "1"), "-on_load(load/0).")
    cluster.sync()
    assert ask(cluster, "till", "open") == [1, 1]
    ask(cluster, "shop", "open")
    write(project, "till", loads.format("2", "2"), "-on_load(load/0).")
    write(project, "shop", "open() -> no.")

    assert cluster.sync().loaded["node2"] == ("shop", "till")

    assert ask(cluster, "till", "open") == [2, 2]
    assert ask(cluster, "shop", "open") == [Atom("no")] * 2
    assert cluster["node2"].call("persistent_term", "get", [Atom("till")]) == 2


def test_a_module_that_refuses_to_be_loaded_is_told_with_its_reason_and_the_cluster_is_not_taken_for_fresh(
    project: Path, cluster: clusterlib.Cluster
) -> None:
    write(project, "till", "load() -> ok.\nopen() -> 1.", "-on_load(load/0).")
    cluster.sync()
    ask(cluster, "till", "open")
    write(project, "till", "load() -> no_licence.\nopen() -> 2.", "-on_load(load/0).")

    with pytest.raises(StaleCode, match="does not take the new code") as refused:
        cluster.sync()
    assert "till: on_load_failure" in str(refused.value.cause)

    write(project, "till", "load() -> ok.\nopen() -> 3.", "-on_load(load/0).")
    with clusterlib.up() as joined:
        assert "its code had changed" in joined.notes[-1]
        assert ask(joined, "till", "open") == [3, 3]


def test_code_that_somebody_loaded_by_hand_is_put_right(project: Path, cluster: clusterlib.Cluster) -> None:
    ask(cluster, "shop", "open")
    forms = "-module(shop). -export([open/0]). open() -> by_hand."
    node = cluster["node2"]
    parsed = []
    for form in forms.split(". "):
        _, tokens, _ = node.call("erl_scan", "string", [[*map(ord, form.rstrip(".") + ".")]])
        parsed.append(node.call("erl_parse", "parse_form", [tokens])[1])
    _, _, code = node.call("compile", "forms", [parsed])
    node.call("code", "load_binary", [Atom("shop"), [*map(ord, "by hand")], code])
    assert node.call("shop", "open") == Atom("by_hand")
    assert node.digest().stale == ("shop",)

    synced = cluster.sync()

    assert (synced.changed, synced.loaded) == ((), {"node2": ("shop",)})
    assert ask(cluster, "shop", "open") == [Atom("yes")] * 2
    assert node.digest().stale == ()


def test_a_call_under_way_goes_on_in_the_code_it_began_in(project: Path, cluster: clusterlib.Cluster) -> None:
    write(
        project,
        "shop",
        "open() -> receive go -> old end.\nstart() -> register(clerk, spawn(shop, open, [])).",
    )
    cluster.sync()
    ask(cluster, "shop", "start")
    write(project, "shop", "open() -> new.")

    cluster.sync()

    for node in cluster:
        assert node.call("erlang", "whereis", [Atom("clerk")]) != Atom("undefined")
        assert node.call("shop", "open") == Atom("new")


def test_a_node_that_dies_while_code_is_loaded_is_an_error_and_not_a_wait(
    project: Path, cluster: clusterlib.Cluster
) -> None:
    ask(cluster, "shop", "open")
    write(project, "shop", "load() -> halt(1).\nopen() -> no.", "-on_load(load/0).")

    with pytest.raises((NodeUnavailable, CallTimeout, ErlangError)):
        cluster.sync()

    assert poll(lambda: cluster.state == "degraded", Deadline(PATIENCE))


def test_new_folders_take_a_restart(project: Path) -> None:
    wide = PROFILE.replace('path = ["ebin"]', 'path = ["*/ebin", "ebin"]').replace(
        'build = ["sh", "-c", "',
        'build = ["sh", "-c", "mkdir -p more/ebin && [ ! -e src/more ] || '
        "erlc -o more/ebin src/more/*.erl && ",
    )
    (project / "profiles" / "shop.toml").write_text(wide)
    with clusterlib.up() as cluster:
        (project / "src" / "more").mkdir()
        (project / "src" / "more" / "till.erl").write_text(
            "-module(till).\n-export([open/0]).\nopen() -> 1.\n"
        )

        synced = cluster.sync()

        assert synced.restarted == ("node1", "node2")
        assert "more/ebin is not on the code path of the nodes yet" in synced.why
        assert ask(cluster, "till", "open") == [1, 1]
        cluster.down()


def test_a_project_whose_own_path_looks_like_a_pattern_is_found(project: Path) -> None:
    strange = project / "shop [v2]?"
    for name in ("src", "profiles"):
        (strange / name).mkdir(parents=True)
        for file in (project / name).iterdir():
            (strange / name / file.name).write_bytes(file.read_bytes())

    with clusterlib.up("shop", nodes=1, project=strange) as cluster:
        assert ask(cluster, "shop", "open") == [Atom("yes")]
        cluster.down()


def test_the_first_of_two_folders_is_searched_first(project: Path) -> None:
    for name in ("first", "second"):
        write(project, "till", f"open() -> {name}.")
        (project / name).mkdir()
        build = f'["erlc", "-o", "{name}", "src/till.erl"]'
        (project / "profiles" / f"{name}.toml").write_text(
            f'extends = "beam"\n[nodes]\ncount = 1\n[beam]\nbuild = {build}\npath = ["first", "second"]\n'
        )
        with clusterlib.up(name, name=name) as cluster:
            assert cluster["node1"].call("till", "open") == Atom("first")
            cluster.down()


def test_a_folder_that_is_not_there_and_that_nobody_builds_is_a_mistake(project: Path) -> None:
    (project / "profiles" / "shop.toml").write_text('extends = "beam"\n[beam]\npath = ["ebni"]\n')

    with pytest.raises(ProfileError) as refused:
        clusterlib.up()

    assert any('there is no folder "ebni"' in line for line in refused.value.evidence)
