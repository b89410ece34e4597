"""The shipped drivers and the fake one keep the contract that is public for authors of drivers."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from clusterlib.client.planning import plan_for
from clusterlib.contract import DriverContract
from clusterlib.contract.promises import PROMISES, SECONDS, Stage
from clusterlib.drivers.fake import FakeDriver
from clusterlib.hosts.fake import FakeHost

NOTHING_ELSE = {"nodes.count": 3}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "profiles").mkdir(parents=True)
    (folder / "profiles/served.toml").write_text(SERVED)
    (folder / "served.py").write_text(SERVER)
    monkeypatch.chdir(folder)
    return folder


SERVER = """
import http.server, sys

server = http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), http.server.SimpleHTTPRequestHandler)
server.serve_forever()
"""
SERVED = """
driver = "command"

[ports]
client = "28000-28499"

[command]
program = "python3"
arguments = ["{{ cluster.project }}/served.py", "{{ node.address }}", "{{ node.ports.client }}"]
"""


class TestEmbeddedNodes(DriverContract):
    profile = "dev"


class TestSimulatedNodes(DriverContract):
    profile = "dev"
    overrides: ClassVar[Mapping[str, object]] = {"simulate": True}


class TestServers(DriverContract):
    profile = "served"
    waits_at = "all answering"
    alone = 3.0


@pytest.mark.parametrize("promise", PROMISES)
def test_the_fake_driver_keeps_this_promise(promise: str, tmp_path: Path, project: Path) -> None:
    plan = plan_for("dev", name="contract", project=project, overrides=NOTHING_ELSE)
    plan = replace(plan, roles=(replace(plan.roles[0], driver="fake", templates={}),))

    async def ask() -> None:
        driver = FakeDriver()
        host = FakeHost(driver.behaviours)
        async with asyncio.timeout(SECONDS):
            stage = Stage(driver, host, plan, tmp_path)
            await PROMISES[promise](stage)
            stage.close()
            await host.close()

    asyncio.run(ask())


def test_the_public_contract_has_a_test_for_each_promise() -> None:
    tests = {name for name, _ in inspect.getmembers(DriverContract, inspect.isfunction)}

    assert {name.removeprefix("test_") for name in tests if name.startswith("test_")} == set(PROMISES)
