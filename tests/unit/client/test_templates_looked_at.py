"""Which templates are compared with the disk: those of the nodes' files, and what they refer to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clusterlib.client.code.sources import code_sources
from clusterlib.disk.code import code_on_disk
from clusterlib.disk.digests import changed
from clusterlib.messages.plan import CodeSources
from clusterlib.profiles import load_profile


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("profiles", "templates/parts"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "profiles/shop.toml").write_text(
        'extends = "ci-small"\n[templates]\n"shop.conf" = "shop.conf.j2"\n'
    )
    return tmp_path


def sources(project: Path, template: str) -> CodeSources:
    (project / "templates/shop.conf.j2").write_text(template)
    return code_sources(load_profile("shop", project=project), project, {})


def noticed(project: Path, template: str, edited: str = "parts/b.j2") -> bool:
    found = sources(project, template)
    before = code_on_disk(found)
    (project / "templates" / edited).write_text("another")
    return changed(before, code_on_disk(found)) == [str(project / "templates" / edited)]


WAYS = {
    "a list": '{% include ["parts/a.j2", "parts/b.j2"] %}',
    "a tuple": '{% include ("parts/a.j2", "parts/b.j2") %}',
    "kept white space": '{%+ include "parts/b.j2" %}',
    "removed white space": "{%- include 'parts/b.j2' -%}",
    "perhaps missing": '{% include "parts/b.j2" ignore missing %}',
    "on lines of its own": '{%\n  include\n  "parts/b.j2"\n%}',
    "a choice": '{% include "parts/b.j2" if node.index else "parts/a.j2" %}',
    "a computed name": '{% include "parts/" ~ "b" ~ ".j2" %}',
    "a variable": '{% set part = "parts/b.j2" %}{% include part %}',
    "a variable within a list": '{% set part = "parts/b.j2" %}{% include ["parts/a.j2", part] %}',
    "imported": '{% import "parts/b.j2" as b %}',
    "names imported": '{% from "parts/b.j2" import b with context %}',
    "a base": '{% extends "parts/b.j2" %}',
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("there", [True, False], ids=["changes", "comes"])
def test_what_a_template_refers_to_is_noticed(project: Path, way: str, there: bool) -> None:
    if there:
        (project / "templates/parts/b.j2").write_text("one")

    assert noticed(project, WAYS[way])


def test_what_an_included_template_includes_is_noticed(project: Path) -> None:
    (project / "templates/parts/a.j2").write_text('{%+ include "parts/b.j2" ignore missing %}')

    assert noticed(project, '{% include "parts/a.j2" %}')


def test_a_template_of_the_project_that_takes_the_place_of_a_shipped_one_is_noticed(project: Path) -> None:
    (project / "templates/redis").mkdir()

    assert noticed(project, '{% include "redis/refuse.sh.j2" %}', "redis/refuse.sh.j2")


def test_other_templates_are_not_looked_at(project: Path) -> None:
    assert not noticed(project, '{# include "parts/b.j2" #}include "parts/b.j2"')
    assert not noticed(project, '{% include "parts/a.j2" %}')
    assert not noticed(project, '{% include "parts/b.j2" ')


def test_jinja_is_not_imported_for_templates_that_refer_to_none(project: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from clusterlib.client.code.sources import code_sources\nfrom clusterlib.profiles import load_profile\n"
        f"project = Path({str(project)!r})\n"
        "code_sources(load_profile('shop', project=project), project, {})\n"
        "print('jinja2' in sys.modules)"
    )

    def imports_jinja(template: str) -> str:
        (project / "templates/shop.conf.j2").write_text(template)
        words = [sys.executable, "-c", program]
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    assert imports_jinja("{% if node.index %}from include{% endif %}") == "False"
    assert imports_jinja('{% include "parts/b.j2" %}') == "True"
