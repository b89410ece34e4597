"""The fake driver and the embedded node's, for real and simulated, keep the same promises."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from clusterlib.drivers.fake import FakeDriver
from clusterlib.hosts.fake import FakeHost
from clusterlib.hosts.proc import MARKER, marked
from tests.contract.driver_cases import CASES, SECONDS, Stage


@pytest.mark.parametrize("case", CASES)
def test_the_fake_driver_promises_that(case: str, tmp_path: Path) -> None:
    async def ask() -> None:
        driver = FakeDriver()
        host = FakeHost(driver.behaviours)
        async with asyncio.timeout(SECONDS):
            stage = Stage(driver, host, tmp_path, simulated=False, templates={})
            await CASES[case](stage)
            stage.close()
            await host.close()

    asyncio.run(ask())


@pytest.mark.parametrize("mode", ["real", "simulated"])
@pytest.mark.parametrize("case", CASES)
def test_the_embedded_node_promises_that(case: str, mode: str, tmp_path: Path) -> None:
    marker = secrets.token_hex(8)
    keeper = subprocess.run(
        [sys.executable, "-m", "tests.contract.driver_cases", mode, case, str(tmp_path)],
        env={**os.environ, MARKER: marker},
        capture_output=True,
        text=True,
        timeout=4 * SECONDS,
        check=False,
    )
    assert keeper.returncode == 0, keeper.stderr
    assert marked(marker) == []
