"""A process that goes on, and whose project gets new operations.

    python -m bench.new_operation PROJECT COUNT

Prints one line of JSON with milliseconds: from each new file until its operation has answered, and
those in which Python alone reads and runs a file; of a look at 30 files that have not changed, and
those in which Python alone asks for their state."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from clusterlib.operations.catalogue import catalogue, load

__all__ = ["main"]

OTHERS = 30
SOURCE = '''
from clusterlib.operations import Count, operation

@operation(effect="read", group="bench")
def {name}(count: Count = 3) -> int:
    """Give a number."""
    return count
'''


def main(project: Path, count: int) -> None:
    folder = project / "operations"
    folder.mkdir()
    others = [folder / f"other{number}.py" for number in range(OTHERS)]
    for file in others:
        file.write_text(SOURCE.format(name=file.stem))
        os.utime(file, (1, 1))  # a file that has just been written is read again
    _answer(project, "other0")
    looks = [_timed(lambda: catalogue(project)) for _ in range(count)]
    bare_looks = [_timed(lambda: [file.stat() for file in others]) for _ in range(count)]
    ours = [_timed(lambda name=f"new{number}": _new(project, folder, name)) for number in range(count)]  # type: ignore[misc]
    bare = [_timed(lambda name=f"_new{number}": _bare(folder, name)) for number in range(count)]  # type: ignore[misc]
    figures = {"ours": ours, "bare": bare, "looks": looks, "bare_looks": bare_looks}
    sys.stdout.write(json.dumps(figures) + "\n")


def _timed(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return (time.perf_counter() - begin) * 1000


def _new(project: Path, folder: Path, name: str) -> None:
    (folder / f"{name}.py").write_text(SOURCE.format(name=name))
    assert _answer(project, name) == 3


def _bare(folder: Path, name: str) -> None:
    file = folder / f"{name}.py"
    file.write_text(SOURCE.format(name=name))
    exec(compile(file.read_text(), name, "exec"), {})


def _answer(project: Path, name: str) -> object:
    found = next(one for one in catalogue(project).operations if one.full_name == f"bench.{name}")
    return load(found)(project=project)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
