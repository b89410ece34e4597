"""The doctor and the tasks of profiles, as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.functional.tasks.calling import Invoke


def test_a_machine_that_is_fit_passes_the_doctor(invoke: Invoke, answer: Callable[..., Any]) -> None:
    found = answer("cluster.doctor")

    assert found["ok"] is True
    assert {"python", "localhost", "containment", "ports for cluster", "templates"} <= {
        finding["name"] for finding in found["findings"]
    }
    assert "can start here" in invoke("cluster.doctor").stdout


def test_the_doctor_goes_on_after_a_broken_profile_and_fails(invoke: Invoke, shop: Path) -> None:
    (shop / "profiles").mkdir()
    (shop / "profiles" / "broken.toml").write_text("[nodes]\ncount = 'many'\n")

    done = invoke("cluster.doctor", "--profile", "broken")

    assert done.returncode == 1
    assert "broken.toml:2" in done.stdout
    assert "containment" in done.stdout


def test_a_template_that_asks_for_an_unknown_name_is_a_mistake_of_its_profile(
    invoke: Invoke, shop: Path
) -> None:
    (shop / "profiles").mkdir()
    (shop / "templates").mkdir()
    (shop / "templates" / "shop.conf.j2").write_text("# a shop\nname = {{ nod.name }}\n")
    (shop / "profiles" / "odd.toml").write_text(
        'extends = "dev"\n[templates]\n"shop.conf" = "shop.conf.j2"\n'
    )

    checked = invoke("profile.check", "odd")
    refused = invoke("cluster.up", "--profile", "odd")

    assert (checked.returncode, refused.returncode) == (2, 2)
    assert "shop.conf.j2:2" in checked.stdout
    assert "shop.conf.j2:2" in refused.stderr


def test_profiles_are_listed_shown_and_checked(
    invoke: Invoke, answer: Callable[..., Any], shop: Path
) -> None:
    names = [profile["name"] for profile in answer("profile.list")["profiles"]]
    assert {"dev", "ci-small", "ci-large"} <= set(names)

    assert answer("profile.show", "ci-small")["resolved"] is False
    values = answer("profile.show", "dev", "--resolved", CLUSTERLIB_NODES_COUNT="4")["values"]
    [count] = [value for value in values if value["field"] == "nodes.count"]
    assert (count["value"], count["source"]) == (4, "environment")

    assert answer("profile.check")["ok"] is True
    (shop / "profiles").mkdir()
    (shop / "profiles" / "broken.toml").write_text("[nodes]\ncuont = 3\n[timeouts]\nstart = -1\n")
    checked = invoke("profile.check", "broken")
    assert checked.returncode == 2
    assert "broken.toml:2" in checked.stdout
    assert "broken.toml:4" in checked.stdout

    refused = invoke("cluster.up", "--profile", "broken")
    assert refused.returncode == 2
    assert "broken.toml:2" in refused.stderr
    assert "Traceback" not in refused.stderr

    schema = json.loads(invoke("profile.schema").stdout)
    assert "nodes" in schema["properties"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("cluster.up", "--nodes", "many"),
        ("cluster.up", "--nodes", "0"),
        ("cluster.up", "--name", "a/b"),
        ("cluster.up", "--profile", "no-such-profile"),
        ("cluster.scale",),
        ("cluster.logs", "--since", "yesterday"),
        ("cluster.run", "--timeout", "soon", "--", "true"),
    ],
    ids=" ".join,
)
def test_bad_input_is_explained_with_exit_code_2_and_starts_nothing(
    invoke: Invoke, arguments: tuple[str, ...]
) -> None:
    done = invoke(*arguments)

    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("cluster.up 3", "invoke cluster.up --nodes 3"),
        ("cluster.up --node 3", "invoke cluster.up --nodes 3"),
        ("cluster.upp", "invoke cluster.up"),
        ("cluster.kill node1 node2", "invoke cluster.kill node1 && invoke cluster.kill node2"),
    ],
)
def test_words_that_make_no_sense_are_refused_with_what_would(
    line: str, right: str, answer: Callable[..., Any]
) -> None:
    assert answer(*line.split(), code=2)["error"]["remedies"][0] == right
