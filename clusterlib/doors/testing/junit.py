"""pytest's own JUnit file, written whole or not at all: who is killed while it writes leaves no half of one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.junitxml import xml_key

__all__ = ["whole"]


@contextlib.contextmanager
def whole(config: pytest.Config) -> Iterator[None]:
    """Around the moment in which pytest writes it: it goes to a draft, which then takes the place of the file."""
    writer: Any = config.stash.get(xml_key, None)
    if writer is None or not _is_replaceable(Path(writer.logfile)):
        yield
        return
    wanted = Path(writer.logfile)
    draft = wanted.with_name(f"{wanted.name}.part")
    writer.logfile = str(draft)
    try:
        yield
        draft.replace(wanted)
    finally:
        writer.logfile = str(wanted)
        draft.unlink(missing_ok=True)


def _is_replaceable(path: Path) -> bool:
    """Not what only leads elsewhere: /dev/stdout, a pipe that somebody reads, a link."""
    return not path.is_symlink() and (path.is_file() or not path.exists())
