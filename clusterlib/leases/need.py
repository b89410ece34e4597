"""What one test needs. A plain value: equal needs are served alike."""

from __future__ import annotations

from collections.abc import Sequence

from clusterlib.errors import NeedImpossible
from clusterlib.frozen import frozen

__all__ = ["IN_A_CLASS", "MOST_NODES", "Need", "need_of"]

MOST_NODES = 1000
"""No profile can have more, so a test cannot, either."""


IN_A_CLASS = ("cluster_size = 3", 'cluster_profile = "dev"')
"""How a test case declares its needs."""


@frozen
class Need:
    """A cluster as one test needs it. Created by `need_of`, which checks it."""

    profile: str | None = None
    """None: the profile of the run."""
    size: int | None = None
    """The minimum number of nodes. None: as many as the profile has."""
    exact: bool = False
    """Exactly that many nodes."""
    exclusive: bool = False
    """No other test uses the cluster during this test."""
    dirty: bool | None = None
    """True: the test always damages the cluster, and it is restarted fresh for the next one.

    False: the test repairs its damage itself. None: the keeper records what was broken."""

    def __str__(self) -> str:
        words = []
        if self.size is not None:
            least = "exactly" if self.exact else "at least"
            words.append(f"{least} {self.size} {'node' if self.size == 1 else 'nodes'}")
        words.append(f"of profile {self.profile}" if self.profile else "of the default profile")
        return " ".join(words)


def need_of(
    *,
    profile: object = None,
    size: object = None,
    exact: object = False,
    exclusive: object = False,
    dirty: object = None,
    remedies: Sequence[str] | None = None,
) -> Need:
    """Creates a need from a marker, a class or a call. Raises NeedImpossible with all mistakes.

    `remedies` show the correct form at that place; by default that of a marker."""
    sizes = [*_size_faults(size, exact), *_flag_faults(exact=exact)]
    kinds = [
        *_profile_faults(profile),
        *_flag_faults(exclusive=exclusive),
        *([] if dirty is None else _flag_faults(dirty=dirty)),
    ]
    wrong = [*sizes, *kinds]
    if wrong:
        raise NeedImpossible(
            wrong[0] if len(wrong) == 1 else f"what the test asks for has {len(wrong)} mistakes",
            evidence=[] if len(wrong) == 1 else wrong,
            remedies=_markers(sizes, kinds, exact) if remedies is None else remedies,
        )
    assert profile is None or isinstance(profile, str)
    assert size is None or isinstance(size, int)
    return Need(profile, size, bool(exact), bool(exclusive), None if dirty is None else bool(dirty))


def _markers(sizes: Sequence[str], kinds: Sequence[str], exact: object) -> list[str]:
    size = f"@pytest.mark.cluster_size(3{'' if exact is False else ', exact=True'})"
    kind = '@pytest.mark.cluster(profile="dev", exclusive=True, dirty=True)'
    return [*([size] if sizes else []), *([kind] if kinds else [])]


def _profile_faults(profile: object) -> list[str]:
    if profile is None or (isinstance(profile, str) and profile):
        return []
    return [f"profile is the name of a profile, not {profile!r}"]


def _size_faults(size: object, exact: object) -> list[str]:
    if size is None:
        return ["exact=True needs a size: the number of nodes that it is to be"] if exact is True else []
    if not isinstance(size, int) or isinstance(size, bool):
        return [f"the size of a cluster is a whole number, not {size!r}"]
    if size < 1:
        return [f"a cluster has at least one node, not {size}"]
    return []


def _flag_faults(**flags: object) -> list[str]:
    return [
        f"{name} is True or False, not {flag!r}" for name, flag in flags.items() if not isinstance(flag, bool)
    ]
