"""Settings of a profile, as a caller gives them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["Overrides"]

Overrides = Mapping[str, object]
"""Values by the names of their settings, such as `{"nodes.count": 5}`. They are checked where the
profile is read."""
