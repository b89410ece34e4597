"""For a noxfile: `from clusterlib.nox import distributed_sessions`. Needs the extra `nox`."""

try:
    from clusterlib.doors.nox import distributed_sessions
except ModuleNotFoundError as error:
    if error.name != "nox":
        raise
    raise ModuleNotFoundError(
        "clusterlib.nox needs Nox, which is not installed in this environment. "
        "Add the extra `nox` where you require clusterlib: `clusterlib[nox] @ ...`. "
        "Or install Nox itself: python -m pip install nox",
        name="nox",
    ) from None

__all__ = ["distributed_sessions"]
