"""The modules of a project's `operations/`.

They belong to a package that is made for this folder. So they collide with no other module, and no
node can import them: functions of an operation are sent to a node as code, so a node never runs an
outdated one.

Each version of a file is a module of its own. Calls that run keep the one they began with."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from clusterlib.frozen import frozen
from clusterlib.importing import importable

__all__ = ["Helper", "execute", "forget", "helpers", "restore_helpers", "take_helpers"]

PREFIX = "clusterlib_operations_"


class _ProjectLoader(SourceFileLoader):
    """Reads no cached bytecode: it is trusted by the second of the last change, and an edit within
    that second would be missed."""

    source: bytes | None = None
    """What was imported; the file may have changed since."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        self.source = self.get_data(path)
        code: CodeType = self.source_to_code(self.source, path)
        return code


class _ProjectFinder(MetaPathFinder):
    """Finds the helpers of operations: the modules of our packages that are no operations."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG002 (Python's)
    ) -> ModuleSpec | None:
        if not fullname.startswith(PREFIX):
            return None
        last = fullname.rpartition(".")[2]
        for folder in map(Path, path or ()):
            if (file := folder / last / "__init__.py").is_file():
                return _spec(fullname, file, folder=file.parent)
            if (file := folder / f"{last}.py").is_file():
                return _spec(fullname, file)
        return None


def _spec(name: str, file: Path, *, folder: Path | None = None) -> ModuleSpec | None:
    places = None if folder is None else [str(folder)]
    loader = _ProjectLoader(name, str(file))
    return spec_from_file_location(name, file, loader=loader, submodule_search_locations=places)


@cache
def _package_name(folder: Path) -> str:
    import hashlib

    return f"{PREFIX}{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


def _package(folder: Path) -> str:
    """The package of this folder, which exists from now on."""
    name = _package_name(folder)
    if name not in sys.modules:
        if not any(isinstance(one, _ProjectFinder) for one in sys.meta_path):
            sys.meta_path.insert(0, _ProjectFinder())
        package = ModuleType(name, f"The operations in {folder}.")
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return name


def execute(file: Path, text: str) -> ModuleType:
    """A new module of this text. Raises whatever its code raises; then the old one stays."""
    name = f"{_package(file.parent)}.{file.stem}"
    spec = _spec(name, file)
    assert spec is not None
    module, before = module_from_spec(spec), sys.modules.get(name)
    sys.modules[name] = module
    try:
        with importable([str(file.parent.parent)]):
            exec(compile(text, str(file), "exec"), module.__dict__)  # noqa: S102 - the user's own code
    except BaseException:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise
    return module


def forget(file: Path) -> None:
    """Of a file that is gone."""
    sys.modules.pop(f"{_package_name(file.parent)}.{file.stem}", None)


@frozen
class Helper:
    """A module beside operations, as it was imported."""

    file: Path
    source: bytes | None
    """None if it has none, as a compiled module."""


def helpers(folder: Path, operations: Collection[str]) -> dict[str, Helper]:
    """The modules that operations of this folder have imported from it and that are no operations,
    by name."""
    inside = f"{_package_name(folder)}."
    return {
        name: Helper(Path(file), getattr(module.__loader__, "source", None))
        for name, module in list(sys.modules.items())
        if name.startswith(inside) and (file := getattr(module, "__file__", None)) and file not in operations
    }


def take_helpers(names: Iterable[str]) -> dict[str, ModuleType]:
    """Takes them away, so that the next import reads their files. Returns them by name."""
    taken = {name: sys.modules.pop(name) for name in names}
    for name in taken:
        above, _, last = name.rpartition(".")
        vars(sys.modules.get(above) or taken[above]).pop(last, None)
    return taken


def restore_helpers(taken: Mapping[str, ModuleType]) -> None:
    """For versions that go on with them."""
    sys.modules.update(taken)
    for name, module in taken.items():
        above, _, last = name.rpartition(".")
        setattr(sys.modules[above], last, module)
