from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.functional.command.boxes import PROFILE, SERVER


@pytest.fixture
def write(project: Path) -> Callable[..., None]:
    """Writes the profile `box`, with more sections, and with parts of it replaced."""
    (project / "server.py").write_text(SERVER)
    (project / "profiles").mkdir()

    def profile(more: str = "", **replaced: str) -> None:
        text = PROFILE
        for old, new in replaced.items():
            lines = [f"{old} = {new}" if line.startswith(f"{old} = ") else line for line in text.splitlines()]
            text = "\n".join(lines) + "\n"
        (project / "profiles/box.toml").write_text(text + more)

    return profile
