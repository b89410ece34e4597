"""What the machine has to give, from files as different systems write them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib.machine.facts import Machine, detect_ci, detect_machine
from clusterlib.profiles.names import loopback_obstacle
from clusterlib.values.ports import PortRange

MEMINFO = "MemTotal:       16777216 kB\nMemFree:         1000000 kB\nMemAvailable:    8388608 kB\n"
V2_MOUNT = "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNTS = (
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
)
UNLIMITED = "9223372036854771712\n"

Detect = Callable[..., Machine]


@pytest.fixture
def detect(tmp_path: Path) -> Detect:
    """Builds a machine out of files, and looks at it."""

    def detected(files: dict[str, str], environ: dict[str, str] | None = None, affinity: int = 8) -> Machine:
        for name, text in {"proc/meminfo": MEMINFO, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return detect_machine(environ or {}, root=tmp_path, affinity=affinity)

    return detected


def test_without_cgroups_the_kernel_tells_what_there_is(detect: Detect) -> None:
    machine = detect({"proc/sys/net/ipv4/ip_local_port_range": "10000\t20000\n"})

    assert (machine.cpus, machine.memory) == (8.0, 8 * 2**30)
    assert machine.ephemeral == PortRange(10000, 20000)
    assert machine.reasons == (
        "no CI: none of its variables is set",
        "8 CPUs: those this process may run on",
        "8192 MiB free: /proc/meminfo",
    )


def test_a_machine_without_any_of_these_files_is_no_error(tmp_path: Path) -> None:
    machine = detect_machine({}, root=tmp_path, affinity=2)

    assert (machine.cpus, machine.ephemeral) == (2.0, PortRange(32768, 60999))


def test_the_tightest_group_above_us_limits_us(detect: Detect) -> None:
    group = "sys/fs/cgroup/ci.slice/job"
    machine = detect(
        {
            "proc/self/cgroup": "0::/ci.slice/job\n",
            "proc/self/mountinfo": V2_MOUNT,
            f"{group}/cpu.max": "max 100000\n",
            f"{group}/memory.max": "max\n",
            "sys/fs/cgroup/ci.slice/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/ci.slice/memory.max": f"{2**30}\n",
            "sys/fs/cgroup/ci.slice/memory.current": f"{600 * 2**20}\n",
            "sys/fs/cgroup/ci.slice/memory.stat": f"anon 5\ninactive_file {88 * 2**20}\n",
        }
    )

    assert machine.cpus == 1.5
    assert machine.memory == 512 * 2**20, "what is used goes off, but for cache that can be dropped"
    assert machine.reasons[1:] == (
        "1.5 CPUs: /sys/fs/cgroup/ci.slice/cpu.max",
        "512 MiB free: /sys/fs/cgroup/ci.slice/memory.max",
    )


def test_version_1_has_a_hierarchy_for_each_controller(detect: Detect) -> None:
    machine = detect(
        {
            "proc/self/cgroup": "4:memory:/job\n2:cpu,cpuacct:/\n1:name=systemd:/x\n0::/\n",
            "proc/self/mountinfo": V1_MOUNTS,
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": UNLIMITED,
            "sys/fs/cgroup/memory/job/memory.limit_in_bytes": f"{2**29}\n",
            "sys/fs/cgroup/memory/job/memory.usage_in_bytes": f"{2**28}\n",
        }
    )

    assert (machine.cpus, machine.memory) == (0.5, 2**28)


@pytest.mark.parametrize(
    ("membership", "mount"),
    [
        ("0::/docker/abc", "31 23 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup ro\n"),
        ("0::/../../other", "31 23 0:28 / /sys/fs/cgroup ro - cgroup2 cgroup ro\n"),
        ("0::/", "31 23 0:28 / /sys/fs/cgroup ro - cgroup2 cgroup ro\n"),
    ],
)
def test_inside_a_container_our_group_is_the_mount_itself(
    detect: Detect, membership: str, mount: str
) -> None:
    machine = detect(
        {
            "proc/self/cgroup": membership + "\n",
            "proc/self/mountinfo": mount,
            "sys/fs/cgroup/cpu.max": "200000 100000\n",
        }
    )

    assert machine.cpus == 2.0


def test_a_mount_with_a_blank_in_its_path_is_found(detect: Detect) -> None:
    machine = detect(
        {
            "proc/self/cgroup": "0::/\n",
            "proc/self/mountinfo": "31 23 0:28 / /my\\040groups rw - cgroup2 none rw\n",
            "my groups/cpu.max": "100000 100000\n",
        }
    )

    assert machine.cpus == 1.0


@pytest.mark.parametrize("quota", ["max 100000", "", "nonsense", "-1 100000", "100000 0", "1600000 100000"])
def test_what_limits_nothing_leaves_the_cpus_alone(detect: Detect, quota: str) -> None:
    machine = detect(
        {
            "proc/self/cgroup": "0::/\n",
            "proc/self/mountinfo": V2_MOUNT + "garbage\n",
            "sys/fs/cgroup/cpu.max": quota,
        }
    )

    assert machine.cpus == 8.0


@pytest.mark.parametrize("text", ["", "a b", "1 2 3", "60999 32768", "-5 70000"])
def test_a_senseless_range_of_the_kernel_is_not_believed(detect: Detect, text: str) -> None:
    assert detect({"proc/sys/net/ipv4/ip_local_port_range": text}).ephemeral == PortRange(32768, 60999)


def test_this_very_machine_can_be_looked_at() -> None:
    machine = detect_machine({})

    assert machine.cpus > 0
    assert machine.memory > 0


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"GITHUB_ACTIONS": "true", "CI": "true"}, "GitHub Actions"),
        ({"GITLAB_CI": "true", "CI": "true"}, "GitLab CI"),
        ({"JENKINS_URL": "https://ci.example"}, "Jenkins"),
        ({"BUILDKITE": "true", "CI": "true"}, "Buildkite"),
        ({"CIRCLECI": "true", "CI": "true"}, "CircleCI"),
        ({"TF_BUILD": "True"}, "Azure Pipelines"),
        ({"TRAVIS": "true", "CI": "true"}, "Travis CI"),
        ({"CI": "1"}, "CI"),
        ({"CI": "woodpecker"}, "CI"),
        ({"CI": ""}, None),
        ({"CI": "0"}, None),
        ({"CI": "False"}, None),
        ({"CI": "false", "GITHUB_ACTIONS": "true"}, None),
        ({"GITHUB_ACTIONS": "false"}, None),
        ({}, None),
    ],
)
def test_each_ci_system_is_known_by_its_variables(environ: dict[str, str], name: str | None) -> None:
    assert detect_ci(environ)[0] == name


def test_names_of_this_machine_lead_to_it_and_others_do_not() -> None:
    assert loopback_obstacle("127.0.0.1") is None
    assert loopback_obstacle("127.3.2.1") is None
    assert loopback_obstacle("localhost") is None
    assert loopback_obstacle("192.0.2.1") == "resolves to 192.0.2.1, which is not this machine's loopback"
    assert loopback_obstacle("no.such.name.invalid", patience=0.2) is not None
    assert loopback_obstacle("x" * 300) == "does not resolve here"


def test_a_host_name_is_looked_up_by_whoever_may_have_no_more_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert loopback_obstacle("localhost") is None
