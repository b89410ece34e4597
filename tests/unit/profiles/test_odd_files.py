"""Whatever lies where a profile is looked for: it is refused with a reason, and soon."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clusterlib.errors import ProfileError
from clusterlib.profiles import check_profile, list_profiles, load_profile
from clusterlib.profiles.served import profiles_with_tests

PROFILE = {"profiles/odd.toml": "odd", "pyproject.toml": "dev"}


def told(project: Path, name: str = "odd") -> list[str]:
    return [str(one) for one in check_profile(name, project=project, environ={})]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "profiles").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * 5000) + " = 1",
        "[" + ".".join(["a"] * 5000) + "]",
        "a = " + "[" * 400 + "]" * 400,
        "a = " + "{a = " * 400 + "1" + "}" * 400,
        "a = " + "[" * 100000,
    ],
)
def test_what_is_nested_deeply_is_refused(project: Path, text: str) -> None:
    (project / "profiles/odd.toml").write_text(text + "\n")

    assert "is nested too deeply to be read" in told(project)[0]

    (project / "pyproject.toml").write_text("[tool.clusterlib]\n" + text + "\n")
    assert "pyproject.toml: is nested too deeply" in " ".join(told(project, "dev"))


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", ["profiles/odd.toml", "pyproject.toml"])
def test_a_pipe_is_not_waited_for(project: Path, name: str) -> None:
    os.mkfifo(project / name)

    assert "is not a regular file" in " ".join(told(project, PROFILE[name]))
    assert list_profiles(project)
    assert profiles_with_tests(project, {})


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", ["profiles/odd.toml", "pyproject.toml"])
def test_a_device_and_a_giant_are_not_read_to_their_end(project: Path, name: str) -> None:
    (project / name).symlink_to("/dev/zero")
    assert "is not a regular file" in " ".join(told(project, PROFILE[name]))

    (project / name).unlink()
    with (project / name).open("wb") as file:
        file.truncate(2**42)
    assert "is larger than 1024 KiB" in " ".join(told(project, PROFILE[name]))


@pytest.mark.parametrize("name", ["profiles", "templates", "pyproject.toml", "profiles/odd.toml"])
def test_a_link_to_itself_leads_nowhere(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).symlink_to(tmp_path / name)

    assert load_profile("dev", project=tmp_path, environ={}).values.nodes.count == 3
    assert list_profiles(tmp_path)
    with pytest.raises(ProfileError):
        load_profile("odd", project=tmp_path, environ={})


def test_many_overlapping_ports_are_one_mistake_each(project: Path) -> None:
    lines = "\n".join(f'p{index} = "20000-2{index % 4000 + 1000:04d}"' for index in range(2000))
    (project / "profiles/odd.toml").write_text(
        f'driver = "command"\n[command]\nprogram = "x"\n[ports]\n{lines}\n'
    )

    overlaps = [one for one in told(project) if "overlaps with" in one]

    assert len(overlaps) == 1999


def test_a_long_chain_is_followed_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(400):
        (project / f"profiles/p{index}.toml").write_text(f'extends = "p{index + 1}"\n')
    (project / "profiles/p400.toml").write_text("[nodes]\ncount = 7\n")
    resolved: list[Path] = []
    resolve = Path.resolve

    def counted(path: Path, strict: bool = False) -> Path:
        resolved.append(path)
        return resolve(path, strict)

    monkeypatch.setattr(Path, "resolve", counted)

    assert load_profile("p0", project=project, environ={}).values.nodes.count == 7
    assert len(resolved) < 20 * 400, "it grows with the chain, and not with its square"


def test_a_shipped_file_is_called_so(project: Path) -> None:
    shown = {one.name: one.file for one in list_profiles(project)}

    assert shown["dev"] == "profiles/dev.toml (shipped)"
    assert load_profile("dev", project=project, environ={}).file == "profiles/dev.toml (shipped)"
    assert str(load_profile("ci-small", project=project, environ={}).origin("nodes.count")).startswith(
        "profile ci-small (profiles/ci-small.toml:"
    )
    assert str(load_profile("ci-small", project=project, environ={}).origin("nodes.count")).endswith(
        ", shipped)"
    )
