"""A driver from outside, some part of which is replaced by a mistake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clusterlib.drivers.api import Driver, NodeSpec
from clusterlib.drivers.registry import driver_of
from clusterlib.errors import DriverUnusable
from clusterlib.hosts.fake import FakeHost
from clusterlib.messages.codec import Packed
from clusterlib.messages.plan import CodeSources, RolePlan
from clusterlib.operations.profiles import check
from clusterlib.profiles import check_profile
from clusterlib.values.ports import PortRange
from tests.plans import role_plan

__all__ = ["BUG", "TEXT", "Write", "is_told", "link_of", "made", "mistake_of", "problem_of", "role", "spec"]

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

Write = Callable[..., int]


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


def link_of(root: Path, reported: list[DriverUnusable] | None = None) -> Any:
    return made(root, reported).order(spec(root), {})[1]


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
