"""The driver of Erlang nodes keeps what every driver promises, and what it promises besides."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from clusterlib.hosts.proc import MARKER, marked
from tests.contract.driver_cases import CASES, SECONDS
from tests.systems.installed import need


@pytest.mark.parametrize("case", CASES)
def test_the_erlang_node_promises_that(case: str, tmp_path: Path) -> None:
    need("erl", "erlang-base")
    marker = secrets.token_hex(8)
    keeper = subprocess.run(
        [sys.executable, "-m", "tests.contract.driver_cases", "beam", case, str(tmp_path)],
        env={**os.environ, MARKER: marker},
        capture_output=True,
        text=True,
        timeout=4 * SECONDS,
        check=False,
    )
    assert keeper.returncode == 0, keeper.stderr
    assert marked(marker) == []
