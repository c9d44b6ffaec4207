"""A count of everything: what became of each file below a raw folder.

files seen = used + beside them + unused + quarantined + withdrawn
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from posixpath import splitext

from triage.command import log

USED, BESIDE, UNUSED, QUARANTINED = "used", "beside", "unused", "quarantined"
WITHDRAWN = "withdrawn"
USES = (USED, BESIDE, UNUSED, QUARANTINED, WITHDRAWN)
COLUMNS = ["use", "kind", "files", "example"]
_DOUBLE = (".nii.gz", ".tar.gz", ".csv.gz")
# What tools write beside images, and people beside data sets.
_COMPANIONS = (".json", ".bval", ".bvec", ".xml", ".txt", ".md", ".rst", ".pdf", ".html", ".htm",
               ".csv", ".tsv", ".tab", ".xlsx", ".xlsm", ".xls", ".parquet", ".md5", ".sha256",
               ".log", ".yaml", ".yml", ".ini", ".url", ".docx")  # fmt: skip
_NAMES = re.compile(
    r"(?:thumb(?:nail)?s?(?:[._ -].*)?|.*[._-]thumb(?:nail)?s?\.\w+|dicomdir|readme|license|licence"
    r"|changes|copying|checksums?|desktop\.ini|thumbs\.db)",
    re.IGNORECASE,
)
_PARTS = (".raw", ".zraw")  # voxels of a header of another name


@dataclass(frozen=True)
class Count:
    """How many files of a kind had one of USES, with the first of them."""

    use: str
    kind: str
    files: int
    example: str

    def row(self) -> dict[str, object]:
        """Of a table with COLUMNS."""
        return {name: getattr(self, name) for name in COLUMNS}


def is_beside(path: str) -> bool:
    """Whether a file only stands beside images by its name: a sidecar, a table, a thumbnail."""
    name = path.rpartition("/")[2]
    return name.lower().endswith(_COMPANIONS) or bool(_NAMES.fullmatch(name))


def kind_of(path: str) -> str:
    """The kind of a file by its extension."""
    name = path.rpartition("/")[2].lower()
    double = next((each for each in _DOUBLE if name.endswith(each)), "")
    return double or splitext(name)[1] or "without extension"


def count(
    paths: Sequence[str],
    used: Mapping[str, Iterable[str]],
    bad: Mapping[str, Iterable[str]],
    problems: Iterable[str],
    withdrawn: Iterable[str] = (),
) -> list[Count]:
    """What became of all files ``paths``, in the order of USES and by number.

    ``used`` and ``bad``: the files and folders of each case that is used, or in quarantine;
    ``problems``: other files that are in quarantine. Those ``withdrawn`` are named nowhere, nor is
    what stands by them: of the same name, or in a folder that holds no other case.
    """
    use_of = dict.fromkeys(problems, QUARANTINED)
    use_of |= dict.fromkeys(withdrawn, WITHDRAWN)
    use_of |= {file: QUARANTINED for files in bad.values() for file in files}
    use_of |= {file: USED for files in used.values() for file in files}
    headers = {file.rpartition("/")[0] for file in use_of if file.lower().endswith(".mhd")}
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in sorted(paths):
        found[_use(path, use_of, headers), kind_of(path)].append(path)
    gone = {path for path, use in use_of.items() if use == WITHDRAWN}
    hidden: Set[str] = _by(gone, use_of.keys() - gone) if gone else frozenset()
    counts = [
        Count(use, kind, len(files), next((each for each in files if not _is_in(each, hidden)), ""))
        for (use, kind), files in found.items()
    ]
    return sorted(counts, key=lambda each: (USES.index(each.use), -each.files, each.kind))


def _by(gone: Iterable[str], others: Iterable[str]) -> Set[str]:
    """Those paths ``gone``, without extensions, and the folders about them without ``others``."""
    around = {place for path in others for place in _above(path)}
    places = {place for path in gone for place in (path, *_above(path))}
    return (places - around) | {_bare(path) for path in gone}


def _is_in(path: str, places: Set[str]) -> bool:
    return bool(places) and not places.isdisjoint((_bare(path), path, *_above(path)))


def _bare(path: str) -> str:
    """The path without all extensions."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + name.partition(".")[0]


def _use(path: str, use_of: Mapping[str, str], headers: set[str]) -> str:
    for place in (path, *_above(path)):
        if place in use_of and (place == path or not is_beside(path)):
            return use_of[place]
    if path.lower().endswith(_PARTS) and path.rpartition("/")[0] in headers:
        return USED
    return BESIDE if is_beside(path) else UNUSED


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def tell(counts: Sequence[Count]) -> None:
    """Write them into the log: a line of sums, and a line for each kind that is not used."""
    sums = {use: sum(each.files for each in counts if each.use == use) for use in USES}
    parts = [f"{sums[use]} {'beside them' if use == BESIDE else use}" for use in USES]
    log.info("%d file(s) seen: %s", sum(sums.values()), ", ".join(parts))
    for each in counts:
        if each.use in (BESIDE, UNUSED):
            words = "beside them" if each.use == BESIDE else each.use
            such = f", such as {each.example}" if each.example else ""
            log.info("%s: %d %s%s", words, each.files, each.kind, such)
