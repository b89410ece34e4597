"""Parts of plans: as the default profile has them, but for what a test changes."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from clusterlib.messages.plan import Backoff, RestartPolicy, Timeouts
from clusterlib.profiles.model import Profile

__all__ = ["backoff", "restart_policy", "timeouts"]

T = TypeVar("T", Timeouts, Backoff, RestartPolicy)


def timeouts(**changes: float) -> Timeouts:
    return _like(Timeouts, Profile().timeouts, changes)


def backoff(**changes: float) -> Backoff:
    return _like(Backoff, Profile().retry, changes)


def restart_policy(policy: str = "never", **changes: float) -> RestartPolicy:
    return _like(RestartPolicy, Profile().restart, {"policy": policy, **changes})


def _like(kind: type[T], section: object, changes: dict[str, Any]) -> T:
    names = [one.name for one in fields(kind)]
    assert changes.keys() <= set(names)
    return kind(**{name: changes.get(name, getattr(section, name)) for name in names})
