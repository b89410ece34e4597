"""`up` starts a cluster or joins the running one; `attach` only joins.

A cold `up` takes the cluster's lock and starts the keeper. While the keeper boots, it reads the
profile and makes the plan. It sends the plan, watches the nodes start, and keeps the connection,
which is the lease.

Modules that are not needed to start the keeper are imported while it boots: the caller's imports
are on the critical path."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.client.arguments import check_start
from clusterlib.client.boot import Boot
from clusterlib.client.caller import caller_name
from clusterlib.client.watching import handed_out
from clusterlib.errors import (
    ClusterConflict,
    ClusterError,
    ClusterNotRunning,
    KeeperLost,
    NotInTime,
    TemplateError,
)
from clusterlib.hosts.essentials import check_essentials
from clusterlib.hosts.places import runtime_dir, socket_path
from clusterlib.hosts.streams import open_standard_streams
from clusterlib.messages.states import ClusterState, NodeState
from clusterlib.remedies import DEFAULT_CLUSTER, do
from clusterlib.rundir.folders import check_name, cluster_identifier, latest_run
from clusterlib.rundir.lock import ClusterLock, lock_of
from clusterlib.values.overrides import Overrides
from clusterlib.waiting import Deadline, poll

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster
    from clusterlib.client.connection import KeeperClient, Listener
    from clusterlib.messages.status import ClusterStatus, NodeStatus

__all__ = [
    "all_locks",
    "attach",
    "cluster_name",
    "is_running",
    "lock_of",
    "project_folder",
    "taken_locks",
    "up",
]

Greeting = Callable[["KeeperClient", Deadline], "ClusterStatus"]
JOIN_SECONDS = 60.0
SETTLING = 5.0


def up(
    profile: str | None = None,
    *,
    name: str | None = None,
    nodes: int | None = None,
    simulate: bool | None = None,
    project: Path | str | None = None,
    overrides: Overrides | None = None,
    hold: bool = True,
    join: bool = True,
    on_event: Listener | None = None,
) -> Cluster:
    """Start a cluster of this profile, or join the one of that name if it runs already.

    Without arguments, joins the running cluster, or starts the project's default profile. With a
    profile, nodes or a mode, a running cluster must match them; otherwise ClusterConflict.

    With `join=False`, never joins: ClusterConflict if the cluster runs. Of several callers at once,
    exactly one starts it.

    With `hold`, the cluster ends with the last handle on it, also if that process is killed.
    Without, it runs until `down`."""
    check_essentials()
    open_standard_streams()
    check_start(name, project, profile, overrides, simulate, hold=hold, join=join)
    folder = project_folder(project)
    called = cluster_name(name)
    wanted = dict(overrides or {})
    if nodes is not None:
        wanted["nodes.count"] = nodes
    if simulate is not None:
        wanted["simulate"] = simulate
    lock = lock_of(folder, called)
    deadline = Deadline(JOIN_SECONDS)
    try:
        while True:
            if lock.take():
                return handed_out(_start(lock, profile, called, folder, wanted, hold, on_event))
            cluster = _join(folder, called, lock, deadline, _lease if join else _refuse)
            if cluster is not None:
                return handed_out(_fit(cluster, profile, wanted, hold, on_event))
    except ClusterError as error:
        error.of_cluster(called, profile)
        raise


def attach(
    name: str | None = None,
    *,
    project: Path | str | None = None,
    sole: bool = False,
    check_code: bool = True,
) -> Cluster:
    """Join the cluster of that name, which must be running. The handle keeps it running. Nothing is
    changed.

    With `sole`, no one else may hold it at that moment; otherwise ClusterBusy. With `check_code`,
    warns (StaleCodeWarning) if its nodes run other code than is on disk; `up` would restart them.
    """
    check_essentials()
    open_standard_streams()
    check_start(name, project, sole=sole, check_code=check_code)
    folder = project_folder(project)
    called = cluster_name(name)
    lock = lock_of(folder, called)
    greet = functools.partial(_lease, sole=sole)
    try:
        cluster = None if lock.is_free() else _join(folder, called, lock, Deadline(JOIN_SECONDS), greet)
    except ClusterError as error:
        error.of_cluster(called)
        raise
    if cluster is None:
        raise ClusterNotRunning(
            f"cluster '{called}' is not running",
            cause=_last_words(folder, called),
            remedies=[do("cluster.up")],
        ).of_cluster(called)
    if check_code:
        from clusterlib.client.code.staleness import warn_if_stale

        warn_if_stale(cluster)
    return handed_out(cluster)


def is_running(name: str | None = None, *, project: Path | str | None = None) -> bool:
    return not lock_of(project_folder(project), cluster_name(name)).is_free()


def cluster_name(name: str | None) -> str:
    return check_name(name or os.environ.get("CLUSTERLIB_NAME") or DEFAULT_CLUSTER)


def project_folder(project: Path | str | None) -> Path:
    from clusterlib.profiles import find_project

    given = project or os.environ.get("CLUSTERLIB_PROJECT")
    return Path(given).resolve() if given else find_project(Path.cwd())


def all_locks() -> list[ClusterLock]:
    """The locks of this user's clusters in all projects.

    Clusters that did not end in order have free locks."""
    return [ClusterLock(path) for path in sorted(runtime_dir().glob("*.lock"))]


def taken_locks() -> list[ClusterLock]:
    """The locks of clusters that are starting, running or ending."""
    return [lock for lock in all_locks() if not lock.is_free()]


# -- starting a new one


def _start(
    lock: ClusterLock,
    profile: str | None,
    name: str,
    project: Path,
    overrides: Overrides,
    hold: bool,
    on_event: Listener | None,
) -> Cluster:
    boot: Boot | None = None
    try:
        boot = Boot(lock, socket_path(cluster_identifier(project, name)), project, name)
        lock.let_go()  # the keeper has inherited it
        from clusterlib.client.planning import plan_for
        from clusterlib.hosts.registry import sweep_leftovers
        from clusterlib.profiles import default_profile

        sweep_leftovers()  # before the keeper gets its plan, so that what it makes is not taken for remains
        wanted = profile or default_profile(project)
        plan = plan_for(
            wanted, name=name, project=project, overrides=overrides, leased=hold, on_event=on_event
        )
        try:
            return boot.start(plan, on_event)
        except TemplateError as error:
            from clusterlib.client.planning import places_of_mistakes

            error.evidence = error.evidence or places_of_mistakes(wanted, project, overrides)
            raise
    except BaseException:
        lock.let_go()
        if boot is not None:
            boot.give_up()
        lock.remove()
        raise


# -- joining a running one


def _join(project: Path, name: str, lock: ClusterLock, deadline: Deadline, greet: Greeting) -> Cluster | None:
    """A handle on the running cluster, once it is ready; None if it ended meanwhile.

    `greet` sends the first request and returns the status; it raises ClusterNotRunning if the
    cluster is ending."""
    from clusterlib.client.cluster import Cluster
    from clusterlib.client.connection import KeeperClient

    identifier = cluster_identifier(project, name)
    control = socket_path(identifier)

    def answer() -> KeeperClient | str | None:
        if control.exists():
            try:
                return KeeperClient.connect(control, name)
            except KeeperLost:
                pass
        if lock.is_free():
            return "gone"
        if _keeper_is_dead(identifier):
            from clusterlib.hosts.registry import sweep_leftovers

            sweep_leftovers()  # its guard holds the lock: waits for it, and ends one that is paused
        return None

    client = poll(answer, deadline)
    met = _mark(control)
    if not isinstance(client, KeeperClient):
        if client is None:
            raise KeeperLost(
                f"cluster '{name}' is being started or ended by someone, but its keeper does not answer",
                remedies=[do("cluster.status"), do("cluster.down")],
            )
        return None
    lost: KeeperLost | None = None
    try:
        return Cluster(client, greet(client, deadline), lock)
    except ClusterNotRunning:
        client.close()  # it is ending: a client that wants a new one waits for that
    except KeeperLost as error:
        client.close()
        deadline, lost = Deadline(SETTLING), error
    except BaseException:
        client.close()
        raise
    if poll(lambda: lock.is_free() or _keeper_is_dead(identifier) or _mark(control) != met, deadline):
        return None
    raise lost or KeeperLost(
        f"cluster '{name}' is being stopped by someone, but does not end",
        remedies=[do("cluster.down")],
    )


def _mark(control: Path) -> tuple[int, int] | None:
    """Distinguishes a keeper's socket from that of the next keeper."""
    try:
        seen = control.stat()
    except FileNotFoundError:
        return None
    return seen.st_ino, seen.st_ctime_ns


def _refuse(client: KeeperClient, _: Deadline) -> ClusterStatus:
    """Joins nothing. Raises ClusterNotRunning if the cluster is ending, which is waited for."""
    from clusterlib.messages.requests import StatusRequest

    status = client.ask(StatusRequest())
    if status.is_ending:
        raise ClusterNotRunning("the cluster is being stopped")
    name = status.name
    raise ClusterConflict(
        f"cluster '{name}' runs already",
        cause="a new cluster was requested, and the running one must not be joined",
        evidence=[f"profile {status.profile}, {len(status.nodes)} nodes, {status.state}"],
        remedies=[do("cluster.up", name=f"{name}-2"), do("cluster.down", name=name)],
    )


def _lease(client: KeeperClient, deadline: Deadline, *, sole: bool = False) -> ClusterStatus:
    """Takes a lease and waits until the cluster has started.

    Raises ClusterNotRunning if it is ending."""
    from clusterlib.messages.requests import TakeLease

    first = client.ask(TakeLease(caller_name(), sole))
    limit = Deadline(deadline.left + first.timeouts.start)
    status: ClusterStatus | None = first
    if first.state is ClusterState.STARTING:
        status = poll(lambda: _unless_starting(client), limit)
    if status is None:
        raise NotInTime(
            f"the cluster is being started by another process and did not become ready within {limit.seconds:.0f} s",
            remedies=[do("cluster.status"), do("cluster.logs"), do("cluster.down")],
        )
    if status.is_ending:
        raise ClusterNotRunning("the cluster is being stopped")
    return status


def _keeper_is_dead(identifier: str) -> bool:
    from clusterlib.hosts.registry import Registry

    return any(entry.identifier == identifier and entry.dead() for entry in Registry().entries())


def _unless_starting(client: KeeperClient) -> ClusterStatus | None:
    """The status once it is not `starting` any more; None until then."""
    from clusterlib.messages.requests import StatusRequest

    status = client.ask(StatusRequest())
    return None if status.state is ClusterState.STARTING else status


def _fit(
    cluster: Cluster,
    profile: str | None,
    overrides: Overrides,
    hold: bool,
    on_event: Listener | None,
) -> Cluster:
    """Refuses a running cluster that does not match the request, and updates its code."""
    from clusterlib.client.code.looking import look_at_code, restarted_in_words, some_files
    from clusterlib.client.condition import notes_on_ended

    try:
        status = cluster.status()
        if profile or overrides:
            from clusterlib.client.differences import check_shape

            check_shape(status, profile, overrides, cluster.project)
        notes = [f"cluster '{cluster.name}' was running already"]
        look = look_at_code(cluster, on_event)
        if look.changed:
            if outdated := look.outdated(status):
                cluster.restart(*outdated, on_event=on_event)
                status = cluster.status()
            files = some_files(look.changed, cluster.project)
            restarted = restarted_in_words(status, outdated)
            notes.append(f"its code had changed ({files}); {restarted} were restarted")
        else:
            status = _when_settled(cluster, status)
        if look.unasked and not look.changed:
            notes.append(f"{', '.join(look.unasked)} could not be asked which code it runs")
        cluster.notes = (*notes, *notes_on_ended(status))
        if not hold and cluster.leased:
            cluster.keep()
    except BaseException:
        cluster.close()
        raise
    return cluster


def _when_settled(cluster: Cluster, status: ClusterStatus) -> ClusterStatus:
    """The status when no node is starting or ending any more: another process may be restarting
    them at this moment."""
    if not _changing(status):
        return status
    limit = Deadline(status.timeouts.stop + status.timeouts.start)

    def settled() -> ClusterStatus | None:
        now = cluster.status()
        return None if _changing(now) else now

    found = poll(settled, limit)
    if found is None:
        raise NotInTime(
            f"the nodes were restarted by another process and did not become ready within {limit.seconds:.0f} s",
            evidence=[f"{node.name} is {node.state}" for node in _changing(cluster.status())],
            remedies=[do("cluster.status"), do("cluster.logs"), do("cluster.down")],
        )
    return found


def _changing(status: ClusterStatus) -> list[NodeStatus]:
    return [node for node in status.nodes if node.state in {NodeState.STARTING, NodeState.STOPPING}]


def _last_words(project: Path, name: str) -> str | None:
    run = latest_run(project, name)
    if run is None:
        return "no cluster of that name was ever started here"
    state = run.read_state()
    if state is not None and state.state is ClusterState.STOPPED:
        return "it was stopped"
    return f"its keeper died; what it left is in {run.path}" if state else None
