"""What is read out of a Mix project."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterlib.drivers.beam.mix import elixir_libraries, mix_applications
from clusterlib.errors import ClusterError, UsageError


def test_the_application_of_a_project_is_named_in_its_mix_file(tmp_path: Path) -> None:
    (tmp_path / "mix.exs").write_text(
        "def project do\n  # app: :old\n  [version: 1,\n   app: :my_shop]\nend\n"
    )

    assert mix_applications(tmp_path) == ("my_shop",)


def test_an_umbrella_is_all_its_applications(tmp_path: Path) -> None:
    (tmp_path / "mix.exs").write_text('[apps_path: "apps", deps: []]')
    for name in ("web", "core"):
        (tmp_path / "apps" / name).mkdir(parents=True)
        (tmp_path / "apps" / name / "mix.exs").write_text(f"[app: :{name}, build_path: 1]")

    assert mix_applications(tmp_path) == ("core", "web")


def test_no_mix_project_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no Mix project"):
        mix_applications(tmp_path)


def test_a_mix_file_that_names_none_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "mix.exs").write_text("[app: @name]")

    with pytest.raises(UsageError, match="no application is named") as told:
        mix_applications(tmp_path)

    assert "applications = " in told.value.remedies[0]


def test_elixirs_libraries_lie_beside_its_program(tmp_path: Path) -> None:
    (tmp_path / "elixir" / "lib" / "elixir" / "ebin").mkdir(parents=True)
    (tmp_path / "elixir" / "bin").mkdir()
    (tmp_path / "elixir" / "bin" / "elixir").touch()
    (tmp_path / "elixir-on-path").symlink_to(tmp_path / "elixir" / "bin" / "elixir")

    assert elixir_libraries(tmp_path / "elixir-on-path") == str(tmp_path / "elixir" / "lib" / "*" / "ebin")


def test_a_script_in_the_place_of_elixir_is_asked(tmp_path: Path) -> None:
    (tmp_path / "here" / "elixir").mkdir(parents=True)
    script = tmp_path / "shims" / "elixir"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\necho a warning\nprintf %s {tmp_path}/here/elixir\n")
    script.chmod(0o755)

    assert elixir_libraries(script) == str(tmp_path / "here" / "*" / "ebin")


def test_one_that_does_not_answer_is_an_error_with_its_words(tmp_path: Path) -> None:
    script = tmp_path / "elixir"
    script.write_text("#!/bin/sh\necho no version is set\nexit 126\n")
    script.chmod(0o755)

    with pytest.raises(ClusterError, match="does not say where") as told:
        elixir_libraries(script)

    assert told.value.evidence == ("no version is set",)
