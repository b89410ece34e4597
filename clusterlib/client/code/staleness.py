"""The warning of `attach` that nodes run other code than is on disk."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from clusterlib.client.code.looking import look_at_code, some_files
from clusterlib.errors import StaleCodeWarning

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster

__all__ = ["warn_if_stale"]


def warn_if_stale(cluster: Cluster) -> None:
    """Warns the caller of `attach`. If the warning is an exception, the handle is closed."""
    try:
        look = look_at_code(cluster, build=False)
        found = []
        if look.changed:
            files = some_files(look.changed, cluster.project)
            found.append(f"runs other code than is on disk ({files}); clusterlib.up() restarts its nodes")
        if look.unasked:
            found.append(f"has nodes that could not be asked which code they run: {', '.join(look.unasked)}")
        if found:
            text = f"cluster '{cluster.name}' {', and '.join(found)}"
            warnings.warn(text, StaleCodeWarning, stacklevel=3)
    except BaseException:
        cluster.close()
        raise
