"""The other templates that a template refers to."""

from __future__ import annotations

import re

__all__ = ["references_of"]

REFERENCE = re.compile(r"\{%[-+]?\s*(?:include|extends|import|from)\b")


def references_of(text: str) -> tuple[str | None, ...]:
    """The names of these templates; None stands for computed names.

    A malformed template refers to none."""
    if REFERENCE.search(text) is None:
        return ()
    from clusterlib.rendering.language import references_in  # needs jinja2, which most templates do not

    return references_in(text)
