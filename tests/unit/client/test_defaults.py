"""A default of a setting is declared in the profile alone."""

from __future__ import annotations

from dataclasses import MISSING, fields

import pytest

from clusterlib.drivers.beam.settings import BeamSettings
from clusterlib.drivers.command.profile import SECTIONS
from clusterlib.drivers.command.settings import Forming, Question, Server
from clusterlib.messages.plan import Backoff, Build, DerivedPort, Plan, RestartPolicy, RolePlan, Timeouts
from clusterlib.profiles.model import Profile
from clusterlib.runtime.config import Config

OF_A_PLAN = (Plan, RolePlan, Timeouts, Backoff, RestartPolicy, DerivedPort, Build, BeamSettings, Server)


def defaults(kind: type) -> dict[str, object]:
    return {
        one.name: one.default if one.default is not MISSING else one.default_factory
        for one in fields(kind)
        if one.default is not MISSING or one.default_factory is not MISSING
    }


@pytest.mark.parametrize("kind", OF_A_PLAN)
def test_a_plan_has_no_defaults(kind: type) -> None:
    assert defaults(kind) == {}


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        (SECTIONS["ready"], Question),
        (SECTIONS["formed"], Question),
        (SECTIONS["health"], Question),
        (SECTIONS["form"], Forming),
    ],
)
def test_a_question_that_a_section_lacks_a_part_of_has_the_default_of_the_others(
    section: type, kind: type
) -> None:
    own, declared = defaults(kind), defaults(section)
    everywhere = {**defaults(SECTIONS["ready"]), **declared}

    assert {name: everywhere[name] for name in own} == own
    assert declared.keys() <= own.keys()


def test_a_node_whose_template_leaves_out_the_silence_uses_that_of_profiles() -> None:
    assert defaults(Config)["detect"] == Profile().timeouts.detect
