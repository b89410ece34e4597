"""`profile.check` tells all mistakes of a profile in one go, those of its templates and texts,
too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib.operations.profiles import check

SERVER = """\
driver = "command"
[ports]
client = "14000-14999"
[command]
program = "sh"
"""


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., list[str]]:
    """What is told of a profile with this text."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\n')

    def checked(text: str, template: str = "") -> list[str]:
        (tmp_path / "templates").mkdir(exist_ok=True)
        (tmp_path / "templates/a.j2").write_text(template)
        (tmp_path / "profiles/mine.toml").write_text(text)
        return list(check("mine", project=tmp_path).profiles[0].lines)

    return checked


def test_mistakes_of_settings_texts_and_templates_come_together(told: Callable[..., list[str]]) -> None:
    text = SERVER + '[nodes]\ncuont = 3\n[templates]\n"a.conf" = "a.j2"\n[ready]\nsend = "{{ nod.name }}"\n'

    found = told(text, "one\n{{ node.nmae }}\n")

    assert len(found) == 3, found
    assert "nodes.cuont: unknown key" in found[0]
    assert "templates/a.j2:2: templates.a.conf: " in found[1]
    assert "ready.send: 'nod' is undefined" in found[2]


@pytest.mark.parametrize(
    ("more", "count"),
    [
        ('[templates]\n"a.conf" = "absent.j2"\n', 1),
        ('[ready]\nsend = "{{ node.ports.bus }}"\n[derived]\nbus = "clinet + 1"\n', 1),
        ('[ready]\nsend = "{{ node.ports.bus }}"\n[derived]\nbus = "x"\n', 1),
        ('[ready]\nsend = "{{ node.ports.client }}"\n', 0),
        ('[ready]\nsend = "{{ node.name }}"\n[nodes]\ncount = 0\n', 1),
    ],
)
def test_no_mistake_is_told_that_follows_from_another_one(
    told: Callable[..., list[str]], more: str, count: int
) -> None:
    assert len(told(SERVER + more)) == count


def test_ports_that_are_no_range_have_a_name_all_the_same(told: Callable[..., list[str]]) -> None:
    wrong = SERVER.replace('"14000-14999"', '"many"') + '[ready]\nsend = "{{ node.ports.client }}"\n'

    (found,) = told(wrong)

    assert "ports.client" in found


def test_nothing_is_said_of_texts_where_a_profile_that_is_extended_is_missing(
    told: Callable[..., list[str]],
) -> None:
    (found,) = told('extends = "absent"\n' + SERVER + '[ready]\nsend = "{{ node.ports.its_own }}"\n')

    assert "extends" in found
