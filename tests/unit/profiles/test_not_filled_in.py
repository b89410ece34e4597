"""What looks like a template and is none, and where a template would be lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterlib.operations import profiles
from clusterlib.profiles import check_profile, load_profile


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('program = "{{ cluster.project }}/server"', "command.program: is no template: nothing fills it in"),
        ('program = "x"\nsearch = ["{{ data }}"]', "command.search: is no template"),
        ('program = "x"\nexecute = ["{{ node.name }}"]', "command.execute: is no template"),
        ('program = "x"\ncrash = ["{{ node.name }} died"]', "command.crash: is no template"),
        ('program = "x"\nshared = ["{{ node.name }}"]', "command.shared: is no template"),
        ('program = "x"\nuser = "{{ node.name }}"', "command.user: "),
        ('program = "x"\n[templates]\n"data/server.conf" = "it"', "templates.data/server.conf: is in data"),
    ],
)
def test_it_is_refused_with_the_place(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/it").write_text("x")
    text = f'driver = "command"\nports.client = "14000-14999"\n[command]\n{line}\n'
    (tmp_path / "profiles/mine.toml").write_text(text)

    (mistake,) = check_profile("mine", project=tmp_path, environ={})

    assert told in str(mistake)
    assert str(mistake).startswith("profiles/mine.toml:")


def test_a_line_that_tells_of_a_crash_may_hold_what_jinja_would_read(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    text = 'driver = "command"\nports.client = "14000-14999"\n[command]\nprogram = "x"\ncrash = [\'^\\{\\{"fatal\', "{#"]\n'
    (tmp_path / "profiles/mine.toml").write_text(text)

    assert check_profile("mine", project=tmp_path, environ={}) == []
    assert not list(load_profile("mine", project=tmp_path, environ={}).texts())


def test_a_resolved_profile_shows_no_settings_of_other_drivers(tmp_path: Path) -> None:
    def sections(name: str) -> set[str]:
        shown = profiles.show(name, resolved=True, project=tmp_path)
        return {value.field.partition(".")[0] for value in shown.values}

    assert not {"command", "beam", "ready", "formed"} & sections("dev")
    assert {"python", "nodes", "tests"} <= sections("dev")
    assert {"command", "ready", "formed"} <= sections("redis")
    assert "beam" not in sections("redis")
