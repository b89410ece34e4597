"""Files, environment and code of nodes belong to their role."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clusterlib.errors import ClusterError
from clusterlib.messages.plan import CodeSources
from tests.unit.keeper.roles.two import STORE, WEB, Play, Two


def test_templates_have_all_nodes_and_the_others_of_the_role(play: Play, tmp_path: Path) -> None:
    (tmp_path / "all.j2").write_text(
        "{% for one in cluster.nodes %}{{ one.name }} {{ one.role }}\n{% endfor %}"
        "I am {{ node.role }}, {{ python.app }}; first: {{ seed.name }}, "
        "others: {% for one in peers %}{{ one.name }} {% endfor %}"
    )
    texts: dict[str, Any] = {"templates": {"all": "all.j2"}, "template_search": (str(tmp_path),)}

    async def story(two: Two) -> None:
        await two.keeper.start()

        everyone = "web1 web\nweb2 web\nweb3 web\nstore1 store\nstore2 store\n"
        told = {
            name: (two.folder / "nodes" / name / "all").read_text().removeprefix(everyone)
            for name in ("web2", "store2")
        }
        assert told == {
            "web2": "I am web, shop:run; first: web1, others: web1 web3 ",
            "store2": "I am store, None; first: store1, others: store1 ",
        }

    play(story, web=replace(WEB, **texts, app="shop:run"), store=replace(STORE, **texts))


def test_nodes_have_the_environment_of_their_role(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()
        seen = {process.name: process.environment.get("KIND") for process in two.host.started}
        assert seen == {"web1": "w", "web2": "w", "web3": "w", "store1": "s", "store2": "s"}

    play(
        story,
        web=replace(WEB, environment={"KIND": "w"}),
        store=replace(STORE, environment={"KIND": "s"}),
    )


def test_the_code_that_nodes_started_with_is_kept_by_role(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()
        assert (await two.keeper.code()).files == {"web": ({"a": "1"},), "store": ({"b": "1"},)}
        await two.keeper.restart(["store1", "store2"])
        assert (await two.keeper.code()).files == {"web": ({"a": "1"},), "store": ({},)}

    play(story, web=replace(WEB, code={"a": "1"}), store=replace(STORE, code={"b": "1"}))


def test_simulated_nodes_have_the_code_that_their_process_has_loaded_for_another_role(
    play: Play, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_text("b")
    a, b = ({str(program): digest} for digest in ("a", hashlib.sha256(b"b").hexdigest()))

    async def story(two: Two) -> None:
        await two.keeper.start()
        await two.keeper.restart(["web1", "web2", "web3"])
        assert (await two.keeper.code()).files == {"web": (a,), "store": (a,)}
        await two.keeper.restart([])
        assert (await two.keeper.code()).files == {"web": (b,), "store": (b,)}

    sources = CodeSources(files=(str(program),))
    roles = {"web": replace(WEB, code=a, sources=sources), "store": replace(STORE, code=a, sources=sources)}
    play(story, simulated=True, **roles)


def test_nothing_is_written_if_the_files_of_a_role_cannot_be_rendered(play: Play, tmp_path: Path) -> None:
    for name in ("web", "store"):
        (tmp_path / f"{name}.j2").write_text("old")

    async def story(two: Two) -> None:
        await two.keeper.start()
        (tmp_path / "web.j2").write_text("new")
        (tmp_path / "store.j2").write_text("{{ nothing.of.that.name }}")

        with pytest.raises(ClusterError):
            await two.keeper.restart([])

        assert (two.folder / "nodes/web1/text").read_text() == "old"
        assert (await two.keeper.code()).files == {"web": ({"a": "1"},), "store": ({"b": "1"},)}
        assert {node.starts for node in two.keeper.status().nodes} == {1}

    web, store = (
        replace(role, templates={"text": f"{role.name}.j2"}, template_search=(str(tmp_path),), code=code)
        for role, code in ((WEB, {"a": "1"}), (STORE, {"b": "1"}))
    )
    play(story, web=web, store=store)
