"""What can give a setting of a profile its value."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ValueSource"]


class ValueSource(StrEnum):
    """What gave a setting its value, the weakest first."""

    DEFAULT = "default"
    PROFILE = "profile"
    PYPROJECT = "pyproject"
    ENVIRONMENT = "environment"
    COMMAND_LINE = "command line"
    ADAPTED = "adapted"
    """It was changed for this machine or CI."""
