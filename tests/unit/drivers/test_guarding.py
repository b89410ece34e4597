"""Where the code of a driver from outside fails, the error has its method, its file and its
line."""

from __future__ import annotations

import asyncio
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterlib.drivers.api import Driver, NodeSpec
from clusterlib.drivers.registry import calls_of, driver_of, kind_of
from clusterlib.errors import DriverUnusable
from clusterlib.hosts.fake import FakeHost
from clusterlib.messages.codec import Packed
from clusterlib.messages.findings import CheckOutcome
from clusterlib.messages.plan import CodeSources, RolePlan
from clusterlib.operations.doctor import examine_machine
from clusterlib.operations.profiles import check
from clusterlib.profiles import check_profile
from clusterlib.values.ports import PortRange
from tests.plans import role_plan

TEXT = """\
from clusterlib.drivers import (
    Driver, Link, NodeCalls, NodeKind, NotYet, Program, Ready, Rung, Spawn, Traits, frozen, setting, whole
)


@frozen
class Odd:
    weight: int = setting(3, whole(1, 9), "How heavy it is.")


class OddDriver(Driver):
    name = "odd"
    purposes = ("client",)

    def __init__(self, settings, host):
        self.settings = settings

    def order(self, node, claims):
        return Spawn(node.name, Program(("/bin/true",)), node.directory), OddLink()


class OddLink(Link):
    view = frozenset()

    def ladder(self, expected):
        async def probe():
            return Ready()

        return [Rung("joined", probe)]


class OddCalls(NodeCalls):
    def call(self, target, args, kwargs, timeout):
        return 1 / 0

    def ping(self, timeout):
        return 1 / 0


KIND = NodeKind(
    OddDriver, calls=lambda: OddCalls, ports={"client": "28000-28999"}, sections=lambda: {"odd": Odd}
)
"""
BUG = "raise ValueError('a bug')"
SYNC: dict[str, tuple[Any, ...]] = {
    "order": (None, {}),
    "learn": ({},),
    "facts": (None,),
    "shell": (None,),
    "why_not_fresh": ((),),
}
AT_ANY_COST: dict[str, tuple[Any, ...]] = {
    "stopping": ((),),
    "forget": (None,),
    "last_words": (None,),
    "ports_stolen": ([],),
}

Write = Callable[..., int]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Writes the driver with these replacements, and returns the line of the text `BUG`."""
    before = set(sys.modules)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/odd.toml").write_text('driver = "odd_driver:KIND"\n')

    def write(*replaced: tuple[str, str], more: str = "") -> int:
        text = TEXT
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / "odd_driver.py").write_text(text + more)
        lines = (text + more).splitlines()
        return next((number for number, line in enumerate(lines, 1) if BUG in line), 0)

    yield write
    for name in set(sys.modules) - before:
        if not name.startswith("clusterlib."):
            del sys.modules[name]


def role(root: Path) -> RolePlan:
    return role_plan(
        "odd_driver:KIND",
        settings=Packed({}),
        sources=CodeSources(roots=(str(root),)),
        ports={"client": PortRange(28000, 28999)},
    )


def made(root: Path, reported: list[DriverUnusable] | None = None) -> Driver:
    report = (reported if reported is not None else []).append
    return driver_of(role(root), FakeHost({}), report)


def spec(root: Path) -> NodeSpec:
    return NodeSpec(
        name="node1",
        role="node",
        index=1,
        address="127.0.0.1",
        host="h",
        ports={},
        directory=str(root),
        memory=0,
    )


def is_told(error: DriverUnusable, root: Path, line: int, method: str) -> None:
    place = f"{root / 'odd_driver.py'}:{line}"
    assert method in error.problem
    assert str(error.cause).startswith(f"{place}: ValueError: a bug")
    assert error.remedies == (f"correct {place}",)


@pytest.mark.parametrize("method", SYNC)
def test_a_method_of_a_driver_that_raises_is_named_with_its_line(
    method: str, write: Write, tmp_path: Path
) -> None:
    added = f"    def {method}(self, *_):\n        {BUG}\n\n    def order(" if method != "order" else ""
    line = write(
        ("    def order(", added)
        if added
        else ("        return Spawn(", f"        {BUG}\n        return Spawn(")
    )

    with pytest.raises(DriverUnusable) as caught:
        getattr(made(tmp_path), method)(*SYNC[method])

    is_told(caught.value, tmp_path, line, f"OddDriver.{method}")


@pytest.mark.parametrize("method", AT_ANY_COST)
def test_a_method_for_the_end_of_a_node_that_raises_is_reported_and_stops_nothing(
    method: str, write: Write, tmp_path: Path
) -> None:
    line = write(("    def order(", f"    def {method}(self, *_):\n        {BUG}\n\n    def order("))
    reported: list[DriverUnusable] = []
    driver = made(tmp_path, reported)

    assert not getattr(driver, method)(*AT_ANY_COST[method])
    getattr(driver, method)(*AT_ANY_COST[method])

    (error,) = reported  # once is enough
    is_told(error, tmp_path, line, f"OddDriver.{method}")


def link_of(root: Path, reported: list[DriverUnusable] | None = None) -> Any:
    return made(root, reported).order(spec(root), {})[1]


def test_a_probe_that_raises_is_named_with_its_rung(write: Write, tmp_path: Path) -> None:
    line = write(("            return Ready()", f"            {BUG}"))
    (rung,) = link_of(tmp_path).ladder(frozenset())

    with pytest.raises(DriverUnusable) as caught:
        asyncio.run(rung.probe())

    is_told(caught.value, tmp_path, line, "the probe of rung 'joined'")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("            return Ready()", "            pass", "not Ready(), NotYet(why) or Never(why)"),
        ("        async def probe", "        def probe", "write `async def`"),
    ],
)
def test_a_probe_without_an_answer_does_not_count_as_ready(
    old: str, new: str, what: str, write: Write, tmp_path: Path
) -> None:
    write((old, new))
    (rung,) = link_of(tmp_path).ladder(frozenset())

    with pytest.raises(DriverUnusable) as caught:
        asyncio.run(rung.probe())

    assert what in str(caught.value.cause)
    assert f"{tmp_path / 'odd_driver.py'}:" in str(caught.value.cause)


@pytest.mark.parametrize(
    ("old", "new", "lacking"),
    [
        ("    view = frozenset()\n", "", "has no view"),
        ("    def ladder(", "    def lader(", "has no ladder"),
        ("        return Spawn(", "        Spawn(", "it returned nothing, not a Spawn and a link"),
    ],
)
def test_an_order_without_a_link_that_can_be_asked_is_refused(
    old: str, new: str, lacking: str, write: Write, tmp_path: Path
) -> None:
    write((old, new))

    with pytest.raises(DriverUnusable) as caught:
        link_of(tmp_path)

    assert lacking in str(caught.value.cause)
    assert "OddDriver.order" in caught.value.problem
    assert f"correct {tmp_path / 'odd_driver.py'}:" in caught.value.remedies[0]


@pytest.mark.parametrize("method", ["examine", "prepare", "load"])
def test_an_asynchronous_method_that_raises_is_named(method: str, write: Write, tmp_path: Path) -> None:
    place = "    view =" if method == "examine" else "    def order("
    line = write((place, f"    async def {method}(self, *_):\n        {BUG}\n\n{place}"))
    thing = link_of(tmp_path) if method == "examine" else made(tmp_path)

    with pytest.raises(DriverUnusable) as caught:
        asyncio.run(getattr(thing, method)(None, None, None))

    is_told(caught.value, tmp_path, line, method)


def test_a_link_that_cannot_be_closed_is_reported(write: Write, tmp_path: Path) -> None:
    line = write(("    view =", f"    def close(self):\n        {BUG}\n\n    view ="))
    reported: list[DriverUnusable] = []

    link_of(tmp_path, reported).close()

    is_told(reported[0], tmp_path, line, "OddLink.close")


def test_a_link_whose_property_raises_is_named(write: Write, tmp_path: Path) -> None:
    line = write(("    view = frozenset()\n", f"    @property\n    def view(self):\n        {BUG}\n"))

    with pytest.raises(DriverUnusable) as caught:
        _ = link_of(tmp_path).view

    is_told(caught.value, tmp_path, line, "OddLink.view")


def test_what_is_raised_by_a_call_is_for_its_caller_and_other_failures_are_the_drivers(
    write: Write, tmp_path: Path
) -> None:
    write()
    calls: Any = calls_of("odd_driver:KIND", [str(tmp_path)])(None)  # type: ignore[arg-type]

    with pytest.raises(ZeroDivisionError):
        calls.call("next", (), {}, 1.0)
    with pytest.raises(DriverUnusable, match=r"NodeCalls\.ping"):
        calls.ping(1.0)


# -- what its kind declares, in a profile


def mistake_of(root: Path) -> Any:
    (mistake,) = check_profile("odd", project=root, environ={})
    return mistake


def problem_of(root: Path) -> str:
    """What the operation `profile.check` says, which also tries whether the driver can start."""
    (checked,) = check("odd", project=root).profiles
    (mistake,) = checked.mistakes
    assert mistake["field"] == "driver"
    return str(mistake["problem"])


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


# -- several projects in one process, and the digest of a driver


def test_drivers_of_two_projects_with_one_name_are_two(write: Write, tmp_path: Path) -> None:
    roots = [tmp_path / "a", tmp_path / "b"]
    for number, root in enumerate(roots):
        root.mkdir()
        (root / "odd_driver.py").write_text(TEXT.replace("28000", f"2800{number}"))

    found = [kind_of("odd_driver:KIND", [str(root)]).ports["client"] for root in roots]

    assert found == ["28000-28999", "28001-28999"]


def test_every_module_of_its_package_is_part_of_its_digest(write: Write, tmp_path: Path) -> None:
    from clusterlib.drivers.external import digest_of

    folder = tmp_path / "odd_package"
    (folder / "inner").mkdir(parents=True)
    for name in ("__init__.py", "inner/__init__.py", "inner/late.py"):
        (folder / name).write_text("")
    (tmp_path / "odd_other.py").write_text("")
    (folder / "kind.py").write_text(
        TEXT.replace("OddDriver, calls", "OddDriver, modules=['odd_other'], calls")
    )
    digests = []
    for changed in ("", "odd_package/inner/late.py", "odd_other.py"):
        if changed:
            (tmp_path / changed).write_text("CHANGED = 1\n")
        digests.append(digest_of("odd_package.kind:KIND", [str(tmp_path)]))

    assert len(set(digests)) == 3


def test_a_keeper_refuses_a_driver_that_has_changed_since_the_plan(write: Write, tmp_path: Path) -> None:
    from dataclasses import replace

    write()
    with pytest.raises(DriverUnusable, match="has changed while the cluster was started"):
        driver_of(replace(role(tmp_path), driver_code="another"), FakeHost({}))
