"""The project's build: run when it has to be, once, and with what it says where it fails."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from clusterlib.client.code.building import build_project
from clusterlib.client.code.looking import code_of, codes_of
from clusterlib.errors import BuildFailed, NotInTime, ProgramMissing, StartError
from clusterlib.messages.event import Event
from clusterlib.messages.events import ClusterBuilding
from clusterlib.messages.plan import CodeSources
from clusterlib.waiting import Deadline, poll
from tests.plans import build_of

BUILDS = "echo once >> built; mkdir -p ebin; cp src/shop ebin/shop.beam"
PATIENCE = 30.0


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "shop").write_text("the shop")
    return tmp_path


def shell(script: str, project: Path, inputs: tuple[str, ...] = ("src",), **more: object) -> CodeSources:
    command = ("sh", "-c", script)
    build = build_of(command, tuple(str(project / name) for name in inputs), **more)  # type: ignore[arg-type]
    return CodeSources(modules=(str(project / "ebin"),), suffix=".beam", build=build)


def times_built(project: Path) -> int:
    return len((project / "built").read_text().splitlines())


def test_it_is_run_before_the_code_is_looked_at(project: Path) -> None:
    code = code_of(shell(BUILDS, project), project)

    assert list(code) == [str(project / "ebin" / "shop.beam")]


def test_it_is_not_run_again_while_nothing_has_changed(project: Path) -> None:
    first = code_of(shell(BUILDS, project), project)

    assert code_of(shell(BUILDS, project), project) == first
    assert times_built(project) == 1


@pytest.mark.parametrize("inputs", [("src",), ("src", "more")])
def test_a_build_that_two_roles_share_is_run_once(project: Path, inputs: tuple[str, ...]) -> None:
    script = f"{BUILDS}; mkdir -p tools; cp src/shop tools/tool.beam"
    shop = shell(script, project)
    tools = replace(shell(script, project, inputs), modules=(str(project / "tools"),))

    for _ in range(2):
        codes = codes_of([shop, tools], project)
        assert [list(code) for code in codes] == [
            [str(project / "ebin/shop.beam")],
            [str(project / "tools/tool.beam")],
        ]
    assert times_built(project) == 1


@pytest.mark.parametrize("change", ["src/shop", "src/more", "ebin/shop.beam"])
def test_it_is_run_again_when_something_was_changed_added_or_touched_behind_its_back(
    project: Path, change: str
) -> None:
    code_of(shell(BUILDS, project), project)
    (project / change).write_text("another")

    code_of(shell(BUILDS, project), project)

    assert times_built(project) == 2
    assert (project / "ebin" / "shop.beam").read_bytes() == (project / "src" / "shop").read_bytes()


def test_it_is_run_again_when_what_it_made_is_gone(project: Path) -> None:
    code_of(shell(BUILDS, project), project)
    (project / "ebin" / "shop.beam").unlink()

    assert code_of(shell(BUILDS, project), project)


def test_another_environment_is_another_build(project: Path) -> None:
    code_of(shell(BUILDS, project), project)

    code_of(shell(BUILDS, project, environment={"MIX_ENV": "prod"}), project)

    assert times_built(project) == 2


def test_a_change_that_the_build_tool_cannot_see_by_its_time_is_compiled_all_the_same(project: Path) -> None:
    build = build_of(
        ("sh", "-c", "[ -e ebin/shop.beam ] || (mkdir ebin; cp src/shop ebin/shop.beam)"),
        (str(project / "src"),),
        rebuild=("sh", "-c", "cp src/shop ebin/shop.beam"),
    )
    sources = CodeSources(modules=(str(project / "ebin"),), suffix=".beam", build=build)
    code_of(sources, project)
    (project / "src" / "shop").write_text("the ship")
    os.utime(project / "src" / "shop", (1, 1))

    code_of(sources, project)

    assert (project / "ebin" / "shop.beam").read_text() == "the ship"


def test_such_a_change_is_compiled_also_when_a_build_has_failed_in_between(project: Path) -> None:
    build = build_of(
        ("sh", "-c", "[ -e ebin/shop.beam ] || (mkdir ebin; cp src/shop ebin/shop.beam)"),
        (str(project / "src"),),
        rebuild=("sh", "-c", "grep -q bad src/shop && exit 1; cp src/shop ebin/shop.beam"),
    )
    sources = CodeSources(modules=(str(project / "ebin"),), suffix=".beam", build=build)
    code_of(sources, project)
    for text in ("bad shop", "the ship"):
        (project / "src" / "shop").write_text(text)
        os.utime(project / "src" / "shop", (1, 1))
        with pytest.raises(BuildFailed) if "bad" in text else contextlib.nullcontext():
            code_of(sources, project)

    assert (project / "ebin" / "shop.beam").read_text() == "the ship"


def test_a_build_whose_sources_nobody_names_is_always_run(project: Path) -> None:
    for _ in range(2):
        code_of(shell(BUILDS, project, inputs=()), project)

    assert times_built(project) == 2


def test_what_the_build_itself_makes_among_its_sources_is_no_change(project: Path) -> None:
    script = "mkdir -p _build .mix; echo once >> _build/count; date > .mix/x; cp src/shop _build/shop.beam"
    build = build_of(("sh", "-c", script), (str(project),))
    sources = CodeSources(modules=(str(project / "_build"),), suffix=".beam", build=build)

    for _ in range(2):
        code_of(sources, project)

    assert (project / "_build" / "count").read_text() == "once\n"


def test_many_at_once_build_once(project: Path) -> None:
    codes: list[dict[str, str]] = []

    def one() -> None:
        codes.append(code_of(shell(BUILDS, project), project))

    threads = [threading.Thread(target=one) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert len(codes) == 5
    assert all(code == codes[0] for code in codes)
    assert times_built(project) == 1


def test_who_waits_is_told_that_it_builds(project: Path) -> None:
    heard: list[Event] = []

    build = shell(BUILDS, project).build
    assert build is not None

    for _ in range(2):
        build_project(build, project, lambda: {"shop": "1"}, heard.append)

    assert [event.what for event in heard] == [ClusterBuilding(f"sh -c {BUILDS}")]


def test_one_that_fails_says_what_it_printed_and_is_run_again(project: Path) -> None:
    sources = shell("echo 'shop.ex:7: undefined function'; printf 'caf\\351\\n' >&2; exit 3", project)
    for _ in range(2):
        with pytest.raises(BuildFailed, match="does not compile") as failed:
            code_of(sources, project)

    assert failed.value.cause is not None
    assert "ended with 3" in failed.value.cause
    assert failed.value.evidence == ("shop.ex:7: undefined function", "caf\N{REPLACEMENT CHARACTER}")
    assert f"cd {project} && sh -c" in failed.value.remedies[0]


def test_one_that_makes_nothing_is_a_failure(project: Path) -> None:
    with pytest.raises(BuildFailed, match="built nothing that the nodes could load"):
        code_of(shell("true", project), project)


def test_one_that_hangs_is_ended_with_all_that_it_started(project: Path) -> None:
    sources = shell("sleep 1000 & echo $! > child; wait", project, seconds=0.3)

    with pytest.raises(NotInTime) as failed:
        code_of(sources, project)

    assert failed.value.cause is not None
    assert "did not end within 0.3 s" in failed.value.cause
    child = int((project / "child").read_text())
    assert poll(lambda: not Path(f"/proc/{child}/exe").exists(), Deadline(PATIENCE))


def test_one_that_is_killed_says_nothing_about_the_project(project: Path) -> None:
    with pytest.raises(StartError, match="was killed") as failed:
        code_of(shell("kill -9 $$", project), project)

    assert not isinstance(failed.value, BuildFailed)
    assert "by signal 9" in str(failed.value.cause)


def test_a_program_that_is_not_there_is_named(project: Path) -> None:
    with pytest.raises(ProgramMissing, match="'mixx'"):
        code_of(CodeSources(build=build_of(("mixx", "compile"))), project)


def test_a_killed_builder_takes_its_build_along_and_keeps_nobody_waiting(project: Path) -> None:
    hangs = "echo $$ > child; sleep 1000"
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from clusterlib.client.code.looking import code_of\n"
        "from clusterlib.messages.plan import Build, CodeSources\n"
        f"build = Build(('sh', '-c', {hangs!r}), (), (), {{}}, 60.0, 'beam.path', ())\n"
        "code_of(CodeSources(build=build), Path(sys.argv[1]))\n"
    )
    builder = subprocess.Popen([sys.executable, "-c", program, str(project)])
    child = project / "child"
    assert poll(lambda: child.exists() and child.read_text().strip(), Deadline(PATIENCE))

    builder.kill()
    builder.wait(PATIENCE)

    assert poll(lambda: not Path(f"/proc/{int(child.read_text())}/exe").exists(), Deadline(PATIENCE))
    assert code_of(shell(BUILDS, project), project)


def test_what_it_keeps_is_private(project: Path) -> None:
    code_of(shell(BUILDS, project), project)

    home = project / ".clusterlib" / "builds"
    assert home.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in home.iterdir()} == {0o600}
