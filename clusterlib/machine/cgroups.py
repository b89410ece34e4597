"""The limits that cgroups set: version 1 and 2, nested, inside a container or outside.

A limit applies to everything below it, so all groups are read, from ours up to the top that is
visible."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clusterlib.frozen import frozen

__all__ = ["Limit", "cpu_limit", "memory_limit"]

NO_MEMORY_LIMIT = 2**60  # version 1 writes "unlimited" as the largest multiple of a page


@frozen
class Limit:
    """An amount, and the file that sets it."""

    amount: float
    file: str


@frozen
class _Mount:
    inside: str
    """The group that is mounted. In a container this need not be the top group."""
    point: str
    controllers: frozenset[str]
    """Empty for version 2."""


def cpu_limit(root: Path = Path("/")) -> Limit | None:
    """The tightest CPU quota, in CPUs."""
    limits = [*_quotas_v2(root), *_quotas_v1(root)]
    return min(limits, key=lambda limit: limit.amount, default=None)


def memory_limit(root: Path = Path("/")) -> Limit | None:
    """The memory left within the tightest limit: used memory is subtracted, except cache that can
    be dropped."""
    limits = [*_memory_left(root, "", "memory.max", "memory.current", "inactive_file")]
    limits += _memory_left(
        root, "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
    )
    return min(limits, key=lambda limit: limit.amount, default=None)


def _quotas_v2(root: Path) -> Iterator[Limit]:
    for group in _groups(root, ""):
        quota, _, period = _text(group / "cpu.max").partition(" ")
        if quota.isdecimal() and period.isdecimal() and int(period):
            yield Limit(int(quota) / int(period), _seen(group / "cpu.max", root))


def _quotas_v1(root: Path) -> Iterator[Limit]:
    for group in _groups(root, "cpu"):
        quota, period = _whole(group / "cpu.cfs_quota_us"), _whole(group / "cpu.cfs_period_us")
        if quota and period and quota > 0:
            yield Limit(quota / period, _seen(group / "cpu.cfs_quota_us", root))


def _memory_left(root: Path, controller: str, most: str, used: str, droppable: str) -> Iterator[Limit]:
    for group in _groups(root, controller):
        limit = _whole(group / most)
        if limit is None or limit >= NO_MEMORY_LIMIT:
            continue
        held = (_whole(group / used) or 0) - _counter(group / "memory.stat", droppable)
        yield Limit(max(0, limit - max(0, held)), _seen(group / most, root))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of our group and of its parents; `controller` is empty for version 2."""
    ours = _membership(root, controller)
    if ours is None:
        return
    for mount in _mounts(root):
        fits = controller in mount.controllers if controller else not mount.controllers
        if not fits:
            continue
        top = root / mount.point.lstrip("/")
        inside = mount.inside.rstrip("/")
        below = ours.removeprefix(inside) if ours == inside or ours.startswith(inside + "/") else ""
        # A path with ".." is outside of our cgroup namespace: what we see is the mount itself.
        parts = [] if ".." in below else [part for part in below.split("/") if part]
        for length in range(len(parts), -1, -1):
            yield top.joinpath(*parts[:length])


def _membership(root: Path, controller: str) -> str | None:
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if controller in names.split(","):
            return path
    return None


def _mounts(root: Path) -> Iterator[_Mount]:
    for line in _text(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        place, kind = before.split(), after.split()
        if len(place) < 5 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2"):
            continue
        controllers = frozenset(kind[2].split(",")) if kind[0] == "cgroup" else frozenset[str]()
        yield _Mount(_unescaped(place[3]), _unescaped(place[4]), controllers)


def _unescaped(path: str) -> str:
    for code, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        path = path.replace(code, character)
    return path


def _seen(path: Path, root: Path) -> str:
    return f"/{path.relative_to(root)}"


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _whole(path: Path) -> int | None:
    try:
        return int(_text(path))
    except ValueError:
        return None


def _counter(path: Path, name: str) -> int:
    for line in _text(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.isdecimal():
            return int(value)
    return 0
