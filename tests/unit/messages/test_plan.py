from __future__ import annotations

import pytest

from clusterlib.frozen import frozen
from clusterlib.messages.codec import NotReadable, Packed
from clusterlib.messages.plan import Plan
from tests.plans import backoff, plan_of, restart_policy, role_plan, timeouts


@frozen
class Inner:
    limit: float


@frozen
class Own:
    program: str
    inner: Inner


def test_a_plan_crosses_to_the_keeper_unchanged() -> None:
    settings = Own("sleep", Inner(2.5))
    plan = plan_of(
        role_plan(
            "python",
            "web",
            code={"shop/cart.py": "1234"},
            templates={"node.json": "python/node.json.j2"},
            template_search=("/p/templates",),
            settings=Packed.of(settings),
        ),
        role_plan("command", "store", count=1),
        simulated=True,
        timeouts=timeouts(start=3),
        retry=backoff(attempts=1),
        restart=restart_policy("always"),
    )

    crossed = Plan.from_json(plan.to_json())

    assert crossed == plan
    assert crossed.size == 4
    assert crossed.roles[0].settings.unpack(Own) == settings


def test_settings_of_another_type_are_refused_by_the_name_of_the_field() -> None:
    packed = Packed.of(Own("sleep", Inner(2.5)))
    wrong = Packed({"program": "sleep", "inner": {"limit": "soon"}})

    assert packed.unpack(Own).inner == Inner(2.5)
    with pytest.raises(NotReadable, match="inner: limit: 'soon' is no number"):
        wrong.unpack(Own)
