"""A project with a folder for its operations."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def operations(project: Path) -> Path:
    folder = project / "operations"
    folder.mkdir()
    return folder
