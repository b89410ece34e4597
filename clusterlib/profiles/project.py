"""Finds the project. This runs at the start of every parallel test run, so it imports nothing."""

from __future__ import annotations

from pathlib import Path

__all__ = ["find_project"]

PROJECT_SIGNS = ("profiles", "pyproject.toml", "tasks.py", ".git")


def find_project(start: Path) -> Path:
    """The nearest folder, from `start` upwards, that looks like a project; `start` itself if none
    does."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if any((folder / sign).exists() for sign in PROJECT_SIGNS):
            return folder
    return start
