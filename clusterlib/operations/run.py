"""Run a command with a cluster: a new one, or the running one."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from clusterlib.client.cluster import Cluster
from clusterlib.client.environment import environment_of
from clusterlib.client.start import cluster_name, project_folder, up
from clusterlib.errors import ClusterError, UsageError
from clusterlib.frozen import frozen
from clusterlib.hosts.command_groups import TIMED_OUT
from clusterlib.hosts.launch import run_command
from clusterlib.hosts.logs import tail
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.examiner import OperationsExaminer
from clusterlib.operations.parameters import (
    ArtifactFolder,
    ClusterName,
    NodeCount,
    ProfileName,
    Simulate,
    Timeout,
    Verbose,
)
from clusterlib.operations.result import Result
from clusterlib.operations.views import ClusterView
from clusterlib.remedies import do
from clusterlib.testing.command_evidence import CommandEvidence
from clusterlib.waiting import Deadline

__all__ = ["CommandReady", "Ran", "environment_of", "run"]

TAIL = 15
FAILED = 1


@frozen
class Ran(Result):
    command: tuple[str, ...]
    exit_code: int
    timed_out: bool
    borrowed: bool
    """Whether the cluster ran before, and still does."""
    cluster: str
    profile: str
    simulated: bool
    run: str
    """The run folder: logs, events, configurations."""
    tails: Mapping[str, tuple[str, ...]]
    """The last lines of each node, when the command failed."""
    seconds: float
    timeout: float | None = None
    """Seconds after which it would have been ended."""
    artifacts: str | None = None
    """The folder with the report, if one was asked for."""

    @property
    def exit_status(self) -> int:
        return self.exit_code


@frozen
class CommandReady(Result):
    """The cluster is there, and the command begins."""

    cluster: ClusterView
    borrowed: bool
    command: tuple[str, ...]
    verbose: bool


@operation(effect="execute")
def run(
    caller: Caller,
    *command: str,
    profile: ProfileName | None = None,
    name: ClusterName | None = None,
    nodes: NodeCount | None = None,
    simulate: Simulate = False,
    timeout: Timeout | None = None,
    verbose: Verbose = False,
    artifacts: ArtifactFolder | None = None,
) -> Ran:
    """Run a command (after `--`), or the profile's tests, with a new or running cluster.

    A cluster that was started for it is gone afterwards; one that ran already is left as it was.
    With `artifacts` that folder has a report of it all, also where the cluster did not start."""
    began = time.monotonic()
    deadline = Deadline(timeout) if timeout is not None else None
    folder = project_folder(caller.project)
    evidence = CommandEvidence(artifacts, command, profile, folder, OperationsExaminer())
    evidence.start()
    code, tails = FAILED, dict[str, tuple[str, ...]]()
    try:
        with up(
            profile,
            name=name,
            nodes=nodes,
            simulate=simulate or None,
            project=folder,
            on_event=caller.on_event,
        ) as cluster:
            words = list(command) or _tests(profile or cluster.profile, folder, verbose=verbose)
            borrowed = bool(cluster.notes)
            caller.show(CommandReady(ClusterView.of(cluster.status()), borrowed, tuple(words), verbose))
            evidence.ready(cluster, words, borrowed=borrowed)
            started = time.monotonic()
            code = TIMED_OUT
            if deadline is None or not deadline.passed:
                code = run_command(
                    words,
                    environment={**os.environ, **environment_of(cluster)},
                    directory=folder if not command else None,
                    timeout=None if deadline is None else deadline.left,
                )
            evidence.ended(cluster, code, time.monotonic() - started)
            tails = _tails(cluster) if code else {}
    except ClusterError as error:
        evidence.failed(error, cluster_name(name))
        raise
    finally:
        evidence.finish(code)
    return Ran(
        command=tuple(words),
        exit_code=code,
        timed_out=code == TIMED_OUT and deadline is not None and deadline.passed,
        borrowed=borrowed,
        cluster=cluster.name,
        profile=cluster.profile,
        simulated=cluster.simulated,
        run=str(cluster.run_folder.path),
        tails=tails,
        timeout=timeout,
        artifacts=str(evidence.folder) if evidence.folder else None,
        seconds=round(time.monotonic() - began, 4),
    )


def _tests(profile: str, project: Path, *, verbose: bool) -> list[str]:
    """The command of the profile's own tests. If it names none, pytest finds them."""
    from clusterlib.profiles import load_profile  # only here: a given command should not wait for it

    loaded = load_profile(profile, project=project)
    tests = loaded.values.tests
    if tests.command:
        return [*tests.command, *tests.args]
    missing = [path for path in tests.paths if not (project / path.partition("::")[0]).exists()]
    if missing:
        raise UsageError(
            f"the profile {profile} serves tests in {', '.join(missing)}, which {project} does not have",
            evidence=[f"tests.paths is from {loaded.origin('tests.paths')}"],
            remedies=[
                "correct it, or remove it: then pytest finds the tests by itself",
                do("cluster.run", profile=profile, command=["python", "-m", "pytest"]),
            ],
        )
    return [sys.executable, "-m", "pytest", *(["-v"] if verbose else []), *tests.paths, *tests.args]


def _tails(cluster: Cluster) -> dict[str, tuple[str, ...]]:
    """What the nodes printed last, for a terminal or a log of CI: without secrets."""
    from clusterlib.evidence.redaction import redactor_for

    clean = redactor_for([cluster.run_folder.path], os.environ).text
    return {
        node.name: tuple(clean(line.text) for line in tail(cluster.run_folder.log(node.name), TAIL))
        for node in cluster
    }
