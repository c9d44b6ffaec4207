"""Digests of code: equal as long as the code means the same.

A step's digest covers its script and every module of the library that it imports, directly or
not. It is taken from the parsed source, so comments, docstrings and layout do not count.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

SCRIPTS = Path("scripts")


@cache
def code_digest(script: str, *extra: str) -> str:
    """The digest of ``scripts/<script>`` and all it imports.

    ``extra`` names modules that are imported by name at run time, such as the file of an
    architecture: ``triage.models.resnet``.
    """
    modules = reachable(SCRIPTS / script, extra)
    summary = hashlib.sha256()
    for path in sorted(modules):
        summary.update(f"{path.as_posix()} {file_digest(path)}\n".encode())
    return summary.hexdigest()[:16]


def reachable(script: Path, extra: Iterable[str] = ()) -> set[Path]:
    """The files of the project that ``script`` imports, directly or not, and itself."""
    found: set[Path] = set()
    waiting = [script, *(path for name in extra for path in _files(name))]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_imports(path))
    return found


@cache
def file_digest(path: Path) -> str:
    """The digest of one file's meaning."""
    return hashlib.sha256("".join(_meaning(_parse(path))).encode()).hexdigest()


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    names: list[str] = []
    for node in ast.walk(_parse(path)):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            names.extend(f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(file for name in names for file in _files(name))


def _files(name: str) -> Iterator[Path]:
    """The files that importing the module ``name`` runs, as far as they are the project's."""
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        base = SCRIPTS.joinpath(*parts[:depth])
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                yield path


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _meaning(node: ast.AST) -> Iterator[str]:
    """The tree as text, without positions, docstrings and what a Python version adds empty."""
    yield type(node).__name__
    yield "("
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(value, list):
            value = _without_docstring(node, value)
        if name in ("kind", "ctx", "type_comment") or value is None or value == []:
            continue
        yield name
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, ast.AST):
                yield from _meaning(each)
            else:
                yield repr(each)
    yield ")"


def _without_docstring(node: ast.AST, body: list[ast.stmt]) -> list[ast.stmt]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
        return body[1:]
    return body
