"""Where a run keeps its evidence: the requested folder, or one of its own.

Its own folder is removed if all went well."""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from clusterlib.errors import UsageError
from clusterlib.evidence.home import reports_of
from clusterlib.evidence.recorder import writers
from clusterlib.hosts.places import make_private, write_private
from clusterlib.rundir.folders import KEPT_BYTES, size_of
from clusterlib.testing.options import usage_error

if TYPE_CHECKING:
    from clusterlib.evidence.claiming import FolderClaim

__all__ = ["ReportFolder"]

KEPT = 5


class ReportFolder:
    """The folder of one run."""

    _claims: ClassVar[list[FolderClaim]] = []
    """Held until the process ends, which is the end of the run."""

    def __init__(self, path: Path, config: pytest.Config) -> None:
        self.path = path
        named = config.option.cluster_artifacts
        self.asked = bool(named)
        """Whether the user named it. Then it always stays."""
        self.notes: list[str] = []
        if named and path != config.invocation_params.dir / named:
            self.notes.append(f"clusterlib: another run writes to {named}; artifacts go to {path}")

    @classmethod
    def claim(cls, wanted: Path) -> Path:
        """That folder, or the next of its name that no living run writes to.

        Our files of an earlier run are removed."""
        from clusterlib.evidence.claiming import claim  # few name a folder

        for number in itertools.count(1):
            path = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
            try:
                claimed = claim(path)
            except UsageError as error:
                raise usage_error(error) from error
            if claimed is not None:
                cls._claims.append(claimed)
                return path
        raise AssertionError("counting never ends")

    def open(self) -> None:
        """Makes it, with a file that keeps it out of version control."""
        if self.asked:
            return
        home = self.path.parent.parent
        try:
            make_private(self.path)
        except OSError as error:
            raise usage_error(_unwritable(home, error)) from error
        with contextlib.suppress(OSError):
            if not home.is_symlink():  # the target of a link belongs to the user
                home.chmod(0o700)
            if not (home / ".gitignore").exists():
                write_private(home / ".gitignore", "*\n")

    def keep(self) -> None:
        """Keeps it: `latest` points to it, and the oldest folders are removed."""
        if self.asked:
            return
        home = self.path.parent
        with contextlib.suppress(OSError):
            link = home / f".latest-{os.getpid()}"
            link.unlink(missing_ok=True)
            link.symlink_to(self.path.name)
            link.replace(home / "latest")
        total = 0
        for place, report in enumerate(reversed(reports_of(home.parent.parent))):
            total += size_of(report)
            surplus = place >= KEPT or total > KEPT_BYTES
            if surplus and report != self.path and not writers(report):
                shutil.rmtree(report, ignore_errors=True)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def _unwritable(home: Path, error: OSError) -> UsageError:
    place = shlex.quote(str(home.parent))
    return UsageError(
        f"nothing can be written to {home}, where clusters and their evidence have their folders",
        cause=str(error),
        remedies=[f"ls -ld {place}", f"df -h {place}", "pytest --no-cluster"],
    )
