"""Checks of several values: whether they fit together, and fit this project and machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from clusterlib.drivers.kind import NodeKind
from clusterlib.errors import DriverUnusable
from clusterlib.frozen import frozen
from clusterlib.profiles.layers import Merged
from clusterlib.profiles.model import Profile
from clusterlib.profiles.origins import Mistake
from clusterlib.values.choices import AddressMode
from clusterlib.values.kinds import derived_port
from clusterlib.values.ports import FIRST_PORT, LAST_PORT, PortRange
from clusterlib.values.sources import ValueSource
from clusterlib.values.wording import did_you_mean

__all__ = ["Together", "check_together", "find_template", "ports_each", "room_outside", "unusable"]


@frozen
class Together:
    """The input with which a kind of node checks whether its values fit together."""

    profile: Profile
    kind: NodeKind
    project: Path
    merged: Merged

    def mistake(self, *path: str, problem: str, right: str) -> Mistake:
        """A mistake in the setting with this path: `"command", "program"`."""
        return _at(self.merged, *path, problem=problem, right=right)

    def has_folder(self, path: str) -> bool:
        """Whether the project has this folder."""
        return _is_folder(self.project / path)


def check_together(
    profile: Profile,
    merged: Merged,
    kind: NodeKind,
    *,
    ephemeral: PortRange,
    project: Path,
    template_folders: Sequence[Path],
) -> Iterator[Mistake]:
    yield from _counts(profile, merged)
    yield from _ports(profile, merged, ephemeral)
    yield from _pauses(profile, merged)
    yield from _templates(profile, merged, template_folders)
    yield from _code_roots(profile, merged, project)
    yield from _watched(profile, merged, project)
    yield from _derived(profile, merged)
    yield from _simulated(profile, merged, kind)
    try:
        yield from kind.mistakes(Together(profile, kind, project, merged))
    except DriverUnusable as error:
        yield unusable(error, merged)


def unusable(error: DriverUnusable, merged: Merged) -> Mistake:
    """That the driver cannot be used, as a mistake of the profile that names it."""
    problem = f"{error.problem}: {error.cause}" if error.cause else error.problem
    return Mistake(problem, next(iter(error.remedies), ""), "driver", merged.origin(("driver",)))


def _at(merged: Merged, *path: str, problem: str, right: str) -> Mistake:
    return Mistake(problem, right, ".".join(path), merged.origin(path))


def _counts(profile: Profile, merged: Merged) -> Iterator[Mistake]:
    # Somebody who requests one node at the command line means it, and the minimum follows.
    follows = merged.asked_for(("nodes", "count")) and not merged.asked_for(("nodes", "min"))
    if profile.nodes.min > profile.nodes.count and not follows:
        problem = f"{profile.nodes.min} is more than nodes.count, which is {profile.nodes.count}"
        yield _at(merged, "nodes", "min", problem=problem, right=f"write at most {profile.nodes.count}")


def ports_each(profile: Profile) -> int:
    """How many ports of a range one cluster takes."""
    return profile.nodes.count if profile.network.mode is AddressMode.SHARED else 1


def room_outside(ephemeral: PortRange) -> list[PortRange]:
    """The ports that can be listened on and that the kernel does not use for outgoing
    connections."""
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
        written = owner is not None and owner.source != ValueSource.DEFAULT and not owner.shipped
        # Shipped ranges are moved by adaptation; and if no range is free, there is no correction to
        # suggest.
        if written and room and ports.overlaps(ephemeral):
            problem = f'"{ports}" reaches into {ephemeral}, which the kernel gives to outgoing connections'
            yield _at(
                merged, "ports", purpose, problem=problem, right=f"stay within {' or '.join(map(str, room))}"
            )
    for one, other in _overlapping(profile.ports):
        problem = f'"{profile.ports[other]}" overlaps with ports.{one}, which is "{profile.ports[one]}"'
        yield _at(merged, "ports", other, problem=problem, right="give each purpose ports of its own")


def _overlapping(ports: Mapping[str, PortRange]) -> Iterator[tuple[str, str]]:
    """Each purpose whose range overlaps with another one, with one of those: a check of all pairs
    would grow too fast."""
    places = {purpose: place for place, purpose in enumerate(ports)}
    furthest: str | None = None
    for purpose in sorted(ports, key=lambda one: (ports[one].first, places[one])):
        if furthest is not None and ports[purpose].overlaps(ports[furthest]):
            first, second = sorted((furthest, purpose), key=places.__getitem__)
            yield first, second
        if furthest is None or ports[purpose].last > ports[furthest].last:
            furthest = purpose


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
    right = f"write folders relative to {project}"
    for root in profile.python.path:
        if not _is_folder(project / root):
            yield _at(merged, "python", "path", problem=f'there is no folder "{root[:60]}"', right=right)


def _simulated(profile: Profile, merged: Merged, kind: NodeKind) -> Iterator[Mistake]:
    if profile.simulate and not kind.simulated:
        problem = f"nodes of driver {profile.driver} cannot be simulated: they run as they are, or not at all"
        yield _at(
            merged, "simulate", problem=problem, right="leave it out, or use a profile of driver python"
        )


def _watched(profile: Profile, merged: Merged, project: Path) -> Iterator[Mistake]:
    """A pattern that can never match a file watches nothing, without any message."""
    for pattern in profile.watch:
        base = Path(pattern)
        while any(sign in str(base) for sign in "*?["):
            base = base.parent
        if not (_is_folder(project / base) or _is_file(project / base)):
            problem = f'there is no file or folder "{str(base)[:60]}"'
            right = f"write files or folders relative to {project}"
            yield _at(merged, "watch", problem=problem, right=right)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _derived(profile: Profile, merged: Merged) -> Iterator[Mistake]:
    for purpose, text in profile.derived.items():
        base, offset = derived_port(text)
        ports = profile.ports.get(base)
        if ports is None:
            problem = f'there are no ports "{base}" that it could follow from'
            yield _at(merged, "derived", purpose, problem=problem, right=did_you_mean(base, profile.ports))
        elif purpose in profile.ports:
            right = "give it a name of its own"
            yield _at(merged, "derived", purpose, problem="is one of [ports], too", right=right)
        elif not FIRST_PORT <= ports.first + offset <= ports.last + offset <= LAST_PORT:
            problem = f"leads from {ports} to {ports.first + offset}-{ports.last + offset}"
            right = f"choose ports.{base} so that it stays within {FIRST_PORT}-{LAST_PORT}"
            yield _at(merged, "derived", purpose, problem=problem, right=right)
