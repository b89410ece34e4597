"""Names that a folder may have, and that whoever writes a path into a file or a command without quoting it trips over."""

from __future__ import annotations

__all__ = ["ODD"]

ODD = """it's my "own" $HOME project & söhne"""
