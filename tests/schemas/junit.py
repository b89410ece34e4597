"""The schema by which the xUnit plugin of Jenkins checks JUnit files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xmlschema import XMLSchema

__all__ = ["schema"]


@cache
def schema() -> XMLSchema:
    """Read when a test asks for it: that takes longer than to collect all tests of a room."""
    from xmlschema import XMLSchema

    return XMLSchema(Path(__file__).with_name("junit.xsd"))
