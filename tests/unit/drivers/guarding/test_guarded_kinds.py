"""What a driver declares in its kind is guarded, and named in the mistakes of its profile."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from clusterlib.drivers.registry import kind_of
from clusterlib.errors import DriverUnusable
from clusterlib.messages.findings import CheckOutcome
from clusterlib.operations.doctor import examine_machine
from clusterlib.operations.profiles import check
from tests.unit.drivers.guarding.odd_driver import (
    BUG,
    TEXT,
    Write,
    made,
    mistake_of,
    problem_of,
)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("sections", "def bad():\n    {bug}\n"),
        ("mistakes", "def bad(together):\n    yield from ()\n    {bug}\n"),
    ],
)
def test_a_function_of_a_kind_that_raises_is_a_mistake_of_the_profile(
    name: str, code: str, write: Write, tmp_path: Path
) -> None:
    line = write(more=f"\n\n{code.format(bug=BUG)}\n\nKIND = NodeKind(OddDriver, {name}=bad)\n")

    found = mistake_of(tmp_path)

    assert (
        f"fails in `{name}` of its NodeKind: {tmp_path / 'odd_driver.py'}:{line}: ValueError" in found.problem
    )
    assert found.where == "profiles/odd.toml:1"


def test_tables_that_are_no_function_are_a_mistake_of_the_profile(write: Write, tmp_path: Path) -> None:
    write(("sections=lambda: {", "sections={"))

    assert "fails in `sections` of its NodeKind" in mistake_of(tmp_path).problem
    assert "'dict' object is not callable" in mistake_of(tmp_path).problem


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        ("None", "it returned nothing, not its tables by their names"),
        ('{"odd": Odd()}', "is not a dataclass"),
        ('{"odd": int}', "int is not a dataclass; write @frozen above the class"),
        ('{"odd": Loose}', "Loose is not frozen; write @frozen above the class"),
        ('{"odd": Fake}', "its field weight is not a setting"),
        ('{"odd": Bare}', "its field weight has no default"),
        ('{"nodes": Odd}', "whose name is taken: [nodes]"),
        ('{"ready": Odd}', "whose name is taken: [ready]"),
        ('{"extends": Odd}', "whose name is taken: [extends]"),
        ('{"profiles": Odd}', "whose name is taken: [profiles]"),
        ('{"My-Table": Odd}', "whose name cannot be used: [My-Table]"),
        ('{"nodes_host": Odd, "form": Odd}', "several tables"),
        ('{"command_stop": Odd}', "whose variables have another meaning: [command_stop]"),
    ],
)
def test_a_table_that_is_declared_wrongly_is_refused(
    tables: str, why: str, write: Write, tmp_path: Path
) -> None:
    more = f"""

import dataclasses
from clusterlib.values.fields import setting as declared


@dataclasses.dataclass
class Loose:
    weight: int = setting(3, whole(1, 9), "How heavy it is.")


@dataclasses.dataclass(frozen=True)
class Fake:
    weight: int = dataclasses.field(default=3, metadata={{"kind": "whole"}})


@dataclasses.dataclass(frozen=True)
class Bare:
    weight: int = dataclasses.field(metadata=dict(dataclasses.fields(Odd)[0].metadata))


KIND = NodeKind(OddDriver, ports={{"client": "28000-28999"}}, sections=lambda: {tables})
"""
    if "command_stop" in tables:
        more = more.replace('weight: int = setting(3, whole(1, 9), "How heavy it is.")', "", 1)
        more = more.replace(
            "class Loose:\n", 'class Loose:\n    command: int = setting(3, whole(1, 9), "Many.")\n'
        )
        more = more.replace("@dataclasses.dataclass\n", "@frozen\n").replace(
            '"command_stop": Odd', '"command_stop": Loose'
        )
    write(more=more)

    assert why in mistake_of(tmp_path).problem


@pytest.mark.parametrize("name", ["traits", "settings", "settings_type", "code", "environment", "calls"])
def test_checking_a_profile_finds_a_driver_that_cannot_start(name: str, write: Write, tmp_path: Path) -> None:
    more = f"""

def bad(*_):
    {BUG}


KIND = NodeKind(OddDriver, ports={{"client": "28000-28999"}}, {name}=bad)
"""
    line = write(more=more)

    assert f"`{name}` of its NodeKind: {tmp_path / 'odd_driver.py'}:{line}: ValueError" in problem_of(
        tmp_path
    )


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("        self.settings = settings\n", f"        {BUG}\n", "ValueError: a bug"),
        ("    def order(", "    def odrer(", "OddDriver has no order"),
        ("    OddDriver, calls=", "    lambda *_: None, calls=", "it returned nothing, not a driver"),
        ('purposes = ("client",)', 'purposes = "client"', "it returned 'client', not the names of purposes"),
        ('purposes = ("client",)', 'purposes = ("peer",)', "its purposes include peer"),
        ("weight: int", "weight: Unknown", "NameError: name 'Unknown' is not defined"),
    ],
)
def test_checking_a_profile_creates_the_driver_as_the_keeper_does(
    old: str, new: str, why: str, write: Write, tmp_path: Path
) -> None:
    write((old, new), ("from clusterlib", "from __future__ import annotations\nfrom clusterlib"))

    assert why in problem_of(tmp_path)


def test_settings_that_cannot_be_sent_are_named_with_their_field(write: Write, tmp_path: Path) -> None:
    more = """

@frozen
class Sent:
    count: int
    thing: object


KIND = NodeKind(
    OddDriver, ports={"client": "28000-28999"}, settings=lambda _: Sent(1, object()), settings_type=lambda: Sent
)
"""
    write(more=more)

    assert "its field thing: object cannot be written as JSON" in problem_of(tmp_path)


def test_a_driver_that_can_start_has_no_mistake(write: Write, tmp_path: Path) -> None:
    write()

    assert check("odd", project=tmp_path).ok


def test_a_part_of_python_is_no_driver(write: Write, tmp_path: Path) -> None:
    with pytest.raises(DriverUnusable) as caught:
        kind_of("sys:KIND", [str(tmp_path)])

    assert caught.value.cause == "sys is a part of Python"


def test_a_driver_in_an_archive_is_refused_in_words(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        archive.writestr("odd_zipped.py", TEXT)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "odd.zip")])

    with pytest.raises(DriverUnusable) as caught:
        kind_of("odd_zipped:KIND")

    assert caught.value.problem == 'the driver "odd_zipped:KIND" lies in an archive'


@pytest.mark.parametrize(
    ("text", "line"),
    [("\nimport json\njson.loads('{')\n", 3), ("x = 1\n\nfrom dataclasses import nothing\n", 3)],
)
def test_the_line_is_that_of_the_author_also_if_a_library_raises(
    text: str, line: int, write: Write, tmp_path: Path
) -> None:
    (tmp_path / "odd_driver.py").write_text(text)

    with pytest.raises(DriverUnusable) as caught:
        kind_of("odd_driver:KIND", [str(tmp_path)])

    assert caught.value.remedies == (f"correct {tmp_path / 'odd_driver.py'}:{line}",)


def test_a_driver_that_cannot_be_created_is_named_with_its_class(write: Write, tmp_path: Path) -> None:
    write(("    def __init__(self, settings, host):\n        self.settings = settings\n", ""))

    with pytest.raises(DriverUnusable) as caught:
        made(tmp_path)

    line = TEXT.splitlines().index("class OddDriver(Driver):") + 1
    assert caught.value.remedies == (f"correct {tmp_path / 'odd_driver.py'}:{line}",)


def test_a_driver_that_is_used_while_it_is_imported_is_told_so(write: Write, tmp_path: Path) -> None:
    root = str(tmp_path)
    text = f"from clusterlib.drivers.registry import kind_of\nkind_of('odd_driver:KIND', [{root!r}])\n"
    (tmp_path / "odd_driver.py").write_text(text)

    with pytest.raises(DriverUnusable) as caught:
        kind_of("odd_driver:KIND", [root])

    assert "its import leads back to itself" in str(caught.value.cause)


def test_the_purposes_of_a_driver_need_ports(write: Write, tmp_path: Path) -> None:
    write(('purposes = ("client",)', 'purposes = ("client", "peer")'))

    with pytest.raises(DriverUnusable) as caught:
        made(tmp_path)

    assert "peer" in str(caught.value.cause)


def test_doctor_reports_a_preflight_that_raises_and_goes_on(write: Write, tmp_path: Path) -> None:
    line = write(
        more=f"\n\ndef bad(*_):\n    {BUG}\n\n\nKIND = NodeKind(OddDriver, ports={{'client': '28000-28999'}}, preflight=bad)\n"
    )

    found = {one.name: one for one in examine_machine("odd", project=tmp_path).findings}

    assert found["driver"].outcome is CheckOutcome.FAILED
    assert f"{tmp_path / 'odd_driver.py'}:{line}: ValueError: a bug" in found["driver"].evidence
    assert "templates" in found or "disk" in found
