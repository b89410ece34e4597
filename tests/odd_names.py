"""Names of folders that break files and commands in which paths are not quoted."""

from __future__ import annotations

__all__ = ["ODD"]

ODD = """it's my "own" $HOME project & söhne"""
