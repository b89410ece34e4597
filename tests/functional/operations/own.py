"""Operations of a project."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import clusterlib

__all__ = ["FREEZE", "WIPE", "Up", "program"]


Up = Callable[..., clusterlib.Cluster]
FREEZE = '''
from clusterlib import Cluster
from clusterlib.operations import operation


@operation(effect="change")
def freeze(cluster: Cluster) -> list[str]:
    """Suspend every node: they stay alive but stop responding."""
    for node in cluster:
        node.pause()
    return [node.name for node in cluster]
'''
WIPE = '''
from pathlib import Path
from typing import Annotated

from clusterlib import Cluster
from clusterlib.operations import Help, Secret, operation

Token = Annotated[str, Secret(), Help("What proves that you may.")]


@operation(effect="destroy", group="cluster.data")
def wipe(cluster: Cluster, *, token: Token, backup: bool = True) -> str:
    """Delete everything."""
    if token == "wrong":
        raise RuntimeError(f"{token} is not it")
    return f"wiped {len(cluster)} nodes, {'with' if backup else 'without'} a backup"
'''


def program(project: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    on_path = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "clusterlib", *words],
        cwd=project,
        env=on_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done
