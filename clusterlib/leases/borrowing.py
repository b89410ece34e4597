"""A cluster that was started by hand, or for this run. It is used if it fits.

It is never scaled and never ended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clusterlib.client.cluster import Cluster
from clusterlib.client.start import attach, is_running
from clusterlib.errors import ClusterError, ClusterNotRunning
from clusterlib.leases.fitting import misfit
from clusterlib.leases.situation import Running
from clusterlib.leases.terms import Terms
from clusterlib.remedies import DEFAULT_CLUSTER
from clusterlib.values.overrides import Overrides

__all__ = ["Lender"]


class Lender:
    """Finds the cluster of the project that may be borrowed: the one with the default name."""

    def __init__(self, project: Path, environ: Mapping[str, str]) -> None:
        self._given = bool(environ.get("CLUSTERLIB_RUN"))
        """Whether the tests run under `cluster.run`, which started this cluster for them."""
        self._name = environ.get("CLUSTERLIB_NAME") or DEFAULT_CLUSTER
        home = environ.get("CLUSTERLIB_PROJECT")
        self._project = Path(home) if self._given and home else project

    def look(self, terms: Terms, overrides: Overrides) -> tuple[Running, Cluster | None]:
        """What runs under that name, with a handle if it can be borrowed. The caller closes it."""
        none = Running(self._name)
        try:
            if not is_running(self._name, project=self._project):
                return none, None
            cluster = attach(self._name, project=self._project, check_code=False)
        except ClusterNotRunning:
            return none, None
        except ClusterError as error:
            return Running(self._name, unlike=f"cannot be borrowed: {error.problem}"), None
        try:
            unlike = self._unlike(cluster, terms, overrides)
        except BaseException:
            cluster.close()
            raise
        any_size = self._given or not terms.tests.auto
        return Running(self._name, len(cluster), unlike, any_size=any_size), cluster

    def _unlike(self, cluster: Cluster, terms: Terms, overrides: Overrides) -> str | None:
        if not self._given:
            return misfit(cluster.status(), terms, overrides)
        if cluster.profile != terms.resolved.name:
            return f"is of profile {cluster.profile}, tests ask for {terms.resolved.name}"
        return None
