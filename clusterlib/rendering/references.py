"""Which other templates a template refers to."""

from __future__ import annotations

import re

__all__ = ["references_of"]

REFERENCE = re.compile(r"\{%[-+]?\s*(?:include|extends|import|from)\b")


def references_of(text: str) -> tuple[str | None, ...]:
    """Their names; None stands for those whose names are computed. One that is malformed refers to none."""
    if REFERENCE.search(text) is None:
        return ()
    from clusterlib.rendering.language import references_in  # with jinja2, which most templates do not need

    return references_in(text)
