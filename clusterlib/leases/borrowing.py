"""A cluster that was started by hand, or for this run: used if it fits, never scaled, never
ended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clusterlib.client.cluster import Cluster
from clusterlib.client.start import attach, is_running
from clusterlib.errors import DEFAULT_CLUSTER, ClusterError, ClusterNotRunning
from clusterlib.leases.fitting import misfit
from clusterlib.leases.need import Need
from clusterlib.leases.terms import Terms

__all__ = ["Lender", "nodes_asked_for"]


def nodes_asked_for(need: Need, terms: Terms) -> str:
    count = need.size or terms.shape.count
    return f"exactly {count}" if need.exact else str(count)


class Lender:
    """Knows which cluster of the project may be borrowed: the one with the default name."""

    def __init__(self, project: Path, environ: Mapping[str, str]) -> None:
        self.given = bool(environ.get("CLUSTERLIB_RUN"))
        """The tests run under `cluster.run`: this cluster was started for them."""
        self.name = environ.get("CLUSTERLIB_NAME") or DEFAULT_CLUSTER
        home = environ.get("CLUSTERLIB_PROJECT")
        self._project = Path(home) if self.given and home else project

    def borrow(
        self, terms: Terms, need: Need, overrides: Mapping[str, object], *, as_it_is: bool
    ) -> tuple[Cluster | None, str | None]:
        """The running cluster if it fits, else the reason why not. Neither if none runs.

        `as_it_is`: a need without a size accepts any size."""
        try:
            if not is_running(self.name, project=self._project):
                return None, None
            cluster = attach(self.name, project=self._project, check_code=False)
        except ClusterNotRunning:
            return None, None
        except ClusterError as error:
            return None, f"cluster {self.name} cannot be borrowed: {error.problem}"
        try:
            why = self._misfit(cluster, terms, need, overrides, as_it_is=as_it_is)
        except BaseException:
            cluster.close()
            raise
        if why is None:
            cluster.protect()
            return cluster, None
        cluster.close()
        return None, f"cluster {cluster.name} {why}"

    def _misfit(
        self, cluster: Cluster, terms: Terms, need: Need, overrides: Mapping[str, object], *, as_it_is: bool
    ) -> str | None:
        count = len(cluster)
        asked = nodes_asked_for(need, terms)
        if self.given:
            if cluster.profile != terms.resolved.name:
                return f"is of profile {cluster.profile}, tests ask for {terms.resolved.name}"
        elif why := misfit(cluster.status(), terms, overrides):
            return why
        enough = need.size or (1 if as_it_is or self.given else terms.shape.count)
        if count < enough or (need.exact and count != enough):
            return f"runs with {count} {'node' if count == 1 else 'nodes'}, tests ask for {asked}"
        return None
