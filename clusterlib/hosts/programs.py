"""Programs on this machine: where they are, what they are made of, and which package brings them."""

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
"""Where distributions put servers that any user may run. The PATH of an ordinary user often lacks them."""


def folders_of(search: Iterable[str]) -> list[str]:
    """The folders that patterns such as /usr/lib/postgresql/*/bin stand for, the highest version first."""
    return [
        folder
        for pattern in search
        for folder in sorted(glob(pattern), key=_naturally, reverse=True)  # noqa: PTH207 - the pattern is absolute
        if Path(folder).is_dir()
    ]


def find_program(name: str, search: Sequence[str], path: str | None = None) -> Path | None:
    """Where this program is: in the folders of `search`, on PATH, beside this Python, or where servers of the system are."""
    usual = os.environ.get("PATH", os.defpath) if path is None else path
    found = shutil.which(
        name, path=os.pathsep.join([*folders_of(search), usual, *beside_python(), *SYSTEM_FOLDERS])
    )
    return Path(found) if found else None


def beside_python() -> list[str]:
    """The folder of the Python that runs: a virtual environment that is not activated is not on PATH."""
    return [os.path.dirname(sys.executable)] if sys.executable else []  # noqa: PTH120 - a link stays one


def blocked_program(name: str, search: Sequence[str], project: Path) -> Path | None:
    """The file that would be this program, if it could be executed."""
    usual = os.environ.get("PATH", os.defpath).split(os.pathsep)
    folders = [*folders_of(search), *usual, *beside_python(), *SYSTEM_FOLDERS]
    places = [project / name] if "/" in name else [Path(folder) / name for folder in folders if folder]
    return next((place for place in places if place.is_file() and not os.access(place, os.X_OK)), None)


def digest_of(path: Path) -> str:
    """Tells a program from every other that may take its place. One that cannot be looked at differs from all.

    It is not read: nobody can replace or change a file and keep its inode, its size and the time of its last change, which
    no program can set. Reading the 25 MB of some servers would cost a start more than all else that comes before it."""
    try:
        seen = path.stat()
    except OSError as error:
        return f"unreadable: {error.strerror}"
    told = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def how_to_install(packages: Mapping[str, str]) -> str | None:
    """The command that brings a program here, by the packages of each system; None where none is known."""
    of_the_system = ("homebrew", "debian") if sys.platform == "darwin" else ("debian",)
    known = next((one for one in (*of_the_system, "pip", "npm") if one in packages), None)
    return f"{INSTALL[known]} {shlex.quote(packages[known])}" if known else None


def _naturally(name: str) -> list[tuple[int, str]]:
    """15 before 9, which is what versions need."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"([0-9]+)", name)]
