"""The data of server programs is kept by a restart and deleted by a fresh one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import clusterlib
from clusterlib.errors import NotSupported
from tests.functional.command.boxes import FORMING

Up = Callable[..., clusterlib.Cluster]


def data_of(cluster: clusterlib.Cluster) -> list[Path]:
    """A file in the folder for data, and one that the server has written into its working
    folder."""
    folders = [cluster.run_folder.node(node.name) for node in cluster]
    return [folder / name for folder in folders for name in ("data/table", "own.db")]


def test_a_restart_keeps_the_data_and_a_fresh_one_deletes_it(up: Up, write: Callable[..., None]) -> None:
    write(FORMING)
    cluster = up("box")
    for path in data_of(cluster):
        path.write_text("tea")

    cluster.restart()
    assert all(path.read_text() == "tea" for path in data_of(cluster))

    cluster.restart(fresh=True)
    assert not any(path.exists() for path in data_of(cluster))
    assert cluster["box1"].log().count("joining box1") == 2, "the cluster was formed again"


def test_fresh_healing_deletes_the_data(up: Up, write: Callable[..., None]) -> None:
    write()
    cluster = up("box")
    for path in data_of(cluster):
        path.write_text("tea")
    cluster["box2"].kill()

    cluster.heal()
    assert all(path.read_text() == "tea" for path in data_of(cluster))

    cluster.heal(fresh=True)
    assert not any(path.exists() for path in data_of(cluster))


def test_one_server_begins_fresh_where_it_finds_its_way_by_itself(up: Up, write: Callable[..., None]) -> None:
    write()
    cluster = up("box")
    for path in data_of(cluster):
        path.write_text("tea")

    cluster["box2"].restart(fresh=True)

    assert [path.exists() for path in data_of(cluster)] == [True, True, False, False, True, True]


def test_one_server_of_a_cluster_that_was_formed_once_cannot_begin_fresh_alone(
    up: Up, write: Callable[..., None]
) -> None:
    write(FORMING, stop='"SIGINT"\nfixed = "the boxes are dealt out once"')
    cluster = up("box")
    for path in data_of(cluster):
        path.write_text("tea")

    with pytest.raises(NotSupported, match="box2 cannot begin with no data") as caught:
        cluster["box2"].restart(fresh=True)

    assert caught.value.cause == "the boxes are dealt out once"
    assert all(path.exists() for path in data_of(cluster))
    assert cluster.state == "ready"


def test_the_first_server_cannot_begin_fresh_while_the_others_have_what_it_gave_them(
    up: Up, write: Callable[..., None]
) -> None:
    write(FORMING)
    cluster = up("box")

    with pytest.raises(NotSupported, match="box1 cannot begin with no data"):
        cluster["box1"].restart(fresh=True)


def test_data_that_the_profile_puts_elsewhere_is_left_alone(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    (project / "elsewhere").mkdir()
    (project / "elsewhere" / "table").write_text("tea")
    prepare = '["ln", "-sfn", "{{ cluster.project }}/elsewhere", "{{ data }}/linked"]'
    write(stop=f'"SIGINT"\nprepare = {prepare}')
    cluster = up("box")
    assert (cluster.run_folder.node("box1") / "data/linked/table").read_text() == "tea"

    cluster.restart(fresh=True)

    assert (project / "elsewhere" / "table").read_text() == "tea"


def test_the_ends_of_log_files_among_the_data_stay_in_the_log(up: Up, write: Callable[..., None]) -> None:
    write(stop='"SIGINT"\nlogs = ["data/*.log"]')
    cluster = up("box")
    (cluster.run_folder.node("box1") / "data/server.log").write_text("PANIC: the disk is on fire\n")

    cluster.restart(fresh=True)

    assert "server.log: PANIC: the disk is on fire" in cluster["box1"].log()
