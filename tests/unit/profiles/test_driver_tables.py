"""The tables that a driver declares are checked, shown and told apart like those of every
profile."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlib.operations.doctor import examine_machine
from clusterlib.profiles import Profile, check_profile, load_profile, schema

DRIVER = """\
from clusterlib.drivers import Driver, NodeKind, frozen, setting, texts, whole


@frozen
class Counter:
    \"\"\"What a counter does.\"\"\"

    start: int = setting(0, whole(0, 1000), "The first number.")
    words: tuple[str, ...] = setting((), texts(), "What it says.")


class CounterDriver(Driver):
    name = "counter"
    purposes = ("client",)


def mistakes(together):
    if together.profile.section(Counter).start == 13:
        yield together.mistake("counter", "start", problem="brings no luck", right="write another number")


KIND = NodeKind(
    CounterDriver,
    ports={"client": "28000-28999"},
    sections=lambda: {"counter": Counter},
    filled_in={"counter": frozenset({"words"})},
    mistakes=mistakes,
)
"""
PROFILE = """\
driver = "counting:KIND"

[counter]
start = 40
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "profiles").mkdir()
    (tmp_path / "counting.py").write_text(DRIVER)
    (tmp_path / "profiles/counter.toml").write_text(PROFILE)
    yield tmp_path
    sys.modules.pop("counting", None)


def told(project: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    (project / "profiles/mine.toml").write_text(text)
    return [str(one) for one in check_profile("mine", project=project, environ=environ or {})]


def start_of(values: Profile) -> object:
    return vars_of(values.sections["counter"])["start"]


def vars_of(section: object) -> dict[str, object]:
    return {name: getattr(section, name) for name in ("start", "words")}


def test_its_values_and_its_ports_are_read_with_their_origins(project: Path) -> None:
    one = load_profile("counter", project=project, environ={})

    assert vars_of(one.values.sections["counter"]) == {"start": 40, "words": ()}
    assert str(one.values.ports["client"]) == "28000-28999"
    assert str(one.origin("counter.start")) == "profile counter (profiles/counter.toml:4)"
    assert one.origin("counter.words").source == "default"
    assert "beam.program" not in one.origins()


def test_the_environment_and_the_command_line_can_set_them(project: Path) -> None:
    said = {"CLUSTERLIB_COUNTER_START": "41", "CLUSTERLIB_COUNTER_WORDS": "one 'and two'"}
    one = load_profile("counter", project=project, environ=said)
    assert vars_of(one.values.sections["counter"]) == {"start": 41, "words": ("one", "and two")}

    one = load_profile("counter", project=project, environ={}, overrides={"counter.start": "42"})
    assert start_of(one.values) == 42


def test_the_driver_itself_may_come_from_the_environment(project: Path) -> None:
    (project / "profiles/mine.toml").write_text("nodes.count = 2\n")

    one = load_profile("mine", project=project, environ={"CLUSTERLIB_DRIVER": "counting:KIND"})

    assert start_of(one.values) == 0


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("start = 1001", "profiles/mine.toml:3: counter.start: 1001 is out of bounds; write at most 1000"),
        ("strat = 1", 'profiles/mine.toml:3: counter.strat: unknown key; did you mean "start"?'),
        ("start = 13", "profiles/mine.toml:3: counter.start: brings no luck; write another number"),
    ],
)
def test_mistakes_in_them_are_told_like_all_others(text: str, mistake: str, project: Path) -> None:
    assert told(project, f'driver = "counting:KIND"\n[counter]\n{text}\n') == [mistake]


def test_a_misspelt_table_is_told_the_nearest_one(project: Path) -> None:
    text = 'driver = "counting:KIND"\n[countr]\nstart = 1\n'
    assert told(project, text) == ['profiles/mine.toml:2: countr: unknown key; did you mean "counter"?']


def test_a_table_of_another_driver_has_no_effect_and_says_so(project: Path) -> None:
    assert told(project, 'driver = "counting:KIND"\n[beam]\nmix = true\n') == [
        (
            "profiles/mine.toml:2: beam: has no effect: driver beam uses it, and this is a profile of driver "
            'counting:KIND; leave it out, or write driver = "beam"'
        )
    ]
    # A profile that extends one of this driver may choose another one.
    assert told(project, 'extends = "counter"\ndriver = "python"\n') == []


def test_a_setting_that_only_some_drivers_use_is_told(project: Path) -> None:
    (one,) = told(project, 'driver = "counting:KIND"\n[timeouts]\nbuild = 3\n')
    assert "has no effect: driver beam uses it" in one


def test_a_driver_that_is_unknown_spoils_nothing_else(project: Path) -> None:
    assert told(project, 'driver = "countring:KIND"\n[counter]\nstart = 1\n[nodes]\ncount = 0\n') == [
        (
            'profiles/mine.toml:1: driver: there is no module countring, for the driver "countring:KIND": '
            f"looked among the installed packages and in {project}; "
            "install its package, or name the folder of its code under [python] path"
        ),
        "profiles/mine.toml:5: nodes.count: 0 is out of bounds; write at least 1",
    ]


def test_it_cannot_be_simulated_unless_it_says_so(project: Path) -> None:
    (one,) = told(project, 'simulate = true\ndriver = "counting:KIND"\n')
    assert "nodes of driver counting:KIND cannot be simulated" in one


def test_texts_that_are_templates_are_tried(project: Path) -> None:
    (project / "profiles/mine.toml").write_text(
        'driver = "counting:KIND"\n[counter]\nwords = ["{{ node.nmae }}", "plain"]\n'
    )
    one = load_profile("mine", project=project, environ={})

    assert list(one.texts()) == [("counter.words", "{{ node.nmae }}")]


@pytest.fixture
def installed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that declares this driver, and one whose module is not there."""
    package = project / "counting-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        "[clusterlib.drivers]\ncounter = counting:KIND\nbroken = no_such_module_at_all:KIND\n"
    )
    monkeypatch.syspath_prepend(str(project))


@pytest.mark.usefixtures("installed")
def test_the_table_of_a_broken_installed_driver_spoils_no_profile_that_does_not_use_it(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.clusterlib.broken]\nstart = 3\n")

    assert told(project, "nodes.count = 2\n") == []
    assert load_profile("mine", project=project, environ={}).values.nodes.count == 2
    (found,) = (
        one for one in examine_machine("mine", project=project).findings if one.name == "driver broken"
    )
    assert "[broken] is ignored: there is no module no_such_module_at_all" in found.evidence


@pytest.mark.usefixtures("installed")
def test_a_profile_with_the_table_of_a_broken_installed_driver_says_why_it_is_unknown(project: Path) -> None:
    (mistake,) = told(project, "[broken]\nstart = 3\n")

    assert mistake.startswith("profiles/mine.toml:1: broken: this driver cannot be used: there is no module")


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ('extends = "base"\ndriver = "python"\n', {}),
        ('extends = "base"\n', {"CLUSTERLIB_DRIVER": "python"}),
    ],
)
def test_a_driver_that_a_profile_replaces_is_not_imported(
    text: str, environ: dict[str, str], project: Path
) -> None:
    (project / "counting.py").write_text(f"open({str(project / 'imported')!r}, 'w').close()\n{DRIVER}")
    (project / "profiles/base.toml").write_text('driver = "counting:KIND"\nnodes.count = 2\n')

    assert told(project, text, environ) == []
    assert not (project / "imported").exists()


@pytest.mark.usefixtures("installed")
def test_the_schema_for_editors_knows_installed_drivers(project: Path) -> None:
    described = json.loads(json.dumps(schema()))

    assert described["properties"]["counter"]["properties"]["start"]["maximum"] == 1000
    assert described["properties"]["beam"]["properties"]["mix"]["type"] == "boolean"
    assert described["properties"]["driver"]["examples"][-2:] == ["counter", "broken"]

    # With the name of a driver, a table says by itself whose it is: the driver is not used here.
    (project / "pyproject.toml").write_text("[tool.clusterlib.counter]\nstart = 3\n")
    assert told(project, "nodes.count = 2\n") == []
    assert start_of(load_profile("counter", project=project, environ={}).values) == 3


def test_a_profile_of_one_driver_does_not_import_the_tables_of_another(project: Path) -> None:
    code = (
        "import sys\n"
        "from clusterlib.profiles import load_profile\n"
        "load_profile('dev', environ={})\n"
        "print(sorted(name for name in sys.modules if name.startswith('clusterlib.drivers.')))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=project
    )
    assert shown.stdout.strip() == str(
        [
            "clusterlib.drivers.kind",
            "clusterlib.drivers.python",
            "clusterlib.drivers.python.kind",
            "clusterlib.drivers.registry",
            "clusterlib.drivers.shipped",
        ]
    )
