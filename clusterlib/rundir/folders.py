"""The files of a cluster: `.clusterlib/<name>/<run>/` in the project, ignored by git, private to
the user."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.errors import UsageError
from clusterlib.frozen import frozen
from clusterlib.hosts.places import make_private, write_private
from clusterlib.remedies import do

if TYPE_CHECKING:
    import datetime as dt

    from clusterlib.messages.status import LastState

__all__ = [
    "RunFolder",
    "all_names",
    "builds_folder",
    "cluster_identifier",
    "home_of",
    "latest_run",
    "new_run",
    "prune",
    "prune_to_size",
    "runs_of",
    "server_folder",
    "size_of",
]

HOME = ".clusterlib"
REPORTS = "reports"
BUILDS = "builds"
SERVER = ".server"
RESERVED = {REPORTS: "the reports of test runs are", BUILDS: "what is known of the project's builds is"}
"""Folders that do not belong to a cluster, and their content."""
KEPT_RUNS = 5
STAMP = "%Y%m%d-%H%M%S.%f"
OUR_NAMES = re.compile(r"[0-9]{8}-[0-9]{6}\.[0-9]{6}-[0-9a-f]{4}")
"""Of the folders of runs. Any other folder beside them is the user's."""
KEPT_BYTES = 1 << 30
"""The limit for all runs of a project together, and also for all reports."""


def cluster_identifier(project: Path, name: str) -> str:
    """Names the cluster machine-wide for this user.

    The same project and name always give the same identifier."""
    key = f"{os.getuid()}\0{project.resolve()}\0{name}"
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:12]


@frozen
class RunFolder:
    """One run of one cluster: its plan, its events, its state, and a folder for each node."""

    path: Path

    def hold(self) -> int:
        """Locks the run while the descriptor is open, so that it is not removed."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        return descriptor

    @property
    def goes_on(self) -> bool:
        """Whether a keeper holds the run, even one that is registered in another place."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    @property
    def is_recent(self) -> bool:
        """Whether the run may still be needed: it began less than a day ago, or at an
        unknown time.
        """
        import datetime as dt

        begun = self.begun
        return begun is None or dt.datetime.now(dt.UTC) - begun < dt.timedelta(days=1)

    @property
    def begun(self) -> dt.datetime | None:
        """When the run began, in UTC, according to its name. None for any other name."""
        import datetime as dt

        try:
            date, time, _ = self.path.name.split("-")
            return dt.datetime.fromisoformat(f"{date}T{time}").replace(
                tzinfo=dt.UTC
            )  # importing strptime takes long
        except (ValueError, OverflowError):
            return None

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def samples(self) -> Path:
        return self.path / "samples.jsonl"

    @property
    def state(self) -> Path:
        return self.path / "state.json"

    @property
    def cookie(self) -> Path:
        return self.path / "cookie"

    @property
    def keeper_log(self) -> Path:
        return self.path / "keeper.log"

    def node(self, name: str) -> Path:
        return self.path / "nodes" / name

    def log(self, name: str) -> Path:
        return self.path / "nodes" / f"{name}.log"

    def node_names(self) -> list[str]:
        return sorted(log.stem for log in (self.path / "nodes").glob("*.log"))

    def read_state(self) -> LastState | None:
        from clusterlib.messages.codec import salvage
        from clusterlib.messages.status import LastState

        try:
            return salvage(LastState, json.loads(self.state.read_text()))
        except (OSError, ValueError, RecursionError):
            return None


def check_name(name: str) -> str:
    if not name or len(name) > 64 or not all(c.isalnum() or c in "-_." for c in name) or name[0] in "-.":
        raise UsageError(
            f"{name!r} cannot name a cluster",
            cause="a name is 1 to 64 letters, digits, '-', '_' or '.', and starts with a letter or digit",
            remedies=[do("cluster.up", name="my-cluster")],
        )
    if name in RESERVED:
        raise UsageError(
            f"{name!r} cannot name a cluster",
            cause=f"{HOME}/{name} is where {RESERVED[name]}",
            remedies=[do("cluster.up", name="my-cluster")],
        )
    return name


def new_run(project: Path, name: str) -> RunFolder:
    """Makes the private folder of a new run, and prunes old ones."""
    stamp = _next_stamp(runs_of(project, check_name(name)))
    run = RunFolder(project / HOME / check_name(name) / f"{stamp}-{os.urandom(2).hex()}")
    _make_private(project, run.path / "nodes")
    prune(project, name, KEPT_RUNS, spare=run)
    return run


def _next_stamp(runs: list[RunFolder]) -> str:
    """The time; or a microsecond after the last run, if the clock was set back.

    Names show the order of runs."""
    import datetime as dt

    now = dt.datetime.now(dt.UTC)
    for run in runs:
        begun = run.begun
        with contextlib.suppress(OverflowError):
            now = max(now, begun + dt.timedelta(microseconds=1)) if begun else now
    return now.strftime(STAMP)


def home_of(project: Path) -> Path:
    """The private folder of clusterlib in the project, which exists from now on."""
    _make_private(project, project / HOME)
    return project / HOME


def builds_folder(project: Path) -> Path:
    """The folder with the state of the project's builds, and their output."""
    folder = project / HOME / BUILDS
    _make_private(project, folder)
    return folder


def server_folder(project: Path) -> Path:
    """The folder with the token and the log of the project's server. No cluster has such a name."""
    folder = project / HOME / SERVER
    _make_private(project, folder)
    return folder


def _make_private(project: Path, folder: Path) -> None:
    """Makes this folder below `.clusterlib` in the project, private to the user and ignored
    by git."""
    home = project / HOME
    try:
        make_private(folder)
        while folder != project:
            if not folder.is_symlink():  # clusterlib does not change the target of a user's link
                folder.chmod(0o700)
            folder = folder.parent
        ignore = home / ".gitignore"
        if not ignore.exists():
            write_private(ignore, "*\n")
    except OSError as error:
        import shlex

        raise UsageError(
            f"no folder can be made under {home}",
            cause=str(error),
            remedies=[f"ls -ld {shlex.quote(str(project))}", f"df -h {shlex.quote(str(project))}"],
        ) from error


def runs_of(project: Path, name: str) -> list[RunFolder]:
    """All runs of a cluster, the oldest first."""
    home = project / HOME / name
    if not home.is_dir():
        return []
    ours = (path for path in home.iterdir() if OUR_NAMES.fullmatch(path.name))
    return [RunFolder(path) for path in sorted(ours) if path.is_dir() and not path.is_symlink()]


def latest_run(project: Path, name: str) -> RunFolder | None:
    runs = runs_of(project, name)
    return runs[-1] if runs else None


def all_names(project: Path) -> list[str]:
    """The names of all clusters that have a run."""
    home = project / HOME
    folders = home.iterdir() if home.is_dir() else []
    names = sorted(path.name for path in folders if path.is_dir() and path.name not in RESERVED)
    return [name for name in names if runs_of(project, name)]


def prune(project: Path, name: str, keep: int, spare: RunFolder | None = None) -> list[Path]:
    """Removes the oldest run folders, except the spared one.

    Only folders with clusterlib's marks are removed."""
    runs = runs_of(project, name)
    return [run.path for run in runs[: max(0, len(runs) - keep)] if run != spare and _remove(run)]


def prune_to_size(project: Path, spare: Collection[Path], most: int = KEPT_BYTES) -> list[Path]:
    """Removes the oldest runs of all clusters until the rest fits into `most`.

    The latest of each cluster stays for a day."""
    by_name = [runs_of(project, name) for name in all_names(project)]
    kept = {*spare, *(runs[-1].path for runs in by_name if runs and runs[-1].is_recent)}
    total = 0
    gone = []
    for run in sorted((run for runs in by_name for run in runs), key=lambda run: run.path.name, reverse=True):
        total += size_of(run.path)
        if total > most and run.path not in kept and _remove(run):
            gone.append(run.path)
    return gone


def _remove(run: RunFolder) -> bool:
    """Removes the folder only if it has clusterlib's marks and the run is over."""
    if not (run.path / "nodes").is_dir() or run.goes_on:
        return False
    import shutil

    shutil.rmtree(run.path, ignore_errors=True)
    return True


def size_of(folder: Path) -> int:
    """The disk usage of the files in it, as far as we may read them."""
    total = 0
    unseen = [os.fspath(folder)]
    while unseen:
        with contextlib.suppress(OSError), os.scandir(unseen.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    unseen.append(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total
