"""Real and simulated nodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.node_grid import Grid
from tests.contract.processes.shop import SHOP


@pytest.fixture(params=["real", "simulated"])
def grid(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Grid]:
    code = tmp_path / "code"
    code.mkdir()
    (code / "shop.py").write_text(SHOP)
    grid = Grid(tmp_path, code, simulated=request.param == "simulated")
    try:
        yield grid
    finally:
        grid.close()
