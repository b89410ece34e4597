"""Which tests run that need a cluster."""

from __future__ import annotations

import pytest

from clusterlib.testing.declared import FORBIDDEN, SKIPPED, distributed, wants_all

__all__ = ["select"]


def select(session: pytest.Session) -> list[pytest.Item] | None:
    """The distributed tests that run; the others get a mark that skips them. None if there is
    nothing to do for clusters.

    Called when it is known what -k, -m, paths, --lf, --deselect and --sw have left."""
    option = session.config.option
    found = list(distributed(session.items))
    planning = option.cluster_plan or bool(option.cluster_plan_to)
    forced = option.force_cluster and not option.no_cluster and bool(session.items)
    asked = bool(option.cluster_artifacts)  # must not report what an earlier run has left there
    if not (found or forced or planning or asked) or (option.collectonly and not planning):
        return None
    wanted = [] if option.no_cluster else found
    if wanted and not (option.cluster_plan or wants_all(option)):
        from clusterlib.testing.choice import asked_for  # few say -m

        wanted = asked_for(wanted, option.markexpr)
    chosen = set(map(id, wanted))
    for item in found:
        if id(item) not in chosen:
            item.add_marker(pytest.mark.skip(reason=FORBIDDEN if option.no_cluster else SKIPPED))
    return wanted if wanted or forced or planning or asked else None
