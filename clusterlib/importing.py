"""Imports the modules of a project: its operations, and its drivers.

Several projects may be used by one process, and their modules may have the same names. A module is
imported by its own name, unless another file has that name already; then it belongs to a package
that is made for its folder. `sys.path` is the same before and after."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import ModuleType

__all__ = ["find_module", "frames_of_authors", "importable", "imported", "is_of_author"]

_added: Counter[str] = Counter()
_lock = Lock()


@contextmanager
def importable(folders: Iterable[str]) -> Iterator[None]:
    """Modules in these folders can be imported meanwhile. They come after all others: a file of a
    project hides no installed module."""
    wanted = tuple(folders)
    with _lock:
        ours = [folder for folder in wanted if _added[folder] or folder not in sys.path]
        sys.path += [folder for folder in ours if not _added[folder]]
        _added.update(ours)
    try:
        yield
    finally:
        with _lock:
            _added.subtract(ours)
            for folder in ours:
                if not _added[folder]:
                    _remove_last(folder)


def _remove_last(folder: str) -> None:
    """The last entry is ours; other code may have put the same folder before it."""
    for number in reversed(range(len(sys.path))):
        if sys.path[number] == folder:
            del sys.path[number]
            return


def find_module(name: str, folders: Iterable[str] | None = None) -> Path | None:
    """The file of the module, also if another file has its name in this process.

    It is looked for in these folders, or wherever Python does. Imports nothing."""
    top, *inner = name.split(".")
    if folders is None:
        spec = next((spec for one in sys.meta_path if (spec := one.find_spec(top, None, None))), None)
        if spec is None:
            return None
        if not inner:
            return Path(spec.origin) if spec.has_location and spec.origin else None
        places = [Path(place) for place in spec.submodule_search_locations or ()]
    else:
        places, inner = [Path(folder) for folder in folders], [top, *inner]
    for place in places:
        module = place.joinpath(*inner)
        for file in (module / "__init__.py", module.with_name(f"{module.name}.py")):
            if file.is_file():
                return file
    return None


def imported(name: str, file: Path) -> ModuleType:
    """The module with the file that `find_module` has found. Raises whatever its code raises."""
    if _has_its_name(name, file):
        return importlib.import_module(name)
    folder = file.parents[name.count(".") + (file.name == "__init__.py")]
    return importlib.import_module(f"{_package_for(folder)}.{name}")


def _has_its_name(name: str, file: Path) -> bool:
    """Whether importing it by its own name leads to this file."""
    if find_module(name) != file:
        return False
    known = sys.modules.get(name)
    if known is not None:
        return getattr(known, "__file__", None) == str(file)
    top = sys.modules.get(name.partition(".")[0])
    return top is None or any(Path(folder) in file.parents for folder in getattr(top, "__path__", ()))


def _package_for(folder: Path) -> str:
    """A package for the modules of this folder that cannot have their own names."""
    import hashlib

    name = f"clusterlib_project_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    if name not in sys.modules:
        package = ModuleType(name, f"Modules of {folder}, whose names other modules have.")
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return name


def frames_of_authors(error: BaseException) -> list[traceback.FrameSummary]:
    """The places on the way to the error that belong neither to clusterlib nor to Python."""
    return [one for one in traceback.extract_tb(error.__traceback__) if is_of_author(one.filename)]


def is_of_author(filename: str) -> bool:
    import sysconfig

    path = Path(filename)
    libraries = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
    of_python = any(folder in path.parents for folder in libraries) and "site-packages" not in path.parts
    return not (filename.startswith("<") or Path(__file__).parent in path.parents or of_python)
