"""Tries every template and text of a profile with sample values, and reports what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from clusterlib.profiles.origins import Mistake, Origin
from clusterlib.profiles.resolution import template_folders
from clusterlib.profiles.resolved import ResolvedProfile
from clusterlib.profiles.samples import sample_values
from clusterlib.rendering.checking import Trial, faults_of
from clusterlib.values.sources import ValueSource

__all__ = ["check_templates"]

MOST_SAMPLES = 3


def check_templates(profile: ResolvedProfile, search: Sequence[Path] | None = None) -> list[Mistake]:
    """What is wrong with the templates and texts of a profile, by file and line."""
    folders = template_folders(profile.project) if search is None else tuple(search)
    count = min(profile.values.nodes.count, MOST_SAMPLES)
    samples = [sample_values(profile, index) for index in range(1, count + 1)]
    trials = [trial for trial in _trials(profile) if not trial.is_plain(folders, samples)]
    mistakes = []
    for trial, fault in zip(trials, faults_of(trials, folders, samples), strict=False):
        if fault is not None:
            place = Origin(ValueSource.PROFILE, profile.name, fault.file, fault.line)
            origin = place if fault.file else profile.origin(trial.field)
            mistakes.append(Mistake(fault.problem, fault.right, trial.field, origin))
    return mistakes


def _trials(profile: ResolvedProfile) -> Iterator[Trial]:
    for output, template in profile.values.templates.items():
        yield Trial(f"templates.{output}", template, "")
    for field, text in profile.texts():
        yield Trial(field, None, text)
