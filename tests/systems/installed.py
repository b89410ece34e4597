"""Skips the tests of a system that is not installed, or fails them if all are required."""

from __future__ import annotations

import os
import shutil

import pytest

__all__ = ["need"]


def need(program: str, package: str) -> None:
    if shutil.which(program) is not None:
        return
    told = f"{program} is not on PATH (Debian: apt-get install {package})"
    if os.environ.get("REQUIRE_SYSTEMS") == "1":
        pytest.fail(told)
    pytest.skip(told)
