"""What an error means: its paragraph of docs/troubleshooting.md."""

from __future__ import annotations

import re

from clusterlib.doors.web.problems import Problem
from clusterlib.errors import RequestRefused, every_error
from clusterlib.profiles.catalogue import shipped

__all__ = ["explained"]


def explained(code: str) -> str:
    """As Markdown."""
    if code not in every_error():
        raise Problem(RequestRefused(f"there is no error {code[:80]!r}"), 404)
    guide = shipped("docs") / "troubleshooting.md"
    found = re.search(
        rf"^## `{re.escape(code)}`$.*?(?=^## |\Z)", guide.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return found[0] if found else f"## `{code}`\n"
