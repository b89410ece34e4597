"""Runs a command again and again, stops at the first failure, and keeps what explains it.

    python -m tests.again [RUNS] [--load N] [--keep FOLDER] [-- COMMAND ...]

The command is all that a change must pass (`nox -R`) unless another one is given. Each run has a
folder of its own: what the command printed, the temporary folders of its tests with the logs and
events of their clusters, and the state of the machine if it failed. The folder of a run that passed
is removed. With `--load N`, N processes keep the processors busy meanwhile."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["main"]

EVERYTHING = (sys.executable, "-m", "nox", "-R")
ARTIFACTS = Path("artifacts")
BUSY = "import os, sys\nwhile os.getppid() == int(sys.argv[1]): pass"
"""Ends with its parent, however that ends."""
LAST_LINES = 60
STATE: dict[str, Sequence[str]] = {
    "processes": ("ps", "-eo", "pid,ppid,pgid,sid,stat,etimes,pcpu,rss,wchan:20,args", "--forest"),
    "sockets": ("ss", "-tanp"),
    "memory": ("free", "-m"),
    "disks": ("df", "-h"),
    "pressure": ("grep", "-r", ".", "/proc/pressure", "/proc/loadavg"),
    "left behind": (sys.executable, "-m", "tests.chaos", "--look"),
}
"""What is asked of the machine when a run has failed."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    began = time.monotonic()
    with _load(options.load):
        for number in range(1, options.runs + 1):
            folder = options.keep / f"run-{number}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            # Not below this project: the projects of the tests would be part of it. Its path is
            # short because those of sockets begin with it.
            temporary = Path(tempfile.mkdtemp(prefix="again-"))
            code, seconds = _run(options.command, folder, temporary)
            _say(
                f"run {number} of {options.runs}: {'passed' if code == 0 else f'FAILED with {code}'}, {seconds:.0f} s"
            )
            if code != 0:
                _keep_evidence(folder)
                shutil.move(temporary, folder / "tmp")
                return 1
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(folder)
    _say(f"{options.runs} runs in a row passed, {time.monotonic() - began:.0f} s")
    return 0


def _run(command: Sequence[str], folder: Path, temporary: Path) -> tuple[int, float]:
    began = time.monotonic()
    with (folder / "output.log").open("wb") as output:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTEST_DEBUG_TEMPROOT": str(temporary)},
            check=False,
        )
    return done.returncode, time.monotonic() - began


def _keep_evidence(folder: Path) -> None:
    with (folder / "machine.txt").open("w") as state:
        for title, command in STATE.items():
            state.write(f"\n== {title}: {' '.join(command)}\n")
            with contextlib.suppress(OSError):
                answer = subprocess.run(
                    command, capture_output=True, text=True, errors="replace", check=False
                )
                state.write(answer.stdout + answer.stderr)
    if ARTIFACTS.is_dir():
        # Of a broken link there is nothing to copy, and what is still written to may change.
        with contextlib.suppress(shutil.Error):
            shutil.copytree(
                ARTIFACTS, folder / "artifacts", symlinks=True, ignore=shutil.ignore_patterns("again")
            )
    _say("\n".join((folder / "output.log").read_text(errors="replace").splitlines()[-LAST_LINES:]))
    _say(f"everything of this run: {folder}")


@contextlib.contextmanager
def _load(count: int) -> Iterator[None]:
    busy = [subprocess.Popen([sys.executable, "-c", BUSY, str(os.getpid())]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    before, divider, command = _split(arguments)
    parser = argparse.ArgumentParser(
        prog="nox -s again --", description="Runs everything again and again, and stops at the first failure."
    )
    parser.add_argument("runs", type=int, nargs="?", default=10, help="how many times (10)")
    parser.add_argument("--load", type=int, default=0, help="processes that keep the machine busy (0)")
    parser.add_argument(
        "--keep", type=Path, default=ARTIFACTS / "again", help="where a failed run is kept (artifacts/again)"
    )
    options = parser.parse_args(before)
    if options.runs < 1 or options.load < 0 or (divider and not command):
        parser.error("at least one run, no negative load, and a command after --")
    options.command = command or list(EVERYTHING)
    return options


def _split(arguments: Sequence[str]) -> tuple[list[str], bool, list[str]]:
    """Our own arguments, whether there is a `--`, and the command after it."""
    words = list(arguments)
    if "--" not in words:
        return words, False, []
    at = words.index("--")
    return words[:at], True, words[at + 1 :]


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
