"""Programs on this machine: their paths, their digests, and the packages that contain them."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from glob import glob
from pathlib import Path

__all__ = ["beside_python", "blocked_program", "digest_of", "find_program", "folders_of", "how_to_install"]

INSTALL = {
    "homebrew": "brew install",
    "debian": "sudo apt-get install",
    "pip": "python3 -m pip install",
    "npm": "npm install --global",
}


SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where distributions put servers that any user may run.

The PATH of an ordinary user often lacks them."""


def folders_of(search: Iterable[str]) -> list[str]:
    """The folders that match patterns such as /usr/lib/postgresql/*/bin, the highest
    version first."""
    return [
        folder
        for pattern in search
        for folder in sorted(glob(pattern), key=_naturally, reverse=True)  # noqa: PTH207 - the pattern is absolute
        if Path(folder).is_dir()
    ]


def find_program(name: str, search: Sequence[str], path: str | None = None) -> Path | None:
    """The path of this program: in the folders of `search`, on PATH, beside this Python, or among
    the system's servers."""
    usual = os.environ.get("PATH", os.defpath) if path is None else path
    found = shutil.which(
        name, path=os.pathsep.join([*folders_of(search), usual, *beside_python(), *SYSTEM_FOLDERS])
    )
    return Path(found) if found else None


def beside_python() -> list[str]:
    """The folder of the running Python.

    The folder of a virtual environment that is not activated is not on PATH."""
    return [os.path.dirname(sys.executable)] if sys.executable else []  # noqa: PTH120 - a link stays one


def blocked_program(name: str, search: Sequence[str], project: Path) -> Path | None:
    """A file that would be this program, but is not executable."""
    usual = os.environ.get("PATH", os.defpath).split(os.pathsep)
    folders = [*folders_of(search), *usual, *beside_python(), *SYSTEM_FOLDERS]
    places = [project / name] if "/" in name else [Path(folder) / name for folder in folders if folder]
    return next((place for place in places if place.is_file() and not os.access(place, os.X_OK)), None)


def digest_of(path: Path) -> str:
    """Identifies the version of a program. One that cannot be read differs from all others.

    Its content is not read: a file cannot be replaced or changed while inode, size and time of the
    last change, which no program can set, stay the same. Reading the 25 MB of some servers would
    take longer than everything before it at a start."""
    try:
        seen = path.stat()
    except OSError as error:
        return f"unreadable: {error.strerror}"
    identity = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
    return hashlib.sha256(repr(identity).encode()).hexdigest()[:16]


def how_to_install(packages: Mapping[str, str]) -> str | None:
    """The command that installs a program here, from the packages of each system; None if there is
    none."""
    of_the_system = ("homebrew", "debian") if sys.platform == "darwin" else ("debian",)
    known = next((one for one in (*of_the_system, "pip", "npm") if one in packages), None)
    return f"{INSTALL[known]} {shlex.quote(packages[known])}" if known else None


def _naturally(name: str) -> list[tuple[int, str]]:
    """Sorts 15 after 9, as versions need."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"([0-9]+)", name)]
