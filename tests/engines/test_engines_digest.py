"""Digests of code: what counts as a change, and for whom."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from triage_workflow.engines import digest

from triage import looks
from triage.errors import UserError

FILES = {
    "scripts/train.py": "from lib import loop\nimport numpy\n",
    "scripts/split.py": "from lib.files import write\n",
    "scripts/lib/__init__.py": "",
    "scripts/lib/files.py": "def write(path):\n    return path\n",
    "scripts/lib/loop.py": "from . import files\nfrom .steps.one import step\n",
    "scripts/lib/steps/__init__.py": "",
    "scripts/lib/steps/one.py": "from ..models import TABLE\n\ndef step():\n    return 1\n",
    "scripts/lib/models/__init__.py": 'TABLE = {"flat": "lib.models.flat"}\n',
    "scripts/lib/models/flat.py": "FACTOR = 1\n",
    "scripts/lib/models/deep.py": "FACTOR = 2\n",
}


@pytest.fixture(autouse=True)
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    for path, text in FILES.items():
        write(path, text)
    forget()
    yield
    forget()


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(textwrap.dedent(text))


def forget() -> None:
    """As in another process."""
    for each in (digest.code_digest, digest._files, digest._facts, digest._memory):
        each.cache_clear()


def digests() -> dict[str, str]:
    forget()
    return {
        "train flat": digest.code_digest("train.py", "lib.models.flat"),
        "train deep": digest.code_digest("train.py", "lib.models.deep"),
        "split": digest.code_digest("split.py"),
    }


def changed_by(path: str, text: str) -> set[str]:
    before = digests()
    write(path, text)
    after = digests()
    return {name for name in before if before[name] != after[name]}


def test_imports_are_followed_also_from_within_packages() -> None:
    reached = {path.as_posix() for path in digest.reachable(Path("scripts/train.py"))}
    assert reached == {
        "scripts/train.py",
        "scripts/lib/__init__.py",
        "scripts/lib/files.py",
        "scripts/lib/loop.py",
        "scripts/lib/models/__init__.py",
        "scripts/lib/steps/__init__.py",
        "scripts/lib/steps/one.py",
    }


@pytest.mark.parametrize(
    "text",
    [
        'def write(path):\n    return path\n"What it does."\n',
        "# A comment.\ndef write(path):\n    return path  # another\n",
        '"""About."""\n\n\ndef write(path):\n    """Write."""\n    return path\n',
        "def write(\n    path\n):\n    return (path)\n",
        "from typing import TYPE_CHECKING\n",
    ],
)
def test_what_changes_no_meaning(text: str) -> None:
    if "TYPE_CHECKING" in text:
        write("scripts/lib/files.py", text + FILES["scripts/lib/files.py"])
        text += "if TYPE_CHECKING:\n    import lib.models.deep\n" + FILES["scripts/lib/files.py"]
    assert changed_by("scripts/lib/files.py", text) == set()


@pytest.mark.parametrize(
    "text",
    [
        "def write(path):\n    return None\n",
        "def write(path, mode=1):\n    return path\n",
        "def write(path):\n    return 'path'\n",
        "def write(path):\n    return path\nX = ''\n",
    ],
)
def test_what_changes_meaning_counts_for_all_who_import_it(text: str) -> None:
    assert changed_by("scripts/lib/files.py", text) == {"train flat", "train deep", "split"}


def test_a_deeper_module_counts_for_those_who_reach_it() -> None:
    text = "from ..models import TABLE\n\ndef step():\n    return 2\n"
    assert changed_by("scripts/lib/steps/one.py", text) == {"train flat", "train deep"}


def test_an_architecture_counts_for_its_arms() -> None:
    assert changed_by("scripts/lib/models/deep.py", "FACTOR = 3\n") == {"train deep"}


def test_a_new_architecture_counts_for_nobody_else() -> None:
    write("scripts/lib/models/wide.py", "FACTOR = 9\n")
    table = 'TABLE = {"flat": "lib.models.flat", "wide": "lib.models.wide"}\n'
    assert changed_by("scripts/lib/models/__init__.py", table) == set()


def test_a_table_of_other_things_counts() -> None:
    table = 'TABLE = {"flat": "lib.models.flat", "wide": "lib.models.nowhere"}\n'
    assert changed_by("scripts/lib/models/__init__.py", table) == {"train flat", "train deep"}


def test_a_file_that_appears_in_place_of_an_unknown_module_counts() -> None:
    assert changed_by("scripts/numpy.py", "") == {"train flat", "train deep"}


def test_remembered_digests_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "_TICK", -(10**18))
    before = digests()
    digest._keep()
    assert Path(".snakemake/engines/code.json").exists()
    monkeypatch.setattr(digest, "_parsed", None)  # so that nothing is parsed
    assert digests() == before


def test_a_file_that_is_no_python_is_named() -> None:
    write("scripts/lib/files.py", "def write(:\n")
    with pytest.raises(UserError, match=r"scripts/lib/files.py:1: is not valid Python"):
        digest.code_digest("split.py")
