"""Who says what a value is, and that it remembers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib.drivers.command.profile import CommandSettings
from clusterlib.errors import ProfileError
from clusterlib.profiles import Origin, ResolvedProfile, default_profile
from clusterlib.values.sources import ValueSource

Load = Callable[..., ResolvedProfile]
Write = Callable[[str, str], Path]


@pytest.mark.parametrize(("name", "count"), [("dev", 3), ("ci-small", 2), ("ci-large", 5)])
def test_the_shipped_profiles_can_be_used_in_any_project(load: Load, name: str, count: int) -> None:
    profile = load(name)

    assert profile.values.nodes.count == count
    assert set(profile.values.ports) == {"cluster", "http"}
    assert profile.values.tests.paths == (), "a project has its tests where it likes"


def test_each_voice_overrules_the_one_before(load: Load, write: Write, project: Path) -> None:
    write("base", "[nodes]\ncount = 4\n[timeouts]\nstart = 1\nstop = 1\ncall = 1\nhealth = 1\n")
    write("mine", 'extends = "base"\n[timeouts]\nstart = 2\nstop = 2\ncall = 2\nhealth = 2\n')
    (project / "pyproject.toml").write_text(
        "[tool.clusterlib.timeouts]\nstop = 3\ncall = 3\nhealth = 3\n\n"
        "[tool.clusterlib.profiles.mine]\ntimeouts = { call = 4, health = 4 }\n"
    )

    profile = load("mine", environ={"CLUSTERLIB_TIMEOUTS_HEALTH": "5"}, overrides={"linger": "6"})

    timeouts = profile.values.timeouts
    assert (profile.values.nodes.count, timeouts.start, timeouts.stop, timeouts.call) == (4, 2.0, 3.0, 4.0)
    assert (timeouts.health, profile.values.linger) == (5.0, 6.0)
    assert profile.chain == ("mine", "base")
    assert (
        profile.origins()
        | {
            "nodes.count": Origin(ValueSource.PROFILE, "base", "profiles/base.toml", 2),
            "timeouts.start": Origin(ValueSource.PROFILE, "mine", "profiles/mine.toml", 3),
            "timeouts.stop": Origin(ValueSource.PYPROJECT, None, "pyproject.toml", 2),
            "timeouts.call": Origin(ValueSource.PYPROJECT, None, "pyproject.toml", 7),
            "timeouts.health": Origin(ValueSource.ENVIRONMENT, "CLUSTERLIB_TIMEOUTS_HEALTH"),
            "timeouts.detect": Origin(ValueSource.DEFAULT),
            "linger": Origin(ValueSource.COMMAND_LINE),
        }
        == profile.origins()
    )


def test_a_value_nobody_said_is_a_default_even_in_a_table_somebody_wrote(load: Load, write: Write) -> None:
    write("mine", "[retry]\nattempts = 7\n")

    assert load("mine").origin("retry.first") == Origin(ValueSource.DEFAULT)


def test_what_is_no_value_has_no_origin(load: Load) -> None:
    with pytest.raises(KeyError):
        load("dev").origin("nodes.cuont")


def test_tables_are_merged_and_lists_are_replaced(load: Load, write: Write) -> None:
    write("base", '[environment]\nA = "1"\nB = "1"\n[tests]\npaths = ["a", "b"]\n')
    write("mine", 'extends = "base"\nenvironment.B = "2"\n[tests]\npaths = ["c"]\n')

    values = load("mine").values

    assert values.environment == {"A": "1", "B": "2"}
    assert values.tests.paths == ("c",)


def test_a_profile_of_the_project_may_extend_the_shipped_one_of_its_name(load: Load, write: Write) -> None:
    write("dev", 'extends = "dev"\n[nodes]\ncount = 4\n')

    profile = load("dev")

    assert (profile.values.nodes.count, profile.values.nodes.min) == (4, 2)
    assert load("ci-small").values.nodes.min == 2, "and what extends it by name gets the project's"


def test_a_profile_can_be_named_by_its_path(load: Load, project: Path) -> None:
    (project / "elsewhere").mkdir()
    (project / "elsewhere/base.toml").write_text("[nodes]\ncount = 4\n")
    (project / "elsewhere/mine.toml").write_text('extends = "./base.toml"\ndescription = "x"\n')

    profile = load(str(project / "elsewhere/mine.toml"))

    assert (profile.name, profile.values.nodes.count) == ("mine", 4)


def test_variables_are_read_as_what_their_setting_is(load: Load) -> None:
    values = load(
        "dev",
        environ={
            "CLUSTERLIB_NODES_COUNT": " 4 ",
            "CLUSTERLIB_SIMULATE": "yes",
            "CLUSTERLIB_NODES_MEMORY": "1GiB",
            "CLUSTERLIB_TESTS_ARGS": "-k 'one two' -x",
            "CLUSTERLIB_PORTS_HTTP": "28000-28999",
            "CLUSTERLIB_ENVIRONMENT_LOG_LEVEL": "7",
            "CLUSTERLIB_LINGER": "",
            "CLUSTERLIB_NODE1_ADDRESS": "127.0.0.1:20000",
            "CLUSTERLIB_COOKIE_FILE": "/somewhere",
        },
    ).values

    assert (values.nodes.count, values.simulate, values.nodes.memory) == (4, True, 2**30)
    assert values.tests.args == ("-k", "one two", "-x")
    assert str(values.ports["http"]) == "28000-28999"
    assert values.environment == {"LOG_LEVEL": "7"}
    assert values.linger == 0.0


def test_the_command_line_says_nothing_with_none_and_reaches_open_tables(load: Load) -> None:
    values = load(
        "dev",
        overrides={
            "nodes.count": None,
            "templates.second.json": "python/node.json.j2",
            "tests": {"args": ["-x"]},
            "simulate": True,
        },
    ).values

    assert values.nodes.count == 3
    assert set(values.templates) == {"node.json", "second.json"}
    assert values.tests.args == ("-x",)
    assert values.simulate


def test_values_are_frozen_all_the_way_down(load: Load) -> None:
    values = load("dev").values

    with pytest.raises(AttributeError):
        values.nodes.count = 5  # type: ignore[misc]
    with pytest.raises(TypeError):
        values.ports["http"] = values.ports["cluster"]  # type: ignore[index]


def test_the_default_profile_is_named_by_variable_then_by_project_then_dev(project: Path) -> None:
    assert default_profile(project, {}) == "dev"
    (project / "pyproject.toml").write_text('[tool.clusterlib]\nprofile = "big"\n')
    assert default_profile(project, {}) == "big"
    assert default_profile(project, {"CLUSTERLIB_PROFILE": "small"}) == "small"


def test_the_default_profile_of_the_project_is_no_unknown_key(load: Load, project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.clusterlib]\nprofile = "dev"\nprofiles.other.nodes.count = 9\n'
    )

    assert load("dev").values.nodes.count == 3


def test_the_same_inputs_give_the_same_data(load: Load) -> None:
    environ = {"GITHUB_ACTIONS": "true", "CLUSTERLIB_LINGER": "2"}

    assert load("dev", environ).to_json() == load("dev", environ).to_json()


def test_the_fingerprint_follows_the_cluster_and_not_its_tests(load: Load) -> None:
    plain = load("dev").fingerprint()

    assert load("dev", overrides={"tests.args": "-x", "description": "other"}).fingerprint() == plain
    assert load("dev", overrides={"nodes.count": 4}).fingerprint() != plain


def test_a_pyproject_that_has_nothing_to_do_with_us_is_none_of_our_business(
    load: Load, project: Path
) -> None:
    (project / "pyproject.toml").write_text("this is = = not toml")

    assert load("dev").values.nodes.count == 3


def test_a_pyproject_with_settings_that_cannot_be_read_is_a_mistake(load: Load, project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.clusterlib]\nsimulate = = true\n")

    with pytest.raises(ProfileError, match=r"pyproject\.toml:2: is not valid TOML"):
        load("dev")


def test_three_dots_in_a_list_stand_for_what_it_had_before(load: Load, write: Write, project: Path) -> None:
    write(
        "base",
        'driver = "command"\n[ports]\nclient = 16379\n[command]\nprogram = "sh"\narguments = ["-u", "server.py"]\n',
    )
    write("mine", 'extends = "base"\n[command]\narguments = ["...", "--verbose"]\n')
    (project / "src").mkdir()
    (project / "pyproject.toml").write_text('[tool.clusterlib.python]\npath = ["src", "..."]\n')

    one = load(
        "mine", environ={"CLUSTERLIB_COMMAND_ARGUMENTS": "first ... --last"}, overrides={"nodes.count": 1}
    )

    assert one.values.section(CommandSettings).arguments == (
        "first",
        "-u",
        "server.py",
        "--verbose",
        "--last",
    )
    assert one.values.python.path == ("src", "."), "nobody said anything before, so it is the default"
    assert str(one.values.ports["client"]) == "16379-16379"
