"""A driver from outside; if it cannot be used, the error says what to correct, and where."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clusterlib.drivers.external import installed, namesakes
from clusterlib.drivers.registry import driver_of, kind_of
from clusterlib.errors import DriverUnusable
from clusterlib.hosts.fake import FakeHost
from clusterlib.messages.codec import Packed
from clusterlib.messages.findings import CheckOutcome
from clusterlib.messages.plan import CodeSources, RolePlan
from clusterlib.operations.doctor import examine_machine
from clusterlib.values.ports import PortRange
from tests.plans import role_plan

WHOLE = """\
from clusterlib.drivers import Driver, NodeKind


class OddDriver(Driver):
    name = "odd"
    purposes = ("client",)

    def __init__(self, settings, host):
        self.settings = settings

    def order(self, node, claims):
        raise AssertionError


KIND = NodeKind(OddDriver)
"""

Write = Callable[[str, str], Path]
Install = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a module into a folder that is no part of sys.path."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(name: str, text: str) -> Path:
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        return path

    yield write
    for name in set(sys.modules) - before:
        if not name.startswith("clusterlib"):
            del sys.modules[name]


@pytest.fixture
def install(tmp_path: Path, write: Write) -> Install:
    """What an installed package leaves: its entry points."""
    site = tmp_path / "site"
    site.mkdir()
    sys.path.append(str(site))

    def install(package: str, **drivers: str) -> None:
        folder = site / f"{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {place}" for name, place in drivers.items()]
        (folder / "entry_points.txt").write_text("\n".join(["[clusterlib.drivers]", *lines, ""]))

    return install


def odd_role(root: Path, settings: object = None) -> RolePlan:
    sources = CodeSources(roots=(str(root),))
    ports = {"client": PortRange(28000, 28999)}
    return role_plan("odd_driver:KIND", settings=Packed(settings or {}), sources=sources, ports=ports)


def unusable(name: str, root: Path) -> DriverUnusable:
    with pytest.raises(DriverUnusable) as caught:
        kind_of(name, [str(root)])
    return caught.value


def test_a_module_of_the_project_gives_a_kind(write: Write, tmp_path: Path) -> None:
    write("odd_driver", WHOLE)

    path = list(sys.path)
    kind = kind_of("odd_driver:KIND", [str(tmp_path)])

    assert sys.path == path
    driver = driver_of(odd_role(tmp_path), FakeHost({}))
    assert driver.name == "odd"
    assert kind.ports == {}
    assert not kind.calls().evaluates
    assert not kind.simulated


def test_an_installed_package_gives_a_kind_by_its_name(
    write: Write, install: Install, tmp_path: Path
) -> None:
    write("odd_installed", WHOLE.replace("OddDriver)", "OddDriver, ports={'client': '1-2'})"))
    install("odd-package", odd="odd_installed:KIND")

    assert kind_of("odd", [str(tmp_path)]).ports == {"client": "1-2"}


def test_two_packages_that_declare_the_same_place_do_not_conflict(
    write: Write, install: Install, tmp_path: Path
) -> None:
    write("odd_installed", WHOLE)
    install("first", odd="odd_installed:KIND")
    install("second", odd="odd_installed:KIND")

    assert not kind_of("odd", [str(tmp_path)]).simulated


def test_a_shipped_driver_needs_no_look_at_what_is_installed() -> None:
    code = (
        "import sys\n"
        "from clusterlib.drivers.registry import kind_of\n"
        "kind_of('python'), kind_of('command'), kind_of('beam')\n"
        "print([name for name in ('importlib.metadata', 'clusterlib.drivers.external') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_what_is_installed_is_listed_without_importing_it(install: Install) -> None:
    install("odd-package", odd="no_such_module_at_all:KIND")

    assert [(one.reference, one.package) for one in installed()["odd"]] == [
        ("no_such_module_at_all:KIND", "odd-package 1.0")
    ]


def test_an_unknown_name_is_told_the_nearest_one(install: Install, tmp_path: Path) -> None:
    install("odd-package", counter="odd_installed:KIND")

    assert unusable("comand", tmp_path).remedies == ('did you mean "command"?',)
    assert unusable("countr", tmp_path).remedies == ('did you mean "counter"?',)


def test_an_unknown_name_near_to_none_is_told_all_and_how_to_declare_one(
    install: Install, tmp_path: Path
) -> None:
    install("odd-package", counter="odd_installed:KIND")

    error = unusable("zzz", tmp_path)

    assert error.problem == '"zzz" is not known here'
    (remedy,) = error.remedies
    assert 'known: "python", "command", "beam", "counter"' in remedy
    assert '"package.module:NAME"' in remedy


def test_two_packages_that_declare_one_name_are_both_named(install: Install, tmp_path: Path) -> None:
    install("first", odd="one:KIND")
    install("second", odd="two:KIND")

    error = unusable("odd", tmp_path)

    assert error.problem == '"odd" is declared more than once'
    assert error.cause == "by first 1.0 (one:KIND) and second 1.0 (two:KIND)"
    assert error.remedies == ('write driver = "one:KIND", or uninstall one of them',)


def test_a_package_cannot_take_the_name_of_a_shipped_driver(install: Install, tmp_path: Path) -> None:
    install("greedy", python="greedy:KIND")

    assert kind_of("python").simulated
    assert [one.package for one in namesakes(installed())] == ["greedy 1.0"]
    (found,) = (one for one in examine_machine("dev", project=tmp_path).findings if one.name == "drivers")
    assert found.outcome is CheckOutcome.WARNING
    assert found.evidence == "greedy 1.0 declares 'python', which clusterlib has itself"


def test_a_module_that_is_nowhere_is_told_with_the_places_that_were_searched(tmp_path: Path) -> None:
    error = unusable("no_such_module_at_all:KIND", tmp_path)

    assert (
        error.problem
        == 'there is no module no_such_module_at_all, for the driver "no_such_module_at_all:KIND"'
    )
    assert str(tmp_path) in str(error.cause)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("import os\n\nimport no_such_module_at_all\n", 3, "ModuleNotFoundError: No module named"),
        ("\n1 / 0\n", 2, "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(0)\n", 2, "SystemExit: 0"),
        ("x = 1\nclass\n", 2, "SyntaxError: invalid syntax"),
    ],
)
def test_an_import_that_fails_is_told_with_the_line_of_its_cause(
    text: str, line: int, what: str, write: Write, tmp_path: Path
) -> None:
    path = write("odd_broken", text)

    error = unusable("odd_broken:KIND", tmp_path)

    assert error.problem == 'the driver "odd_broken:KIND" cannot be imported'
    assert str(error.cause).startswith(f"{path}:{line}: {what}")
    assert error.remedies == (f"correct {path}:{line}",)


def test_a_name_that_the_module_does_not_have_is_told_the_one_that_it_has(
    write: Write, tmp_path: Path
) -> None:
    write("odd_driver", WHOLE)

    error = unusable("odd_driver:KINT", tmp_path)

    assert "has no KINT" in str(error.cause)
    assert error.remedies == ('write driver = "odd_driver:KIND"',)


def test_a_class_is_told_what_makes_a_driver_of_it(write: Write, tmp_path: Path) -> None:
    write("odd_driver", WHOLE)

    error = unusable("odd_driver:OddDriver", tmp_path)

    assert error.cause == "odd_driver:OddDriver is a class, not a NodeKind"
    assert error.remedies == ("write KIND = NodeKind(OddDriver) beside it, and name that",)


def test_a_driver_that_is_not_whole_is_told_what_it_lacks(write: Write, tmp_path: Path) -> None:
    write("odd_driver", WHOLE.replace("def order", "def ordr").replace('    purposes = ("client",)\n', ""))

    with pytest.raises(DriverUnusable) as caught:
        driver_of(odd_role(tmp_path), FakeHost({}))

    assert caught.value.cause == "OddDriver has no purposes and no order"


def test_a_driver_that_raises_when_it_is_made_is_told_with_the_line(write: Write, tmp_path: Path) -> None:
    path = write("odd_driver", WHOLE.replace("self.settings = settings", '{}["nothing"]'))

    with pytest.raises(DriverUnusable) as caught:
        driver_of(odd_role(tmp_path), FakeHost({}))

    assert caught.value.cause == f"{path}:9: KeyError: 'nothing'"


def test_a_table_that_is_no_dataclass_of_settings_is_refused(write: Write, tmp_path: Path) -> None:
    write(
        "odd_driver",
        WHOLE.replace("NodeKind(OddDriver)", 'NodeKind(OddDriver, sections=lambda: {"odd": int})'),
    )

    error = unusable("odd_driver:KIND", tmp_path)

    assert error.problem == 'the driver "odd_driver:KIND" declares its table [odd] wrongly'


def test_a_table_of_every_profile_cannot_be_declared_again(write: Write, tmp_path: Path) -> None:
    text = WHOLE.replace("import Driver, NodeKind", "import Driver, NodeKind, frozen, setting, whole")
    text += (
        '\n\n@frozen\nclass Own:\n    """Mine."""\n\n    count: int = setting(1, whole(1, 2), "Many.")\n\n\n'
        'KIND = NodeKind(OddDriver, sections=lambda: {"nodes": Own})\n'
    )
    write("odd_driver", text)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/odd.toml").write_text('driver = "odd_driver:KIND"\n')

    from clusterlib.profiles import check_profile

    (mistake,) = check_profile("odd", project=tmp_path, environ={})
    assert "[nodes]" in mistake.problem
    assert mistake.where == "profiles/odd.toml:1"


TABLES = """

from dataclasses import dataclass
from clusterlib.values.fields import setting, whole


@dataclass(frozen=True)
class Odd:
    weight: int = setting(3, whole(1, 9), "How heavy it is.")


KIND = NodeKind(OddDriver, sections=lambda: {tables})
"""


def test_a_driver_is_given_a_value_of_its_table(write: Write, tmp_path: Path) -> None:
    write("odd_driver", WHOLE + TABLES.format(tables='{"odd": Odd}'))

    driver = driver_of(odd_role(tmp_path, {"weight": 5}), FakeHost({}))

    assert driver.settings.weight == 5  # type: ignore[attr-defined]
    with pytest.raises(DriverUnusable) as caught:
        driver_of(odd_role(tmp_path, {"weight": "much"}), FakeHost({}))
    assert str(caught.value.cause).endswith("NotReadable: weight: 'much' is no int")


def test_a_driver_with_several_tables_must_say_the_type_of_its_settings(write: Write, tmp_path: Path) -> None:
    write("odd_driver", WHOLE + TABLES.format(tables='{"odd": Odd, "even": Odd}'))

    error = unusable("odd_driver:KIND", tmp_path)

    assert error.cause == "odd_driver:KIND declares [odd] and [even]"
    assert error.remedies == ("declare settings and settings_type: one frozen dataclass made of all tables",)
