"""Commands as the requests of a load: a program is started for each of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import clusterlib
from clusterlib.errors import ClusterError, ProgramMissing, UsageError
from clusterlib.hosts import proc
from clusterlib.waiting import Deadline, poll

LATE = "no answer by the end"
Up = Callable[..., clusterlib.Cluster]


def test_each_request_is_a_command_that_knows_its_node(project: Path, up: Up) -> None:
    cluster = up("ci-small")
    written = project / "written"
    script = f'echo "$CLUSTERLIB_NODE $1 $2" >> {written}; test $CLUSTERLIB_NODE = node1 || {{ echo no tea >&2; exit 7; }}'
    words = ("sh", "-c", script, "sh", "{{ node.address }}", "{{ node.ports.http }}")

    found = cluster.load(None, *words, clients=2, seconds=0.7)

    good, bad = found.nodes
    assert good.requests > 0
    assert (set(good.errors) - {LATE}, bad.requests, set(bad.errors) - {LATE}) == (
        set(),
        0,
        {"exit code 7: no tea"},
    )
    lines = written.read_text().splitlines()
    assert set(lines) == {f"{one.name} {one.address} {one.ports['http']}" for one in cluster}
    late = sum(one.errors.get(LATE, 0) for one in found.nodes)  # such a command may not have written yet
    assert good.requests + bad.failed - late <= len(lines) <= good.requests + bad.failed + late
    assert (found.kind, found.total.failed) == ("command", bad.failed)
    assert (
        any("1 process of clients, and 2 commands" in limit.reason for limit in found.limits)
        or (os.cpu_count() or 1) > 4
    )


def test_a_command_that_takes_too_long_is_killed_with_what_it_has_started(project: Path, up: Up) -> None:
    cluster = up("ci-small")
    sleep = "sleep 3599.25"

    found = cluster.load(
        None, "sh", "-c", f"{sleep} & wait", clients=1, seconds=0.7, timeout=0.2, only=("node2",)
    )

    assert found.total.errors["timeout"] >= 1
    assert poll(lambda: not any(sleep in proc.command_line(pid) for pid in proc.processes()), Deadline(10))


def test_a_program_can_depend_on_the_node_and_end_by_any_signal(project: Path, up: Up) -> None:
    cluster = up("ci-small")
    for name in ("node1", "node2"):
        program = project / f"{name}.sh"
        program.write_text("#!/bin/sh\nkill -40 $$\n")
        program.chmod(0o700)

    found = cluster.load(None, f"{project}/{{{{ node.name }}}}.sh", clients=2, seconds=0.3)

    assert set(found.total.errors) - {LATE} == {"killed by signal 40"}


def test_what_cannot_be_run_is_refused_before_the_load(project: Path, up: Up) -> None:
    cluster = up("ci-small")
    for words, problem, remedy in [
        (("no-such-program",), "there is no program 'no-such-program'", "install no-such-program"),
        (("echo", "{{ node.ports.htp }}"), "'{{ node.ports.htp }}' cannot be filled in for node1", "http"),
        (("echo", "{{ node.nme"), "cannot be filled in", ""),
    ]:
        with pytest.raises(ClusterError) as refused:
            cluster.load(None, *words, clients=2, seconds=0.3)
        assert isinstance(refused.value, UsageError | ProgramMissing)
        assert problem in refused.value.problem
        assert remedy in " ".join(map(str, [*refused.value.remedies, refused.value.cause]))
    with pytest.raises(UsageError, match="two targets"):
        cluster.load("/health", "true", clients=2)
    with pytest.raises(UsageError, match="a target is missing"):
        cluster.load(clients=2)
    for target, words in ((None, ("true",)), ("shop:checkout", ())):
        options: list[dict[str, Any]] = [{"method": "POST"}, {"body": "x"}, {"port": "http"}]
        for option in options:
            with pytest.raises(UsageError, match=f"{next(iter(option))} is for HTTP requests"):
                cluster.load(target, *words, clients=2, **option)
    with pytest.raises(UsageError, match="9000 clients are too many for commands"):
        cluster.load(None, "true", clients=9000)

    typed = [sys.executable, "-m", "clusterlib", "load", "--clients", "2", "--seconds", "0.3", "--", "true"]
    printed = subprocess.run(typed, cwd=project, capture_output=True, check=True, text=True).stdout
    assert printed.startswith("true on cluster default: 2 clients, closed loop")
