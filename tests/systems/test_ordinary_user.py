"""Server programs run for an ordinary user as they do for root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from types import ModuleType

import pytest

from tests.systems.conftest import slow_ones_nightly

NOBODY = 65534
STORY = """
import sys, clusterlib

with clusterlib.up(sys.argv[1]) as cluster:
    cluster.nodes[1].kill()
    cluster.nodes[1].restart()
    cluster.wait_ready(30)
    print(cluster.state, len(cluster), flush=True)
"""
FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/lib/rabbitmq/bin",
    "/usr/lib/erlang/lib/erl_interface-*/bin",
)
SYSTEMS = {
    "etcd": ("etcd", "etcdctl"),
    "nats": ("nats-server",),
    "rabbitmq": ("rabbitmq-server", "rabbitmqctl", "erl_call"),
    "redis-sentinel": ("redis-server", "redis-cli"),
    "postgres": ("postgres", "initdb", "pg_basebackup", "psql"),
    "redis": ("redis-server", "redis-cli"),
}


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A folder of that user, which pytest's own are not."""
    folder = Path(mkdtemp(prefix="clusterlib-theirs-"))
    os.chown(folder, NOBODY, NOBODY)
    (folder / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.skipif(os.getuid() != 0, reason="whoever is no root has tested it already")
@pytest.mark.parametrize("profile", slow_ones_nightly(SYSTEMS))
def test_an_ordinary_user_has_it_too(profile: str, needs: Callable[..., ModuleType], theirs: Path) -> None:
    needs("json", *SYSTEMS[profile], search=FOLDERS)
    python = python_for_everybody()
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *(path for path in sys.path if path)])

    done = subprocess.run(
        [python, "-c", STORY, profile],
        cwd=theirs,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": paths,
            "HOME": str(theirs),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.stdout.startswith("ready "), done.stderr


def python_for_everybody() -> str:
    """An interpreter of our version that this user may run, and which finds what we find."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for path in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        try:
            tried = subprocess.run(
                [path, "-c", "import psutil"],
                user=NOBODY,
                env={"PYTHONPATH": os.pathsep.join(sys.path)},
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if tried.returncode == 0:
            return path
    pytest.skip("no Python here that an ordinary user may run")
