"""A profile of somebody else is checked within bounds, and without running its code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib.errors import TemplateError
from clusterlib.operations import profiles
from clusterlib.profiles import load_profile
from clusterlib.profiles.trying import check_templates
from clusterlib.rendering import render, render_text

Write = Callable[[str], Path]

RUNS_A_PROGRAM = [
    "{{ cycler.__init__.__globals__.os.system('touch MARK') }}",
    "{{ joiner.__init__.__globals__['os'].popen('touch MARK').read() }}",
    "{{ self.__init__.__globals__.__builtins__.__import__('os').system('touch MARK') }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cluster | attr('__class__') }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(cluster) }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ range.__self__ }}",
]
TOO_LARGE = [
    "{{ 'x' * 10000000000 }}",
    "{{ 10000000000 * 'x' }}",
    "{{ [0] * 10000000000 }}",
    "{{ 10 ** 100000000 }}",
    "{{ 'x'.ljust(10000000000) }}",
    "{{ 'x' | center(10000000000) }}",
    "{{ 'x' | indent(10000000000) }}",
    "{{ '%10000000000d' % 1 }}",
    "{% for n in range(10000000000) %}{% endfor %}",
]
ENDLESS = [
    "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{% set n = namespace(x='xxxxxxxx') %}{% for i in range(90) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a profile of a server that has this text among its arguments; gives back the
    project."""

    def written(text: str) -> Path:
        (tmp_path / "profiles").mkdir()
        (tmp_path / "profiles/theirs.toml").write_text(
            'driver = "command"\n[ports]\nclient = "14000-14999"\n'
            f'[command]\nprogram = "true"\narguments = [{json.dumps(text)}]\n'
        )
        return tmp_path

    return written


@pytest.mark.parametrize("text", RUNS_A_PROGRAM)
def test_no_template_reaches_the_inside_of_an_object(write: Write, text: str, tmp_path: Path) -> None:
    project = write(text.replace("MARK", str(tmp_path / "mark")))

    checked = profiles.check("theirs", project=project)

    assert not (project / "mark").exists()
    assert not checked.ok
    (line,) = checked.profiles[0].lines
    assert line.startswith("profiles/theirs.toml:6: command.arguments: ")
    with pytest.raises(TemplateError):
        render_text(text, {"cluster": {}})


@pytest.mark.parametrize("text", TOO_LARGE)
def test_what_is_too_large_is_refused_before_it_is_made(write: Write, text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render_text(text, {})

    assert "too large" in caught.value.problem or "Range too big" in caught.value.problem


@pytest.mark.parametrize("text", ENDLESS)
def test_a_check_ends_whatever_a_template_computes(
    write: Write, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusterlib.rendering.checking.CPU_SECONDS", 2)
    project = write(text)

    (line,) = profiles.check("theirs", project=project).profiles[0].lines

    assert "goes beyond what a template may take" in line or "too large" in line
    assert line.startswith("profiles/theirs.toml:6: command.arguments: ")


def test_a_template_cannot_change_what_others_are_given(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="access to attribute"):
        render_text("{{ nodes.append(1) }}", {"nodes": []})


def test_a_giant_template_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "giant").open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(TemplateError, match="is larger than 1024 KiB"):
        render("giant", [tmp_path], {})


def test_a_module_in_the_folder_of_the_profile_is_not_run_by_the_check(write: Write) -> None:
    project = write("{% if 1 %}x{% endif %}{{ absent }}")
    for name in ("jinja2.py", "json.py", "sitecustomize.py"):
        (project / name).write_text("open('mark', 'w')\n")

    done = subprocess.run(
        [sys.executable, "-P", "-m", "clusterlib", "profile.check", "theirs"],
        check=False,
        cwd=project,
        capture_output=True,
        text=True,
    )

    assert "'absent' is undefined" in done.stdout + done.stderr
    assert not (project / "mark").exists()


def test_plain_texts_are_checked_without_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> bytes:
        raise AssertionError("a process was started")

    monkeypatch.setattr("clusterlib.hosts.confined.run_confined", refuse)

    assert check_templates(load_profile("dev", project=Path.cwd(), environ={}, adapt=False)) == []
