"""Digests of code: equal as long as the code means the same.

A step's digest covers its script and every module of the library that it imports, directly or
not. It is taken from the parsed source, so comments, docstrings and layout do not count, nor what
only a type checker reads. Tables that name modules, such as the one of the architectures, do not
count either: a module that is imported by name counts for the steps that say so, and a new line in
the table concerns nobody else.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from triage.errors import UserError
from triage.files import write_text
from triage.looks import is_settled, look

SCRIPTS = Path("scripts")
CACHE = Path(".snakemake/engines/code.json")

# Of one file: its digest, and the names of the modules that it imports.
_Facts = tuple[str, list[str]]


@cache
def code_digest(script: str, *extra: str) -> str:
    """The digest of ``scripts/<script>`` and all it imports.

    ``extra`` names modules that are imported by name at run time, such as the file of an
    architecture: ``triage.models.resnet``. Raises UserError where a source can't be parsed.
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
            waiting.extend(file for name in _facts(path)[1] for file in _files(name))
    return found


def libraries(script: str) -> set[str]:
    """What ``scripts/<script>`` imports of others, directly or not: modules, and names in them."""
    names = {name for path in reachable(SCRIPTS / script) for name in _facts(path)[1]}
    own = {path.stem for path in SCRIPTS.iterdir()}
    return {name for name in names if name.split(".")[0] not in sys.stdlib_module_names | own}


def file_digest(path: Path) -> str:
    """The digest of one file's meaning."""
    return _facts(path)[0]


@cache
def _files(name: str) -> tuple[Path, ...]:
    """The files that importing the module ``name`` runs, as far as they are the project's."""
    parts = name.split(".")
    bases = (SCRIPTS.joinpath(*parts[:depth]) for depth in range(1, len(parts) + 1))
    paths = (path for base in bases for path in (base / "__init__.py", base.with_suffix(".py")))
    return tuple(path for path in paths if path.is_file())


@cache
def _facts(path: Path) -> _Facts:
    seen = look(path.stat())
    known = _memory().get(str(path))
    if known is None or known[0] != list(seen):
        known = [list(seen), *_parsed(path.read_bytes(), path)]
        if is_settled(seen):
            _memory()[str(path)] = known
            _keep_at_exit()
    return known[1], known[2]


def _parsed(source: bytes, path: Path) -> _Facts:
    try:
        tree = ast.parse(source, str(path))
    except SyntaxError as error:
        where = f"{path}:{error.lineno}"
        raise UserError(f"is not valid Python ({error.msg})", where=where) from error
    tree = _WithoutTypeChecking().visit(tree)
    package = path.relative_to(SCRIPTS).parent.parts
    digest = hashlib.sha256("".join(_meaning(tree)).encode("utf-8", "surrogatepass")).hexdigest()
    return digest, sorted(set(_imports(tree, package)))


def _imports(tree: ast.Module, package: tuple[str, ...]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # Dots count upwards from the file's own package.
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


class _WithoutTypeChecking(ast.NodeTransformer):
    """Takes out what only a type checker reads."""

    def visit_If(self, node: ast.If) -> ast.If | list[ast.stmt]:
        name = getattr(node.test, "id", getattr(node.test, "attr", ""))
        self.generic_visit(node)
        return node.orelse if name == "TYPE_CHECKING" else node


def _meaning(node: ast.AST) -> Iterator[str]:
    """The tree as text, without positions, docstrings and what a Python version adds empty.

    A text that stands alone, as below the declaration of a setting, does as little as a docstring.
    """
    yield type(node).__name__
    yield "("
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(value, list):
            value = [each for each in value if not _is_text(each)]
            if isinstance(node, ast.Module):
                value = [each for each in value if not _names_modules(each)]
        if name in ("kind", "ctx", "type_comment") or value is None or value == []:
            continue
        yield name
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, ast.AST):
                yield from _meaning(each)
            else:
                yield repr(each)
    yield ")"


def _is_text(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _names_modules(statement: ast.stmt) -> bool:
    """Whether a statement is a table whose values are all names of modules of the project."""
    table = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    if not isinstance(table, ast.Dict) or not table.values:
        return False
    names = [value.value for value in table.values if isinstance(value, ast.Constant)]
    texts = [name for name in names if isinstance(name, str) and "." in name]
    return len(texts) == len(table.values) and all(_is_module(name) for name in texts)


def _is_module(name: str) -> bool:
    base = SCRIPTS.joinpath(*name.split("."))
    return base.with_suffix(".py").is_file() or (base / "__init__.py").is_file()


def _rules() -> str:
    """What a remembered digest depends on beside the file: this module, and Python's grammar."""
    own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    return f"{own} {sys.version_info[:2]}"


@cache
def _memory() -> dict[str, list]:
    try:
        content = json.loads(CACHE.read_text(encoding="utf-8"))
        return dict(content["files"]) if content["rules"] == _rules() else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


@cache
def _keep_at_exit() -> None:
    atexit.register(_keep)


def _keep() -> None:
    # A memory that can't be kept only costs time.
    with contextlib.suppress(UserError, OSError):
        write_text(json.dumps({"rules": _rules(), "files": _memory()}), CACHE)
