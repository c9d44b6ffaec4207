"""Reading and writing of files: whole or not at all.

A file is written beside its target, flushed to disk and moved into place, so that no reader sees
half of it and a link into a cache is replaced rather than written through. Sealed tables have a
last column with a checksum of each row, so that a damaged one is noticed before it is used. Cells
of tables that a spreadsheet would take for formulas have an apostrophe on disk.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triage.errors import UserError, unwritable
from triage.shield import BEGINNINGS, is_formula, shielded, unshielded

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Line = Sequence[object]  # cells of a row

SEAL = "seal"
_PROBE = 1 << 16  # bytes; a disk without room for them is full


@contextmanager
def atomic(target: Path) -> Iterator[Path]:
    """A path beside ``target`` to write to; moved onto ``target`` if the block ends well.

    Raises UserError when the disk is full or the folder can't be written.
    """
    target = Path(target)
    # The suffix stays last: some writers choose their format by it.
    partial = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        _flush(partial)
        partial.replace(target)
    except UserError:
        raise
    except Exception as error:
        # Libraries raise errors of their own where they can't write.
        trouble = error if isinstance(error, OSError) else _trouble_in(target.parent)
        if trouble is None:
            raise
        raise unwritable(target, trouble) from error
    finally:
        with suppress(OSError):  # what went wrong before says more
            partial.unlink(missing_ok=True)


def _trouble_in(folder: Path) -> OSError | None:
    """Why nothing can be written to ``folder`` now; None where it can."""
    probe = folder / f".{os.getpid()}.part"
    try:
        with open(probe, "wb", buffering=0) as stream:
            stream.write(bytes(_PROBE))
            os.fsync(stream.fileno())
    except OSError as error:
        return error
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
    return None


def ensure_writable(target: Path) -> None:
    """Raises UserError where ``target`` could not be written: before hours of work, not after."""
    folder = Path(target).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = None if os.access(folder, os.W_OK) else "no permission, or a read-only disk"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise UserError(
            f"can't be written ({reason})",
            where=target,
            remedy="make the folder writable, then start again",
        )


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(text: str, target: Path) -> None:
    with atomic(target) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(content: Any, target: Path) -> None:
    """Write ``content`` as indented JSON; NaN is refused, since JSON has none."""
    write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", target)


def parse_json(text: str | bytes) -> Any:
    """What JSON text holds. Raises ValueError, also where it is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises UserError where it is missing, or is no such file."""
    try:
        return parse_json(read_text(path))
    except ValueError as error:
        raise UserError(f"is not valid JSON ({error})", where=path, remedy="remake it") from error


def parse_cell(row: Mapping[str, str], column: str) -> Any:
    """What the JSON in a cell of a table holds; None of an empty one. Raises UserError."""
    try:
        return parse_json(row[column]) if row.get(column) else None
    except ValueError as error:
        raise UserError(
            f"{row[column][:80]!r} is not valid JSON ({error})",
            where=f"column {column}",
            remedy="delete the table: it is made anew",
        ) from error


def write_array(array: np.ndarray, target: Path) -> None:
    """Write ``array`` as a ``.npy`` file."""
    import numpy as np

    with atomic(target) as partial, open(partial, "wb") as stream:
        np.save(stream, array, allow_pickle=False)


def read_array(path: Path, step: str, mapped: bool = False) -> np.ndarray:
    """The array in a ``.npy`` file, ``mapped`` from disk or in memory.

    Raises UserError naming ``step``, which makes it anew, when it is missing or damaged.
    """
    import numpy as np

    try:
        return np.asarray(np.load(plain(path), "r" if mapped else None, allow_pickle=False))
    except FileNotFoundError as error:
        raise UserError("is not there", where=path, remedy="make it first") from error
    except Exception as error:  # whatever a damaged header makes a parser do
        raise damaged(path, "it can't be read, or is cut short", step) from error


def write_table(table: pd.DataFrame, target: Path, **options: Any) -> None:
    """Write ``table`` as CSV with a header, without the index, lines ended by a newline."""
    with atomic(target) as partial:
        _each_cell(table, is_formula, shielded).to_csv(
            partial, index=False, lineterminator="\n", **options
        )


def read_table(
    path: Path, columns: Iterable[str] = (), step: str = "", **options: Any
) -> pd.DataFrame:
    """Read a CSV that a step of this project wrote: text as text, empty cells as empty text.

    Raises UserError when the file is missing, damaged or lacks one of ``columns``; ``step`` is
    the one that makes it anew.
    """
    import pandas as pd

    try:
        table: pd.DataFrame = pd.read_csv(
            plain(path), dtype=str, keep_default_na=False, encoding="utf-8", **options
        )
    except FileNotFoundError as error:
        raise UserError("is not there", where=path, remedy="make it first") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, OSError, ValueError) as error:
        raise _unreadable(path, error, step) from error
    names = list(map(str, table.columns))
    if _is_sealed(names, path, step):
        for number, row in enumerate(zip(*(table[name] for name in names), strict=True), 1):
            _verify(number, row, names, path, step)
        table = table.drop(columns=SEAL)
    _check_columns(table.columns, columns, path, step)
    return _each_cell(table, lambda cell: cell.startswith("'"), unshielded)


def _each_cell(
    table: pd.DataFrame, concerned: Callable[[Any], bool], change: Callable[[str], str]
) -> pd.DataFrame:
    """``table`` with the cells changed that are concerned, which are few or none."""
    for number, name in enumerate(table.columns):
        column = table.iloc[:, number]
        if column.dtype.kind == "O" and any(map(concerned, column)):
            cells = [change(cell) if isinstance(cell, str) else cell for cell in column]
            table = table.assign(**{str(name): cells})
    return table


def write_rows(
    rows: Iterable[Mapping[str, object]],
    columns: list[str],
    target: Path,
    sealed: bool = False,
    exact: bool = False,
) -> None:
    """Write a small CSV without pandas, for steps that must start fast.

    ``exact``: others than this project read it, and want every cell as it is.
    """
    write_lines(_lines(rows, columns), columns, target, sealed, exact)


def write_lines(
    lines: Iterable[Line],
    columns: list[str],
    target: Path,
    sealed: bool = False,
    exact: bool = False,
) -> None:
    """As ``write_rows``, of cells in the order of the columns: faster, for a million rows."""
    lines = lines if exact else map(_shielded, lines)
    if sealed:
        lines, columns = _seal(lines, columns), [*columns, SEAL]
    with atomic(target) as partial, open(partial, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(lines)


def _lines(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> Iterator[Line]:
    """The cells of each row in the order of ``columns``, empty where it has none."""
    known = frozenset(columns)
    for row in rows:
        if not row.keys() <= known:
            raise ValueError(f"rows have other columns: {', '.join(row.keys() - known)}")
        yield [row.get(name, "") for name in columns]


def folders(paths: Iterable[Path]) -> list[Path]:
    """The folders that files lie in, each once."""
    return list(dict.fromkeys(path.parent for path in paths))


def each_row(path: Path, step: str = "", columns: Iterable[str] = ()) -> Iterator[dict[str, str]]:
    """The rows of a CSV that a step of this project wrote, one after another, without pandas.

    Raises UserError when the file is missing, damaged or lacks one of ``columns``; ``step`` is
    the one that makes it anew.
    """
    try:
        with open(plain(path), encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            names = list(reader.fieldnames or ())
            _check_columns(names, columns, path, step)
            rows: Iterator[dict[str, str]] = reader
            if _is_sealed(names, path, step):
                rows = _unsealed(rows, names, path, step)
            yield from map(_unshielded, rows)
    except FileNotFoundError as error:
        raise UserError("is not there", where=path, remedy="make it first") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, error, step) from error


def read_rows(
    path: Path, step: str = "", columns: Sequence[str] | None = None
) -> list[dict[str, str]]:
    """All rows of a CSV, as ``each_row`` gives them, or only those ``columns``.

    These may be of a million rows: equal texts, also those of other tables, are kept once.
    """
    if columns is None:
        return list(each_row(path, step))
    return [
        {name: sys.intern(row[name]) for name in columns} for row in each_row(path, step, columns)
    ]


def _unsealed(
    rows: Iterable[dict[str, str]], names: list[str], path: Path, step: str
) -> Iterator[dict[str, str]]:
    for number, row in enumerate(rows, 1):
        _verify(number, list(row.values()), names, path, step)
        del row[SEAL]
        yield row


def _shielded(line: Line) -> Line:
    if BEGINNINGS.isdisjoint([cell[:1] for cell in line if isinstance(cell, str)]):
        return line
    return [shielded(cell) if isinstance(cell, str) else cell for cell in line]


def _unshielded(row: dict[str, str]) -> dict[str, str]:
    for name, cell in row.items():
        if cell and cell[0] == "'":
            row[name] = unshielded(cell)
    return row


def _seal(lines: Iterable[Line], columns: list[str]) -> Iterator[Line]:
    for line in lines:
        yield [*line, _checksum(columns, line)]


def _is_sealed(names: list[str], path: Path, step: str) -> bool:
    if not any(SEAL in name for name in names):
        return False
    if names[-1] != SEAL:
        raise damaged(path, "its header is not what was written", step)
    return True


def _verify(number: int, row: Sequence[object], names: list[str], path: Path, step: str) -> None:
    if _checksum(names[:-1], row[:-1]) != row[-1]:
        raise damaged(path, f"row {number} is not what was written", step)


def _check_columns(names: Iterable[str], columns: Iterable[str], path: Path, step: str) -> None:
    missing = [column for column in columns if column not in names]
    if missing:
        what = f"lacks the column(s) {', '.join(missing)}"
        raise UserError(what, where=path, remedy=_again(step))


def _checksum(names: Sequence[str], cells: Sequence[object]) -> str:
    texts = ("" if cell is None else str(cell) for cell in cells)
    text = "\x1f".join([*names, *texts])
    return f"{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"


def damaged(path: Path, how: str, step: str = "") -> UserError:
    """What is said of a file that differs from what the step ``step`` wrote."""
    return UserError(f"is damaged: {how}", where=path, remedy=_again(step))


def _unreadable(path: Path, error: Exception, step: str) -> UserError:
    return UserError(f"can't be read as a table ({error})", where=path, remedy=_again(step))


def _again(step: str) -> str:
    again = f"the {step} step makes it anew" if step else "it is made anew"
    return f"delete it and start again: {again}"


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with open(plain(path), "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def plain(path: Path) -> Path:
    """``path``, of a file that can be read to its end.

    Raises OSError for a folder, and for pipes and devices, which one could wait for for ever.
    """
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise OSError(errno.EINVAL, "a folder, a pipe or a device, no plain file", str(path))
    return path


def read_text(path: Path) -> str:
    """The text of a file. Raises UserError where it can't be read."""
    try:
        return plain(Path(path)).read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise UserError("is not there", where=path, remedy="make it first") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"can't be read ({error})", where=path) from error
