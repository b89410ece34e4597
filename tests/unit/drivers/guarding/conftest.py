"""A driver from outside in a project of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.drivers.guarding.odd_driver import (
    BUG,
    TEXT,
    Write,
)


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
