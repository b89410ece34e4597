"""What holds for every shipped server, whatever it is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from clusterlib.errors import NotSupported
from clusterlib.hosts import proc
from clusterlib.operations.health import examine_health
from clusterlib.operations.shell import run_own_shell
from clusterlib.waiting import Deadline, poll
from tests.systems.conftest import System, slow_ones_nightly
from tests.systems.services import SEARCH, SERVICES, running

PROGRAMS = {
    "redis": ("redis-server", "redis-cli"),
    "redis-sentinel": ("redis-server", "redis-cli"),
    "etcd": ("etcd", "etcdctl"),
    "nats": ("nats-server",),
    "postgres": ("postgres", "initdb", "pg_basebackup", "psql"),
    "rabbitmq": ("rabbitmq-server", "rabbitmqctl", "erl_call"),
}
FOLDERS = (*SEARCH, "/usr/lib/erlang/lib/erl_interface-*/bin")
SHELL = {
    "redis": ("ping", "PONG"),
    "redis-sentinel": ("ping", "PONG"),
    "etcd": ("member list", "started, etcd1"),
    "postgres": ("select 40 + 2", "42"),
    "rabbitmq": ("await_startup --quiet", ""),
}
TESTS = """
import pytest

pytestmark = pytest.mark.cluster(profile="PROFILE")


def test_it_is_there(cluster):
    assert cluster.state == "ready"
    assert cluster.nodes[0].ports
    with open("pids", "w") as file:
        file.write(repr([node.pid for node in cluster]))
    cluster.nodes[-1].kill()


def test_it_is_healed(cluster, cluster_nodes):
    assert cluster.state == "ready"
    with open("pids") as file:
        before = eval(file.read())
    now = [node.pid for node in cluster_nodes]
    assert now[:-1] == before[:-1] and now[-1] != before[-1]


@pytest.mark.cluster_size(90)
def test_it_is_too_large_for_this_machine(cluster):
    pass


def test_it_fails(cluster):
    assert False
"""


@pytest.fixture
def profile(request: pytest.FixtureRequest, needs: Callable[..., ModuleType]) -> str:
    name = str(request.param)
    needs("json", *PROGRAMS[name], search=FOLDERS)
    return name


@pytest.mark.parametrize("profile", slow_ones_nightly(PROGRAMS), indirect=True)
@pytest.mark.timeout(300)
def test_it_lives_beside_a_system_service_on_the_standard_port(profile: str, system: System) -> None:
    service = SERVICES[profile.removesuffix("-sentinel")]
    with running(service) as lives:
        cluster = system(profile)

        assert cluster.state == "ready"
        assert not set(service.ports) & {port for node in cluster for port in node.ports.values()}
        assert examine_health(project=cluster.project).healthy
        cluster.down()
        assert lives(), "the service does not notice"


@pytest.mark.parametrize("profile", slow_ones_nightly(PROGRAMS), indirect=True)
@pytest.mark.timeout(300)
def test_its_shell_its_logs_and_what_it_cannot_do(
    profile: str, system: System, capfd: pytest.CaptureFixture[str]
) -> None:
    cluster = system(profile)
    first = cluster.nodes[0]

    if profile in SHELL:
        code, answer = SHELL[profile]
        assert run_own_shell(first.name, code=code, project=cluster.project) == 0
        assert answer in capfd.readouterr().out
    assert first.log()
    with pytest.raises(NotSupported, match="takes no calls"):
        first.call("os:getpid")
    if profile in {"redis", "redis-sentinel", "etcd"}:
        with pytest.raises(NotSupported, match=f"stays at {len(cluster)} nodes: "):
            cluster.scale(len(cluster) + 1)
    rows = examine_health(project=cluster.project).nodes
    memory = {row.node: check.evidence for row in rows for check in row.checks if check.name == "memory"}
    assert all(int(told.split()[0]) > 0 for told in memory.values()), memory


@pytest.mark.parametrize("profile", PROGRAMS, indirect=True)
@pytest.mark.timeout(300)
def test_tests_have_it_by_fixture_and_marker(profile: str, project: Path) -> None:
    (project / "test_shop.py").write_text(TESTS.replace("PROFILE", profile))
    foreign = ("CLUSTERLIB_", "PYTEST_", "CI", "GITHUB_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--distributed", "-p", "no:cacheprovider"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 failed, 2 passed, 1 error" in done.stdout, done.stdout
    assert "asks for 90 nodes; this machine carries" in done.stdout
    assert "report of this run" in done.stdout
    assert poll(
        lambda: not [pid for pid in proc.processes() if str(project) in proc.command_line(pid)], Deadline(5)
    )
