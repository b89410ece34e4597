"""Finds profiles: those of the project first, then the shipped ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from clusterlib.frozen import frozen
from clusterlib.profiles.documents import Unreadable, read_document
from clusterlib.profiles.origins import SHIPPED
from clusterlib.profiles.project import find_project
from clusterlib.remedies import do
from clusterlib.values.wording import nearest

__all__ = [
    "Found",
    "ProfileSummary",
    "candidates",
    "display",
    "is_path",
    "is_same",
    "list_profiles",
    "locate",
    "shipped",
    "suggestion",
]

Kind = Literal["profiles", "templates"]


@frozen
class Found:
    """A profile's file."""

    name: str
    path: Path
    shipped: bool


@frozen
class ProfileSummary:
    """A profile as shown in a list."""

    name: str
    description: str
    source: Literal["project", "shipped"]
    file: str
    shadowed: bool = False
    """A shipped profile that is hidden by a project's profile of the same name."""
    problem: str | None = None
    """Why the file cannot be read, if it cannot."""

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "description": self.description,
            "source": self.source,
            "file": self.file,
            "shadowed": self.shadowed,
            "problem": self.problem,
        }


def shipped(kind: Kind | Literal["docs"]) -> Path:
    """The shipped folder: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "_shipped" / kind
    return installed if installed.is_dir() else package.parent / kind


def is_path(name: str) -> bool:
    return "/" in name or name.endswith(".toml")


def candidates(name: str, project: Path, *, near: Path | None = None) -> Iterator[Found]:
    """The files that a name can mean, in the order of precedence.

    A path is relative to `near`, or to the current folder."""
    ours = shipped("profiles")
    if is_path(name):
        path = (near or Path.cwd()) / Path(name).expanduser()
        yield Found(path.stem, path, is_same(path.parent, ours))
        return
    if not name or name.startswith(".") or "\0" in name:
        return
    theirs = project / "profiles"
    if not is_same(theirs, ours) and _there(theirs / f"{name}.toml"):
        yield Found(name, theirs / f"{name}.toml", shipped=False)
    if _there(ours / f"{name}.toml"):
        yield Found(name, ours / f"{name}.toml", shipped=True)


def _there(path: Path) -> bool:
    try:
        return path.exists() or path.is_symlink()
    except OSError:  # a name too long for any file, a folder that may not be entered
        return False


def is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same folder.

    A link to itself leads nowhere, which is not an error here."""
    try:
        return one.resolve() == other.resolve()
    except (OSError, RuntimeError):
        return False


def locate(name: str, project: Path) -> Found | None:
    return next(candidates(name, project), None)


def suggestion(name: str, project: Path) -> str:
    """The profile that was probably meant."""
    names = sorted({path.stem for folder in _folders(project) for path in _files(folder)})
    near = nearest(name, names)
    return (
        f'did you mean "{near}"?' if near else f"one of: {', '.join(names)}" if names else do("profile.list")
    )


def list_profiles(project: Path | None = None) -> list[ProfileSummary]:
    """Every profile that can be used in this project, including broken ones."""
    project = project or find_project(Path.cwd())
    ours = shipped("profiles")
    seen: set[str] = set()
    summaries: list[ProfileSummary] = []
    for folder in _folders(project):
        source: Literal["project", "shipped"] = "shipped" if is_same(folder, ours) else "project"
        for path in _files(folder):
            description, problem = _described(path)
            hidden = path.stem in seen
            summaries.append(
                ProfileSummary(path.stem, description, source, display(path, project), hidden, problem)
            )
            seen.add(path.stem)
    return summaries


def _folders(project: Path) -> list[Path]:
    ours, theirs = shipped("profiles"), project / "profiles"
    return [ours] if is_same(theirs, ours) else [theirs, ours]


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.glob("*.toml") if not path.name.startswith("."))
    except OSError:
        return []


def _described(path: Path) -> tuple[str, str | None]:
    try:
        tree: Mapping[str, Any] = read_document(path).tree
    except Unreadable as error:
        return "", error.problem
    description = tree.get("description", "")
    return (description if isinstance(description, str) else ""), None


def display(path: Path, project: Path) -> str:
    """A path for messages: relative to the project if inside it; with "(shipped)" if it is part of
    clusterlib."""
    for kind in ("profiles", "templates"):
        ours = shipped(kind)
        if path.is_relative_to(ours) and not ours.is_relative_to(project):
            return f"{kind}/{path.relative_to(ours)}{SHIPPED}"
    try:
        return str(path.resolve().relative_to(project.resolve()))
    except (ValueError, OSError, RuntimeError):
        return str(path)
