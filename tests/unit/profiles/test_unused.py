"""A setting that the driver of a profile does not use is a mistake: it would be ignored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib.client.planning import make_plan
from clusterlib.errors import ProgramMissing
from clusterlib.profiles import Mistake, ResolvedProfile

Load = Callable[..., ResolvedProfile]
Found = Callable[..., list[Mistake]]
Write = Callable[[str, str], Path]

SERVER = """\
driver = "command"
[ports]
client = "14000-14999"
[command]
program = "sh"
"""
FORGOTTEN = SERVER.removeprefix('driver = "command"\n') + '[ready]\nlog = "started"\n'


def test_a_forgotten_driver_is_told_for_each_table_that_it_would_use(mistakes: Found, write: Write) -> None:
    write("mine", FORGOTTEN)

    told = "has no effect: driver command uses it, and this is a profile of driver python"
    right = 'leave it out, or add driver = "command"'
    assert [str(one) for one in mistakes("mine")] == [
        f"profiles/mine.toml:3: command: {told}; {right}",
        f"profiles/mine.toml:5: ready: {told}; {right}",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SERVER + '[python]\napp = "a:b"\n', ":7: python.app: has no effect: driver python uses it"),
        (SERVER + "[beam]\nmix = true\n", ":6: beam: has no effect: driver beam uses it"),
        (SERVER + "[timeouts]\nbuild = 5\n", ":7: timeouts.build: has no effect: driver beam uses it"),
        ('driver = "python"\n[health]\nsend = "x"\n', ":2: health: has no effect: driver command uses it"),
        ('driver = "beam"\n[python]\napp = "a:b"\n', ":3: python.app: has no effect"),
    ],
)
def test_a_setting_of_another_driver_is_a_mistake(
    mistakes: Found, write: Write, text: str, told: str
) -> None:
    write("mine", text)

    (found,) = mistakes("mine")

    assert told in str(found)
    assert "or write driver = " in found.right


def test_what_several_drivers_use_is_no_mistake(mistakes: Found, write: Write) -> None:
    write("mine", SERVER + '[python]\npath = ["."]\n[timeouts]\nstart = 5\n')

    assert mistakes("mine") == []


def test_a_profile_may_extend_one_of_another_driver(mistakes: Found, write: Write) -> None:
    write("embedded", '[python]\napp = "a:b"\n')
    write("mine", 'extends = "embedded"\n' + SERVER)
    write("server", SERVER)
    write("other", 'extends = "server"\ndriver = "python"\n')

    assert mistakes("mine") == []
    assert mistakes("other") == []


def test_a_setting_of_its_own_is_a_mistake_also_where_the_driver_is_inherited(
    mistakes: Found, write: Write
) -> None:
    write("server", SERVER)
    write("mine", 'extends = "server"\n[python]\napp = "a:b"\n')

    assert [one.where for one in mistakes("mine")] == ["profiles/mine.toml:3"]


def test_the_environment_and_the_command_line_are_not_judged(mistakes: Found, write: Write) -> None:
    write("mine", '[python]\napp = "a:b"\n')

    assert mistakes("mine", environ={"CLUSTERLIB_COMMAND_STOP": "SIGINT"}) == []
    assert mistakes("mine", overrides={"command.stop": "SIGINT"}) == []


def test_pyproject_is_judged_where_it_speaks_to_one_profile(
    mistakes: Found, write: Write, project: Path
) -> None:
    write("mine", SERVER)
    write("embedded", "nodes.count = 2\n")
    (project / "pyproject.toml").write_text(
        '[tool.clusterlib.python]\napp = "a:b"\n[tool.clusterlib.profiles.mine.beam]\nmix = true\n'
    )

    assert [(one.where, one.field) for one in mistakes("mine")] == [("pyproject.toml:3", "beam")]
    assert mistakes("embedded") == []


def test_programs_that_are_required_are_looked_for_whatever_the_driver(
    load: Load, write: Write, project: Path
) -> None:
    write("mine", '[requires]\nno-such-tool = "debian no-such-package"\n')

    with pytest.raises(ProgramMissing, match="no-such-tool") as caught:
        make_plan(load("mine"), name="x", project=project)

    assert caught.value.remedies == ("sudo apt-get install no-such-package",)


def test_a_program_that_is_required_is_part_of_the_code(load: Load, write: Write, project: Path) -> None:
    write("mine", '[requires]\nsh = "debian dash"\n')

    plan = make_plan(load("mine"), name="x", project=project)

    assert any(Path(file).name == "sh" for file in plan.roles[0].sources.files)
