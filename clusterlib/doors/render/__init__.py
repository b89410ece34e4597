"""Results as people read them. One function a result; nothing is decided here."""

from __future__ import annotations

from clusterlib.doors.render.examine import diagnosis, health
from clusterlib.doors.render.life import (
    cleaned,
    disturbed,
    restarted,
    scaled,
    started,
    status,
    stopped,
    synchronised,
)
from clusterlib.doors.render.profiles import checks, profile, profiles
from clusterlib.doors.render.use import diary, evaluated, event, followed, logs, ran, ready, reported

__all__ = [
    "checks",
    "cleaned",
    "diagnosis",
    "diary",
    "disturbed",
    "evaluated",
    "event",
    "followed",
    "health",
    "logs",
    "profile",
    "profiles",
    "ran",
    "ready",
    "reported",
    "restarted",
    "scaled",
    "started",
    "status",
    "stopped",
    "synchronised",
]
