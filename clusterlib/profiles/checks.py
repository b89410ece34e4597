"""What no single value can tell: whether the values of a profile go together, and fit this project and machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from clusterlib.profiles.kinds import FIRST_PORT, LAST_PORT, PortRange
from clusterlib.profiles.layers import Merged
from clusterlib.profiles.model import Profile
from clusterlib.profiles.origins import Mistake

__all__ = ["check_together", "find_template", "ports_each", "room_outside"]


def check_together(
    profile: Profile, merged: Merged, *, ephemeral: PortRange, project: Path, template_folders: Sequence[Path]
) -> Iterator[Mistake]:
    yield from _counts(profile, merged)
    yield from _ports(profile, merged, ephemeral)
    yield from _pauses(profile, merged)
    yield from _templates(profile, merged, template_folders)
    yield from _code_roots(profile, merged, project)


def _at(merged: Merged, *path: str, problem: str, right: str) -> Mistake:
    return Mistake(problem, right, ".".join(path), merged.origin(path))


def _counts(profile: Profile, merged: Merged) -> Iterator[Mistake]:
    # Someone who asks for one node at the command line means it, and the minimum follows.
    follows = merged.asked_for(("nodes", "count")) and not merged.asked_for(("nodes", "min"))
    if profile.nodes.min > profile.nodes.count and not follows:
        problem = f"{profile.nodes.min} is more than nodes.count, which is {profile.nodes.count}"
        yield _at(merged, "nodes", "min", problem=problem, right=f"write at most {profile.nodes.count}")


def ports_each(profile: Profile) -> int:
    """How many ports of a range one cluster takes."""
    return profile.nodes.count if profile.network.mode == "shared" else 1


def room_outside(ephemeral: PortRange) -> list[PortRange]:
    """The ports that can be listened on and that the kernel does not give to outgoing connections."""
    sides = ((FIRST_PORT, ephemeral.first - 1), (ephemeral.last + 1, LAST_PORT))
    return [PortRange(first, last) for first, last in sides if first <= last]


def _ports(profile: Profile, merged: Merged, ephemeral: PortRange) -> Iterator[Mistake]:
    needed = ports_each(profile)
    room = [span for span in room_outside(ephemeral) if len(span) >= needed]
    for purpose, ports in profile.ports.items():
        if len(ports) < needed:
            last = min(ports.first + needed - 1, LAST_PORT)
            enough = f'write at least {needed}, for example "{ports.first}-{last}"'
            problem = f'"{ports}" has {_many(len(ports), "port")} for {_many(needed, "node")}'
            yield _at(merged, "ports", purpose, problem=problem, right=enough)
        owner = merged.owner(("ports", purpose))
        written = owner is not None and owner.source != "default" and not owner.shipped
        # Shipped ranges move out of the way by adaptation; and what should be written where all is taken?
        if written and room and ports.overlaps(ephemeral):
            problem = f'"{ports}" reaches into {ephemeral}, which the kernel gives to outgoing connections'
            yield _at(
                merged, "ports", purpose, problem=problem, right=f"stay within {' or '.join(map(str, room))}"
            )
    for (one, ours), (other, theirs) in combinations(profile.ports.items(), 2):
        if ours.overlaps(theirs):
            problem = f'"{theirs}" overlaps with ports.{one}, which is "{ours}"'
            yield _at(merged, "ports", other, problem=problem, right="give each purpose ports of its own")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _pauses(profile: Profile, merged: Merged) -> Iterator[Mistake]:
    for name, pauses in (("retry", profile.retry), ("restart", profile.restart)):
        if pauses.first > pauses.ceiling:
            problem = f"{pauses.ceiling:g} is less than {name}.first, which is {pauses.first:g}"
            yield _at(merged, name, "ceiling", problem=problem, right=f"write at least {pauses.first:g}")


def find_template(template: str, folders: Sequence[Path]) -> Path | None:
    return next((folder / template for folder in folders if _is_file(folder / template)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _templates(profile: Profile, merged: Merged, folders: Sequence[Path]) -> Iterator[Mistake]:
    for output, template in profile.templates.items():
        if find_template(template, folders) is None:
            yield _at(
                merged,
                "templates",
                output,
                problem=f'there is no template "{template}"',
                right=f"searched in {' and '.join(map(str, folders))}",
            )


def _code_roots(profile: Profile, merged: Merged, project: Path) -> Iterator[Mistake]:
    for root in profile.python.path:
        try:
            there = (project / root).is_dir()
        except (OSError, ValueError):
            there = False
        if not there:
            right = f"write folders relative to {project}"
            yield _at(merged, "python", "path", problem=f'there is no folder "{root[:60]}"', right=right)
