"""The fake host and the real one, on every rung of its containment, keep the same promises."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys

import pytest

from clusterlib.hosts.fake import FakeHost
from clusterlib.hosts.proc import MARKER, marked
from tests.contract.host_cases import BEHAVIOURS, CASES, SECONDS


@pytest.mark.parametrize("case", CASES)
def test_the_fake_host_promises_that(case: str) -> None:
    async def ask() -> None:
        host = FakeHost(BEHAVIOURS)
        async with asyncio.timeout(SECONDS):
            await CASES[case](host)
            await host.close()

    asyncio.run(ask())


@pytest.mark.parametrize("rung", ["namespace", "user-namespace", "sweep"])
@pytest.mark.parametrize("case", CASES)
def test_the_real_host_promises_that(case: str, rung: str) -> None:
    marker = secrets.token_hex(8)
    keeper = subprocess.run(
        [sys.executable, "-m", "tests.contract.host_cases", rung, case],
        env={**os.environ, MARKER: marker},
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        check=False,
    )
    if "refuses the containment" in keeper.stderr:
        pytest.skip(f"this system has no {rung}: {keeper.stderr.splitlines()[-2:]}")
    assert keeper.returncode == 0, keeper.stderr
    assert marked(marker) == []
