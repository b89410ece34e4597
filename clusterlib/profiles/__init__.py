"""Reads TOML into frozen typed values that know their origins.

Each public name is loaded when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlib.lazy import exports

if TYPE_CHECKING:
    from clusterlib.profiles.adaptation import Capacity as Capacity
    from clusterlib.profiles.adaptation import capacity as capacity
    from clusterlib.profiles.catalogue import ProfileSummary as ProfileSummary
    from clusterlib.profiles.catalogue import list_profiles as list_profiles
    from clusterlib.profiles.catalogue import shipped as shipped
    from clusterlib.profiles.model import Profile as Profile
    from clusterlib.profiles.origins import Adaptation as Adaptation
    from clusterlib.profiles.origins import Mistake as Mistake
    from clusterlib.profiles.origins import Origin as Origin
    from clusterlib.profiles.project import find_project as find_project
    from clusterlib.profiles.reference import schema as schema
    from clusterlib.profiles.resolution import check_profile as check_profile
    from clusterlib.profiles.resolution import load_profile as load_profile
    from clusterlib.profiles.resolution import template_folders as template_folders
    from clusterlib.profiles.resolved import ResolvedProfile as ResolvedProfile
    from clusterlib.profiles.sources import default_profile as default_profile

_HOMES = {
    "Adaptation": "origins",
    "Capacity": "adaptation",
    "Mistake": "origins",
    "Origin": "origins",
    "Profile": "model",
    "ProfileSummary": "catalogue",
    "ResolvedProfile": "resolved",
    "capacity": "adaptation",
    "check_profile": "resolution",
    "default_profile": "sources",
    "find_project": "project",
    "list_profiles": "catalogue",
    "load_profile": "resolution",
    "schema": "reference",
    "shipped": "catalogue",
    "template_folders": "resolution",
}

__all__ = [
    "Adaptation",
    "Capacity",
    "Mistake",
    "Origin",
    "Profile",
    "ProfileSummary",
    "ResolvedProfile",
    "capacity",
    "check_profile",
    "default_profile",
    "find_project",
    "list_profiles",
    "load_profile",
    "schema",
    "shipped",
    "template_folders",
]

__getattr__, __dir__ = exports(__name__, _HOMES, "clusterlib.profiles")
