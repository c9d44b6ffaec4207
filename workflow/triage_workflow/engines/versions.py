"""Which versions of the engines this workflow was tested with."""

from __future__ import annotations

from importlib.metadata import version

from packaging.specifiers import SpecifierSet


def require(package: str, versions: str) -> None:
    """End the program with what to install, unless a version in the range is there."""
    found = version(package)
    if not SpecifierSet(versions).contains(found, prereleases=True):
        raise SystemExit(
            f"error: {package} {found} is installed; this workflow works with {package}{versions}\n"
            f"  -> python -m pip install '{package}{versions}'"
        )
