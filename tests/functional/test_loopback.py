"""Where loopback does not work, errors say that, and not that ports are taken or nodes are slow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux")

WITHOUT_ADDRESS = "ip link set lo up && ip address del 127.0.0.1/8 dev lo"
DOWN = "ip link set lo up && ip link set lo down"


def alone(folder: Path, loopback: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs a task in a network of its own, whose loopback is in that state."""
    (folder / "pyproject.toml").touch()
    apart = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", f'{loopback} && exec "$@"', "sh"]
    with TemporaryDirectory(dir="/tmp") as runtime:
        ended = subprocess.run(
            [*apart, sys.executable, "-m", "clusterlib", *words],
            check=False,
            cwd=folder,
            env={**os.environ, "CLUSTERLIB_RUNTIME_DIR": runtime, "CLUSTERLIB_TIMEOUTS_START": "3"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
    if "unshare failed" in ended.stderr or "ip: not found" in ended.stderr:
        pytest.skip("this machine lets no user have a network namespace")
    return ended


@pytest.mark.parametrize("loopback", [WITHOUT_ADDRESS, DOWN])
def test_the_doctor_looks_at_no_ports_where_loopback_fails(tmp_path: Path, loopback: str) -> None:
    ended = alone(tmp_path, loopback, "cluster.doctor")
    assert "127.0.0.1 cannot be used: " in ended.stdout
    assert "no port can be used while loopback fails" in ended.stdout
    assert "free of" not in ended.stdout
    assert ended.returncode == 1


def test_a_start_that_fails_as_loopback_is_down_names_that_as_its_cause(tmp_path: Path) -> None:
    ended = alone(tmp_path, DOWN, "cluster.up")
    assert "loopback is down or has no address" in ended.stderr
    assert "try: sudo ip link set lo up" in ended.stderr
    assert ended.returncode == 1
