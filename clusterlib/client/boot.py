"""A keeper that is starting, until it has its plan and answers; and its end if its starter changes
its mind.

Modules that are not needed to start the process are imported while it boots: the caller's imports
are on the critical path."""

from __future__ import annotations

import contextlib
import os
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from clusterlib.client.caller import caller_name
from clusterlib.errors import ClusterError, KeeperLost
from clusterlib.hosts.containment import AUTO
from clusterlib.hosts.launch import CHANNEL, start_detached
from clusterlib.hosts.places import runtime_dir
from clusterlib.remedies import do
from clusterlib.rundir.folders import RunFolder, new_run, prune_to_size
from clusterlib.rundir.lock import ClusterLock, note_holder
from clusterlib.waiting import Deadline

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster
    from clusterlib.client.connection import KeeperClient, Listener
    from clusterlib.messages.plan import Plan

__all__ = ["Boot"]

BOOT_SECONDS = 20.0
GIVE_UP_SECONDS = 30.0


class Boot:
    """A keeper that is starting. It is started at once, and gets its plan when that is known."""

    def __init__(self, lock: ClusterLock, control: Path, project: Path, name: str) -> None:
        self._lock = lock
        self._project, self._name = project, name
        marker = os.urandom(8).hex()
        self._log = _nameless(runtime_dir() / f"{marker}.boot")
        rung = os.environ.get("CLUSTERLIB_CONTAINMENT", AUTO)
        try:
            self._channel = start_detached(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "clusterlib.keeper.main",
                    CHANNEL,
                    str(lock.descriptor),
                    str(control),
                    rung,
                ],
                environment={**os.environ, "CLUSTERLIB_MARKER": marker},
                directory=project,
                log=self._log.fileno(),
                fds=(lock.descriptor,),
                begun=self._note,
            )
        except BaseException:
            self._log.close()
            raise
        self._client: KeeperClient | None = None
        self._control = control

    def _note(self, pid: int) -> None:
        """Writes the holder into the lock. The process boots meanwhile."""
        from clusterlib.hosts.identity import Identity

        self._lock.note(self._project, self._name)
        note_holder(self._lock.descriptor, Identity.of(pid))

    def start(self, plan: Plan, on_event: Listener | None) -> Cluster:
        import json

        from clusterlib.client.cluster import Cluster
        from clusterlib.client.connection import KeeperClient
        from clusterlib.messages.codec import plain
        from clusterlib.messages.plan import StartOrder
        from clusterlib.messages.requests import Keep, Start

        run = new_run(Path(plan.project), plan.name)
        client = self._client = KeeperClient(self._channel, plan.name, self._control)
        message = json.dumps(plain(StartOrder(plan, str(run.path), caller_name()))).encode()
        seconds = BOOT_SECONDS + plan.timeouts.start * (plan.retry.attempts + 1)
        try:
            client.send_raw(struct.pack("!Q", len(message)) + message, BOOT_SECONDS)
            _make_room(Path(plan.project), run)  # while the keeper reads its plan
            status = client.ask(Start(), seconds=seconds, on_event=on_event)
            if not plan.leased:
                status = client.ask(Keep())
        except KeeperLost as error:
            raise self._explain(error, run) from error
        self._log.close()
        return Cluster(client, status, self._lock)

    def give_up(self) -> None:
        """Ends the keeper and everything it started, and waits until they are gone, unless another
        client holds it.
        """
        from clusterlib.messages.requests import Abandon

        ended = True
        try:
            if self._client is not None:
                ended = self._client.ask(Abandon(), seconds=GIVE_UP_SECONDS).ended
        except KeeperLost:
            pass  # it is gone; or it does not answer, and then our disconnect has the same effect
        finally:
            if self._client is not None:
                self._client.close()
            self._channel.close()
            self._log.close()
        if ended:
            self._lock.wait_free(Deadline(GIVE_UP_SECONDS))

    def _explain(self, error: KeeperLost, run: RunFolder) -> ClusterError:
        evidence: list[str] = []
        with contextlib.suppress(OSError):
            self._log.seek(0)
            text = run.keeper_log.read_text(errors="replace") if run.keeper_log.exists() else self._log.read()
            evidence = text.splitlines()[-20:]
        return KeeperLost(
            error.problem, cause=error.cause, evidence=evidence, remedies=[do("cluster.doctor")]
        )


def _make_room(project: Path, run: RunFolder) -> None:
    from clusterlib.hosts.registry import Registry

    prune_to_size(project, {run.path, *(Path(entry.run) for entry in Registry().entries())})


def _nameless(path: Path) -> TextIO:
    """A file without a name: the keeper writes to it, we can read it, and it disappears when both
    end."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    path.unlink()
    return os.fdopen(descriptor, "r+", errors="replace")
