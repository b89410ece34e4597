"""The resources of this machine, and whether it is a CI machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clusterlib.frozen import frozen
from clusterlib.machine.cgroups import cpu_limit, memory_limit
from clusterlib.values.ports import LAST_PORT, PortRange

__all__ = ["Machine", "detect_ci", "detect_machine"]

USUAL_EPHEMERAL = PortRange(32768, 60999)
NO = ("", "0", "false", "no", "off")

# The order matters: several systems also set the plain `CI`.
SYSTEMS = (
    ("GITHUB_ACTIONS", "GitHub Actions"),
    ("GITLAB_CI", "GitLab CI"),
    ("JENKINS_URL", "Jenkins"),
    ("BUILDKITE", "Buildkite"),
    ("CIRCLECI", "CircleCI"),
    ("TF_BUILD", "Azure Pipelines"),
    ("TRAVIS", "Travis CI"),
    ("CI", "CI"),
)


@frozen
class Machine:
    """The resources that we may use."""

    ci: str | None
    """The name of the CI system, None on a developer's machine."""
    cpus: float
    memory: int
    """Free bytes that we may use."""
    ephemeral: PortRange = USUAL_EPHEMERAL
    """The ports that the kernel gives to outgoing connections."""
    reasons: tuple[str, ...] = ()
    """How each of these values was determined."""

    @property
    def name(self) -> str:
        """The beginning of reasons: "GitHub Actions: 2 CPUs -> 2 nodes"."""
        return self.ci or "this machine"

    def to_json(self) -> dict[str, Any]:
        return {
            "ci": self.ci,
            "cpus": self.cpus,
            "memory": self.memory,
            "ephemeral": str(self.ephemeral),
            "reasons": list(self.reasons),
        }


def detect_machine(
    environ: Mapping[str, str] | None = None, root: Path = Path("/"), affinity: int | None = None
) -> Machine:
    """Reads the environment, /proc, the cgroups below `root`, and the CPUs that this process may
    use."""
    environ = os.environ if environ is None else environ
    ci, why_ci = detect_ci(environ)
    cpus, why_cpus = _cpus(root, len(os.sched_getaffinity(0)) if affinity is None else affinity)
    memory, why_memory = _memory(root)
    return Machine(ci, cpus, memory, _ephemeral(root), (why_ci, why_cpus, why_memory))


def detect_ci(environ: Mapping[str, str]) -> tuple[str | None, str]:
    """The CI system, and the variable that shows it.

    `CI=false` has precedence, since a person has set it."""
    if environ.get("CI", "").strip().lower() in NO and environ.get("CI", "").strip():
        return None, f"no CI: CI={environ['CI'].strip()}"
    for variable, name in SYSTEMS:
        value = environ.get(variable, "").strip()
        if value.lower() not in NO:
            return name, f"{name}: {variable} is set"
    return None, "no CI: none of its variables is set"


def _cpus(root: Path, affinity: int) -> tuple[float, str]:
    limit = cpu_limit(root)
    if limit is not None and limit.amount < affinity:
        return limit.amount, f"{limit.amount:g} CPUs: {limit.file}"
    return float(affinity), f"{affinity} CPUs: those this process may run on"


def _memory(root: Path) -> tuple[int, str]:
    free = _available(root)
    limit = memory_limit(root)
    if limit is not None and (free is None or limit.amount < free):
        return int(limit.amount), f"{_mebibytes(int(limit.amount))} free: {limit.file}"
    if free is None:
        return 2**40, "memory unknown: no /proc/meminfo"
    return free, f"{_mebibytes(free)} free: /proc/meminfo"


def _mebibytes(amount: int) -> str:
    return f"{amount // 2**20} MiB"


def _available(root: Path) -> int | None:
    try:
        with (root / "proc/meminfo").open() as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return None
    return None


def _ephemeral(root: Path) -> PortRange:
    try:
        first, last = (root / "proc/sys/net/ipv4/ip_local_port_range").read_text().split()
        found = PortRange(int(first), int(last))
    except (OSError, ValueError):
        return USUAL_EPHEMERAL
    return found if 0 < found.first <= found.last <= LAST_PORT else USUAL_EPHEMERAL
