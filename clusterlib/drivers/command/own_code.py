"""The Python code of the project that a server program may run, derived from its profile.

A server cannot report what it has loaded. So its command is followed to everything that can run
Python of the project: an interpreter, a launcher such as uvicorn, a script, a module. Other servers
are not restarted for Python code. Commands that prepare, ask or stop a server do not count, because
a restart of the server would not renew them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.disk.digests import comes_to
from clusterlib.disk.paths import (
    HERE,
    PROJECT,
    head_of,
    is_file,
    names_interpreter,
    with_project,
    within,
)
from clusterlib.drivers.command.named import named_in
from clusterlib.drivers.command.profile import CommandSettings
from clusterlib.frozen import frozen
from clusterlib.messages.plan import NoCode

if TYPE_CHECKING:
    from clusterlib.profiles import ResolvedProfile

__all__ = ["OwnCode", "own_code"]

PYTHON = re.compile(r"(?:i?python|pypy|graalpy)[0-9.]*t?")
PYTHON_FILES = frozenset({".py", ".pyw", ".pyz", ".tac", ".wsgi"})
SHELLS = frozenset({"ash", "bash", "busybox", "dash", "fish", "ksh", "sh", "zsh"})
SHELL_FILES = frozenset({".bash", ".sh"})
STARTERS = frozenset({"just", "make", "pixi", "rye", "task", "uv", "uvx", "uwsgi"})
"""Programs, not written in Python, that start Python as described in a file of the project."""
SHELL_TEXT = re.compile(r"-[a-z]*c")
TOKEN = re.compile(rf"[\w./:+{HERE}-]+")
MODULE = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(:[A-Za-z_].*)?")
NAME_A_MODULE = frozenset({"-A", "-m", "--app", "--module", "--wsgi"})
INSTALLED = frozenset({"dist-packages", "site-packages"})
MOST_OF_A_SCRIPT = 256 << 10
STARTS_PYTHON = re.compile(rb"python|pyenv")


@frozen
class OwnCode:
    """The files of the project that a server may run."""

    trees: tuple[str, ...] = ()
    """Folders of Python code; empty if its command leads to none."""
    files: tuple[str, ...] = ()
    """Scripts and modules that its command leads to, with any names."""


def own_code(
    resolved: ResolvedProfile, project: Path, program: Path | None, made: Mapping[str, Path], left_out: NoCode
) -> OwnCode:
    """The Python code that a server of this program may run.

    `made` has the templates of its files, by file name."""
    values = resolved.values
    roots = within(project, values.python.path)
    paths = _python_path(values.environment.get("PYTHONPATH", ""), project)
    searched = dict.fromkeys([*roots, *paths, str(project / "src")]) if roots else ()
    trail = _Trail(project, tuple(searched), made)
    settings = [text for name, text in values.environment.items() if name not in {"PATH", "PYTHONPATH"}]
    start = [str(program), *values.section(CommandSettings).arguments] if program else []
    leads = [
        trail.follow_command(start, has_path=bool(paths)),
        *(trail.follow_word("", text) for text in settings),
    ]
    if not any(leads) or not roots:  # no roots: the profile declares that no Python of the project is run
        return OwnCode(files=tuple(trail.files))
    trees = list(roots)
    for folder in (*paths, *trail.folders):
        if not comes_to(trees, folder, left_out) and not _is_installed(folder, project):
            trees.append(folder)
    return OwnCode(tuple(trees), tuple(trail.files))


def _python_path(text: str, project: Path) -> tuple[str, ...]:
    """The folders on PYTHONPATH that people may edit.

    Parents of the project contain more than its code."""
    places = within(project, filter(None, with_project(text, project).split(os.pathsep)))
    return tuple(
        place
        for place in places
        if Path(place).is_dir() and not _is_installed(place, project) and Path(place) not in project.parents
    )


def _is_installed(folder: str, project: Path) -> bool:
    """Whether it belongs to a virtual environment, or to installed packages.

    The project may be inside one itself."""
    place = Path(folder)
    around = {project, *project.parents}
    return not INSTALLED.isdisjoint(place.parts) or any(
        (one / "pyvenv.cfg").is_file() for one in (place, *place.parents) if one not in around
    )


class _Trail:
    """Follows commands, one word after another."""

    def __init__(self, project: Path, roots: Sequence[str], made: Mapping[str, Path]) -> None:
        self.files: dict[str, None] = {}
        self.folders: dict[str, None] = {}
        """Where Python searches the imports of these files."""
        self._project = project
        self._roots = roots
        self._made = {Path(name).name: template for name, template in made.items()}

    def follow_command(self, words: Sequence[str], *, has_path: bool = False) -> bool:
        """Whether the command can run Python of the project.

        `has_path`: it gets folders to import from.
        """
        if not words:
            return False
        first = Path(with_project(words[0], self._project))
        is_python = _is_python(first.name)
        named = self._follow_words(words, awaits_script=is_python or _runner(first) in SHELLS)
        if is_python and _runs_standard_module(words):
            return named  # such as http.server: its imports are known
        return self._follow_file(first, first.suffix) or _runner(first) in STARTERS or has_path or named

    def follow_word(self, option: str, word: str, *, is_script: bool = False) -> bool:
        """Whether this word of a command, which follows `option`, leads to Python of the
        project.
        """
        text = PROJECT.sub(HERE, word)
        if is_script and SHELL_TEXT.fullmatch(option):
            return self._follow_shell_text(text)
        found = [
            self._follow_part(self._filled(part), option, is_script=is_script)
            for part in (text, text.partition("=")[2])
            if part
        ]
        return any(found) or "cluster.project" in text  # part of an expression, which is not computed here

    def _follow_words(self, words: Sequence[str], *, awaits_script: bool) -> bool:
        found = []
        for option, word in pairwise(words):
            is_script = awaits_script and not word.startswith("-")
            found.append(self.follow_word(option, word, is_script=is_script))
            name = Path(word).name
            awaits_script = name in SHELLS or _is_python(name) or (awaits_script and not is_script)
        return any(found)

    def _follow_shell_text(self, text: str) -> bool:
        tokens = [self._filled(token) for token in TOKEN.findall(text)]
        found = [self._follow_part(token) or Path(token).name in STARTERS for token in tokens]
        return HERE in text or any(found)

    def _follow_part(self, part: str, option: str = "", *, is_script: bool = False) -> bool:
        name = Path(part).name
        if _is_python(name):
            return True
        path = self._made.get(name) or self._project / part
        is_named = option in NAME_A_MODULE
        return self._follow_file(path, Path(name).suffix, is_script=is_script) or self._follow_module(
            part, is_named=is_named
        )

    def _follow_file(self, path: Path, suffix: str, *, is_script: bool = False) -> bool:
        """Whether it is Python, or a script that may start it.

        A shell script of the project may start anything.
        """
        if not is_file(path):
            return False
        runs_it, is_own = _runner(path), path.is_relative_to(self._project)
        if suffix in PYTHON_FILES or _is_python(runs_it):
            if is_own and not _is_python(path.name):
                self._take(path, path.parent)
            return True
        if not (suffix in SHELL_FILES or is_script or (runs_it in SHELLS and names_interpreter(path))):
            return names_interpreter(path) and runs_it in STARTERS
        if not is_own:
            return STARTS_PYTHON.search(head_of(path, MOST_OF_A_SCRIPT)) is not None
        self._follow_shell_script(path)
        return True

    def _follow_shell_script(self, script: Path) -> None:
        """Includes the files of the project that it names."""
        if str(script) in self.files:
            return
        self._take(script)
        text = head_of(script, MOST_OF_A_SCRIPT).decode(errors="replace")
        for path in named_in(text, self._project, script.parent):
            if path.is_relative_to(self._project):
                self._follow_file(path, path.suffix)
                self._take(path)

    def _follow_module(self, text: str, *, is_named: bool) -> bool:
        """`shop.server`, `shop.server:app`; `shop` only after an option that takes a module."""
        match = MODULE.fullmatch(text)
        if match is None or not ("." in match[1] or match[2] or is_named):
            return False
        for root in self._roots:
            path = next(_module_files(Path(root, *match[1].split("."))), None)
            if path is not None:
                self._take(path, Path(root), path.parent)
                return True
        return False

    def _take(self, path: Path, *folders: Path) -> None:
        self.files[str(path)] = None
        self.folders.update({os.path.normpath(folder): None for folder in folders})

    def _filled(self, text: str) -> str:
        return text.replace(HERE, str(self._project))


def _runs_standard_module(words: Sequence[str]) -> bool:
    """`python -m http.server`."""
    module = next((word for option, word in pairwise(words) if option == "-m"), "")
    return module.partition(".")[0] in sys.stdlib_module_names


def _module_files(base: Path) -> Iterator[Path]:
    candidates = (base.with_name(f"{base.name}.py"), base / "__main__.py", base / "__init__.py")
    return (path for path in candidates if is_file(path))


def _is_python(name: str) -> bool:
    return PYTHON.fullmatch(name) is not None


def _runner(path: Path) -> str:
    """The name of the program that runs this file: the interpreter in its first line, or the
    program itself."""
    head = head_of(path)
    if _is_python(path.name):
        return path.name
    if not names_interpreter(path):
        return Path(os.path.realpath(path)).name
    if b"'''exec'" in head:
        return "python"  # pip writes this if the path of the interpreter is too long for a first line
    words = [Path(word).name for word in head[2:].partition(b"\n")[0].decode(errors="replace").split()]
    if words[:1] == ["env"]:
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return words[0] if words else path.name
