"""After code of a running cluster has changed, the next `up` restarts the nodes, and says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import clusterlib
from clusterlib.errors import StaleCode, StaleCodeWarning
from tests.functional.stale_projects import Change, Up, edited, served, starts

Case = Callable[[Path], tuple[str, Change]]
"""Prepares a project; gives what a node is asked to load, and how that is changed then."""


def a_module_below(folder: str) -> Case:
    def case(project: Path) -> tuple[str, Change]:
        change = edited(project / folder / "stock.py")
        (project / folder / "__init__.py").write_text("")
        return f"import {folder}.stock", change

    return case


def a_module_on_the_path(folder: str) -> Case:
    """As an editable install puts it there, or an installed package."""

    def case(project: Path) -> tuple[str, Change]:
        place = project.parent / f"{project.name}-elsewhere" / folder
        return f"import sys; sys.path.append({str(place)!r}); import stock", edited(place / "stock.py")

    return case


def an_extension_module(project: Path) -> tuple[str, Change]:
    import markupsafe

    own = project / "markupsafe"
    shutil.copytree(Path(markupsafe.__file__).parent, own)
    built = next(path for path in own.glob("_speedups*") if path.name.endswith(tuple(EXTENSION_SUFFIXES)))

    def build_again() -> None:
        content = built.read_bytes()
        built.unlink()
        built.write_bytes(content)

    return "import markupsafe._speedups", build_again


def a_package_in_place_of_a_module(project: Path) -> tuple[str, Change]:
    (project / "stock.py").write_text("VALUE = 1\n")

    def make_it_a_package() -> None:
        (project / "stock").mkdir()
        (project / "stock" / "__init__.py").write_text("VALUE = 2\n")

    return "import stock", make_it_a_package


def a_module_that_was_optional(project: Path) -> tuple[str, Change]:
    (project / "stock.py").write_text("try:\n    import speedups\nexcept ImportError:\n    speedups = None\n")
    return "import stock", lambda: (project / "speedups.py").write_text("")


def a_module_that_has_gone(project: Path) -> tuple[str, Change]:
    (project / "stock.py").write_text("VALUE = 1\n")
    return "import stock", (project / "stock.py").unlink


def a_module_loaded_by_its_path(project: Path) -> tuple[str, Change]:
    change = edited(project / "plugins" / "a plugin.py")
    loads = (
        "import sys, importlib.util as u\n"
        f"spec = u.spec_from_file_location('plugin', {str(project / 'plugins' / 'a plugin.py')!r})\n"
        "sys.modules['plugin'] = module = u.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)"
    )
    return loads, change


CASES: dict[str, Case] = {
    **{
        f"a module in {folder}": a_module_below(folder)
        for folder in ("build", "dist", "venv", "node_modules")
    },
    "a module of an editable dependency": a_module_on_the_path("src"),
    "a module of an installed package": a_module_on_the_path("lib/site-packages"),
    "an extension module": an_extension_module,
    "a package in place of a module": a_package_in_place_of_a_module,
    "a module that was optional": a_module_that_was_optional,
    "a module that has gone": a_module_that_has_gone,
    "a module loaded by its path": a_module_loaded_by_its_path,
}


@pytest.mark.parametrize("simulate", [False, True], ids=["real", "simulated"])
@pytest.mark.parametrize("case", CASES)
def test_nodes_that_have_loaded_it_are_restarted_once(
    up: Up, project: Path, case: str, simulate: bool
) -> None:
    load, change = CASES[case](project)
    cluster = up("ci-small", simulate=simulate, hold=False)
    assert starts(cluster) == starts(up()) == [1, 1], "nothing has changed yet"
    cluster["node1"].run(exec, load)  # long after the start: it is what is loaded by now that counts
    assert starts(up()) == [1, 1]

    change()
    again = up()

    assert starts(again) == [2, 2]
    assert "its code had changed" in again.notes[-1]
    if case != "a module that has gone":
        again["node1"].run(exec, load)
    assert starts(up()) == [2, 2], "they run what is on disk"


def test_a_template_of_the_project_that_takes_the_place_of_a_shipped_one_is_used(
    up: Up, project: Path
) -> None:
    """The second is included, so that it is rendered with jinja2."""
    for folder in ("profiles", "templates/redis"):
        (project / folder).mkdir(parents=True)
    (project / "templates/shop.conf.j2").write_text('{% include "redis/refuse.sh.j2" %}')
    (project / "profiles/shop.toml").write_text(
        'extends = "ci-small"\n[templates]\n"shop.conf" = "shop.conf.j2"\n"node.json" = "python/node.json.j2"\n'
    )
    cluster = up("shop", hold=False)
    read = cluster.run_folder.path / "nodes/node1/shop.conf"
    assert read.read_text() != "own\n"

    (project / "templates/redis/refuse.sh.j2").write_text("own\n")

    assert cluster.sync().restarted == ("node1", "node2")
    assert read.read_text() == "own\n"


@pytest.mark.parametrize("simulate", [False, True], ids=["real", "simulated"])
def test_a_package_that_came_after_the_start_and_is_gone_again_is_used_no_more(
    up: Up, project: Path, simulate: bool
) -> None:
    cluster = up("ci-small", simulate=simulate, hold=False)
    (project / "pricing").mkdir()
    (project / "pricing/__init__.py").write_text("PRICE = 1\n")
    cluster["node1"].run(exec, "import pricing")
    assert cluster.sync().restarted == ()

    shutil.rmtree(project / "pricing")

    assert cluster.sync().restarted == ("node1", "node2")
    with pytest.raises(ModuleNotFoundError):
        cluster["node1"].run(exec, "import pricing")


WATCHED: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a file": ('watch = ["config/shop.toml"]', lambda config: (config / "shop.toml").write_text("b")),
    "a file by a pattern": ('watch = ["config/**"]', lambda config: (config / "shop.toml").write_text("b")),
    "a new file": ('watch = ["config/**"]', lambda config: (config / "new.toml").write_text("")),
    "a file that goes": ('watch = ["config"]', lambda config: (config / "shop.toml").unlink()),
    "a template": (
        '[templates]\n"shop.conf" = "shop.conf.j2"',
        lambda config: (config.parent / "templates/shop.conf.j2").write_text("{{ node.name }} b\n"),
    ),
    "a template that another one includes": (
        '[templates]\n"shop.conf" = "shop.conf.j2"',
        lambda config: (config.parent / "templates/part.j2").write_text("b\n"),
    ),
}


@pytest.mark.parametrize("case", WATCHED)
def test_nodes_are_restarted_for_files_that_they_read(up: Up, project: Path, case: str) -> None:
    for folder in ("config", "profiles", "templates"):
        (project / folder).mkdir()
    (project / "config/shop.toml").write_text("a")
    (project / "templates/shop.conf.j2").write_text('{% include "part.j2" %}{{ node.name }}\n')
    (project / "templates/part.j2").write_text("a\n")
    said, change = WATCHED[case]
    (project / "profiles/shop.toml").write_text(f'extends = "ci-small"\n{said}\n')
    assert starts(up("shop", hold=False)) == starts(up("shop")) == [1, 1]

    change(project / "config")
    again = up("shop")

    assert starts(again) == [2, 2]
    assert "its code had changed" in again.notes[-1]
    assert starts(up("shop")) == [2, 2]


def test_tests_are_not_the_code_of_nodes_unless_a_node_imports_them(up: Up, project: Path) -> None:
    (project / "stock.py").write_text("VALUE = 1\n")
    (project / "test_stock.py").write_text("def helper():\n    return 1\n")
    cluster = up("ci-small", hold=False)
    cluster["node1"].run(exec, "import stock")

    (project / "test_stock.py").write_text("def helper():\n    return 2\n")
    assert starts(up()) == [1, 1]

    assert cluster["node1"].call("test_stock:helper") == 2
    (project / "test_stock.py").write_text("def helper():\n    return 3\n")
    assert starts(up()) == [2, 2]
    assert cluster["node1"].call("test_stock:helper") == 3


def test_a_node_that_was_stopped_on_purpose_stays_so_when_the_others_get_new_code(
    up: Up, project: Path
) -> None:
    (project / "stock.py").write_text("VALUE = 1\n")
    cluster = up("ci-small", hold=False, nodes=3)
    cluster["node1"].run(exec, "import stock")
    cluster["node2"].stop()

    (project / "stock.py").write_text("VALUE = 2\n")
    assert cluster.sync().restarted == ("node1", "node3")
    assert starts(cluster) == [2, 1, 2]
    assert cluster["node2"].state == "stopped"

    cluster["node1"].run(exec, "import stock")
    (project / "stock.py").write_text("VALUE = 3\n")
    assert starts(up()) == [3, 1, 3]

    cluster.restart(rolling=True)
    assert starts(cluster) == [4, 2, 4]
    assert cluster.state == "ready"


def test_a_node_that_cannot_be_asked_is_named(up: Up, project: Path) -> None:
    (project / "stock.py").write_text("VALUE = 1\n")
    cluster = up("ci-small", hold=False)
    cluster["node1"].run(exec, "import stock")
    cluster["node1"].pause()

    joined = up()

    assert joined.notes[-1] == "node1 could not be asked which code it runs"
    with pytest.raises(StaleCode, match="node1 could not be asked"):
        cluster.sync()
    with pytest.warns(StaleCodeWarning, match="could not be asked which code they run: node1"):
        clusterlib.attach().close()
    cluster["node1"].resume()
    (project / "stock.py").write_text("VALUE = 2\n")
    assert starts(up()) == [2, 2]


SERVED: dict[str, tuple[str, str, str]] = {
    "the script": ('"{{ cluster.project }}/web/server.py"', "", "web/server.py"),
    "what the script imports": ('"{{ cluster.project }}/web/server.py"', "", "web/pages.py"),
    "a module of the project": ('"-m", "web.server"', "", "web/server.py"),
    "the code roots that the profile names": (
        '"-c", "import web.server"',
        '[python]\npath = ["."]',
        "web/pages.py",
    ),
}


@pytest.mark.parametrize("case", SERVED)
def test_servers_are_restarted_when_their_source_has_changed(up: Up, project: Path, case: str) -> None:
    arguments, more, edits = SERVED[case]
    served(project, arguments, more, "import web.pages")
    cluster = up("web", hold=False)
    assert starts(up()) == [1]
    (project / "web/test_pages.py").write_text("")
    assert starts(up()) == [1], "a test is no code of a server"

    with (project / edits).open("a") as source:
        source.write("# edited\n")

    synced = cluster.sync()
    assert (synced.changed, synced.restarted) == ((str(project / edits),), ("node1",))
    assert cluster.sync().restarted == ()
    with (project / edits).open("a") as source:
        source.write("# edited again\n")
    assert starts(up()) == [3]


def test_the_code_roots_of_a_profile_are_on_the_path_of_its_servers(up: Up, project: Path) -> None:
    served(project, '"-m", "web.server"', '[python]\npath = ["."]')
    text = (project / "profiles/web.toml").read_text()
    (project / "profiles/web.toml").write_text(text.replace(f'PYTHONPATH = "{project}"\n', ""))

    assert up("web").state == "ready"


def test_a_server_of_somebody_else_is_not_restarted_for_the_project_s_code(up: Up, project: Path) -> None:
    served(project, '"-m", "http.server"')
    (project / "shop.py").write_text("VALUE = 1\n")
    assert starts(up("web", hold=False)) == [1]

    (project / "shop.py").write_text("VALUE = 2\n")

    assert starts(up()) == [1]
