"""snakemake.lock: what every result was made from, in one sorted file that is committed.

It says of each job which rule, parameters, code and inputs made which outputs, all by checksum. So
a clone, another branch or a pulled result can be judged without the machine that made it.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triage_workflow.params import canonical

from triage.errors import UserError
from triage.files import parse_json, plain, write_text
from triage.paths import inside
from triage.shield import printable

LOCK = Path("snakemake.lock")
VERSION = 1
ABOUT = "What every result was made from. Written by Snakemake runs; commit it, do not edit it."
MARKERS = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")
REPAIR = "run `python workflow/repair_locks.py`, which keeps what agrees with the files"


@dataclass(frozen=True)
class Origin:
    """What the outputs of one job were made from.

    ``shell`` is a digest of the rule's command. ``params`` are the values of its parameters as
    Snakemake records them (their ``repr``), sorted. Inputs and outputs are paths with checksums
    (SHA-256; empty where there was no file to read).
    """

    rule: str
    shell: str
    params: tuple[str, ...]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def name(self) -> str:
        """The path that stands for the job: the first of its outputs."""
        return min(self.outputs)

    def dump(self) -> dict[str, Any]:
        """As plain data for the lock."""
        content = {
            "rule": self.rule,
            "shell": self.shell,
            "params": [_readable(value) for value in self.params],
            "inputs": dict(sorted(self.inputs.items())),
            "outputs": dict(sorted(self.outputs.items())),
        }
        return content | {"check": _check(content)}

    @classmethod
    def load(cls, content: Any) -> Origin:
        """From plain data. Raises ValueError where that is not what ``dump`` makes.

        Outputs outside of the project are no outputs of it: they may be deleted by what is here.
        """
        try:
            origin = cls(
                content["rule"],
                content["shell"],
                tuple(sorted(_recorded(value) for value in content["params"])),
                content["inputs"],
                content["outputs"],
            )
            shown = "".join([*origin.inputs, *origin.params, origin.rule])  # in terminals
            whole = content.pop("check") == _check(content) and bool(origin.outputs)
            if whole and all(map(inside, origin.outputs)) and printable(shown) == shown:
                return origin
        except (KeyError, TypeError, AttributeError, RecursionError):
            pass
        raise ValueError("not what a job was made from")


def _check(content: dict[str, Any]) -> str:
    """A digest of an entry: git merges line by line, and must not merge two entries into one."""
    return hashlib.sha256(canonical(content).encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Lock:
    """The origins of all jobs, found by any of their outputs."""

    def __init__(self, origins: Iterable[Origin] = ()) -> None:
        self.origins: dict[str, Origin] = {}
        self._of: dict[str, Origin] = {}
        for origin in origins:
            self.put(origin)

    def get(self, path: str) -> Origin | None:
        """The origin of an output."""
        return self._of.get(path)

    def outputs(self) -> list[str]:
        """All outputs of which the origin is known."""
        return list(self._of)

    def put(self, origin: Origin) -> None:
        """Take in the origin of a job in place of what was known of its outputs."""
        for path in origin.outputs:
            if (old := self._of.get(path)) is not None:
                self.drop(old)
        self.origins[origin.name] = origin
        self._of.update(dict.fromkeys(origin.outputs, origin))

    def drop(self, origin: Origin) -> None:
        """Forget the origin of a job."""
        self.origins.pop(origin.name, None)
        for path in origin.outputs:
            self._of.pop(path, None)

    def text(self) -> str:
        """The lock as it is written: the same origins give the same text."""
        jobs = {name: self.origins[name].dump() for name in sorted(self.origins)}
        content = {"about": ABOUT, "version": VERSION, "jobs": jobs}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    def write(self, path: Path = LOCK) -> None:
        write_text(self.text(), path)

    @classmethod
    def read(cls, path: Path = LOCK) -> Lock:
        """The lock in a file; empty where there is none. Raises UserError when damaged."""
        try:
            text = plain(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            return cls()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"can't be read ({error})", where=path, remedy=REPAIR) from error
        return cls.parse(text, path)

    @classmethod
    def parse(cls, text: str, where: object = LOCK) -> Lock:
        """The lock in a text. Raises UserError when it is damaged or holds a merge conflict.

        A job whose entry is not whole is left out: then nothing is known of its files.
        """
        if conflict := _first_conflict(text):
            raise UserError("holds a merge conflict", where=f"{where}:{conflict}", remedy=REPAIR)
        try:
            content = parse_json(text)
        except json.JSONDecodeError as error:
            place = f"{where}:{error.lineno}"
            raise UserError(f"is damaged ({error.msg})", where=place, remedy=REPAIR) from error
        except ValueError as error:
            raise UserError(f"is damaged ({error})", where=where, remedy=REPAIR) from error
        if not isinstance(content, dict) or not isinstance(content.get("jobs"), dict):
            raise UserError("is damaged (no jobs)", where=where, remedy=REPAIR)
        if content.get("version") != VERSION:
            raise UserError(
                f"is of version {content.get('version')}, and {VERSION} is what can be read",
                where=where,
                remedy="use the version of the workflow that wrote it",
            )
        origins = []
        for job in content["jobs"].values():
            with contextlib.suppress(ValueError):
                origins.append(Origin.load(job))
        return cls(origins)


def repair(text: str, agrees: Callable[[Origin], bool]) -> tuple[Lock, set[str]]:
    """The lock that is left of a damaged text, or of one with merge conflicts.

    Every job that can be read is kept. Where the two sides of a merge differ about a job, the one
    that ``agrees`` with the files is taken, else ours: a wrong choice only makes files stale.
    Returns as well the files of the jobs about which they differ or that can't be read.
    """
    lock, disputed = Lock(), set()
    for side in reversed(sides(text)):
        for name, origin in _entries(side):
            known = lock.get(name)
            if origin is None:
                disputed.add(name)
                continue
            if known is not None and known != origin:
                disputed.update(known.outputs, origin.outputs)
            if known is None or known == origin or agrees(origin) or not agrees(known):
                lock.put(origin)
    return lock, disputed


def _first_conflict(text: str) -> int | None:
    if not any(marker in text for marker in MARKERS):
        return None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(MARKERS):
            return number
    return None


def sides(text: str) -> list[str]:
    """Our and their side of a text with merge markers; the text itself where there are none."""
    if _first_conflict(text) is None:
        return [text]
    sides: dict[str, list[str]] = {"<<<<<<<": [], ">>>>>>>": []}
    side = None
    for line in text.splitlines():
        if line.startswith(MARKERS):
            side = {"<": "<<<<<<<", "|": "base", "=": ">>>>>>>", ">": None}[line[0]]
            continue
        for name, lines in sides.items():
            if side in (None, name):
                lines.append(line)
    return ["\n".join(lines) for lines in sides.values()]


def _entries(text: str) -> Iterable[tuple[str, Origin | None]]:
    """The jobs in a text, by name; None for one that is not whole."""
    name, block = "", [""]
    for line in text.splitlines():
        if line.startswith('  "') and line.endswith("{"):
            name, block = line.strip().removesuffix(": {"), ["{"]
        elif name and line.rstrip(",") == "  }":
            origin = None
            with contextlib.suppress(ValueError):
                origin = Origin.load(parse_json("\n".join([*block, "}"])))
            with contextlib.suppress(ValueError):
                yield json.loads(name), origin
            name = ""
        else:
            block.append(line)


def _readable(value: str) -> Any:
    """A recorded parameter as a person would write it: settings as a block, text as text."""
    try:
        plain = ast.literal_eval(value)
        if isinstance(plain, str) and plain.startswith("{"):
            plain = json.loads(plain)
    except (ValueError, SyntaxError):
        plain = None
    return plain if _recorded(plain) == value else {"": value}


def _recorded(value: Any) -> str:
    """The inverse of ``_readable``."""
    if isinstance(value, dict):
        return str(value[""]) if list(value) == [""] else repr(canonical(value))
    return repr(value)
