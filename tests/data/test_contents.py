"""What was written is what is read: a flipped bit is noticed before anything is made of it."""

import copy
import errno
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scans import make_images, make_index, write_cohort
from training_runs import arguments, finish, run_settings, write_study
from triage.data.groups import read_shown
from triage.data.image_store import Images
from triage.errors import UserError
from triage.files import atomic, read_rows, read_table, write_rows
from triage.training import features
from triage.training.checkpoint import Checkpoint, read_weights

PREDICTIONS = ["case", "class", "label", "logit", "probability"]


def flipped(path: Path, bits: Iterator[int]) -> Iterator[int]:
    """The file with one of ``bits`` flipped at a time; as it was, in the end."""
    content = path.read_bytes()
    for bit in bits:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        yield bit
    path.write_bytes(content)


def some_bits(path: Path, count: int) -> Iterator[int]:
    """Of the first and the last bytes every seventh, and bits drawn from all others."""
    size = 8 * path.stat().st_size
    drawn = random.Random(1).sample(range(size), min(count, size))
    return iter([*range(0, min(size, 512), 7), *range(max(0, size - 512), size, 7), *drawn])


def noticed(path: Path, bits: Iterator[int], read: Callable[[], Any], step: str) -> int:
    """How many flips were refused, naming file and step; all others change nothing that is read."""
    before, refused = copy.deepcopy(read()), 0
    for bit in flipped(path, bits):
        found, said = outcome(read)
        if found is None:
            assert str(path) in said
            assert step in said or "lacks the column" in said
            refused += 1
        else:
            assert same(found, before), bit
    return refused


def outcome(read: Callable[[], Any]) -> tuple[Any, str]:
    """What is read, or what is said of why it can't be."""
    try:
        return read(), ""
    except UserError as error:
        return None, str(error)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, torch.Tensor):
        return bool(torch.equal(one, other)) and one.dtype == other.dtype
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


CELLS = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\0"), max_size=8
)


@settings(deadline=None, max_examples=50)
@given(rows=st.lists(st.tuples(CELLS, CELLS, st.integers() | st.floats(allow_nan=False))))
def test_a_sealed_table_is_read_as_it_was_written(tmp_path_factory, rows) -> None:
    path = tmp_path_factory.mktemp("sealed") / "table.csv"
    names = ["case", "class", "logit"]
    write_rows((dict(zip(names, row, strict=True)) for row in rows), names, path, sealed=True)
    expected = [tuple(map(str, row)) for row in rows]
    assert [tuple(row.values()) for row in read_rows(path)] == expected
    assert list(read_table(path, names).itertuples(index=False, name=None)) == expected


@pytest.mark.parametrize("how", ["rows", "table"])
def test_every_bit_of_a_table_of_predictions(tmp_path, how) -> None:
    path = tmp_path / "val.csv"
    rows = [
        {"case": f"P{i}", "class": "abnormal", "label": i % 2, "logit": i / 7, "probability": 0.5}
        for i in range(4)
    ]
    write_rows(rows, PREDICTIONS, path, sealed=True)

    def read() -> list[list[str]]:
        if how == "rows":
            found = read_rows(path, "predict")
            return [[row.get(name, "") for name in PREDICTIONS] for row in found]
        return read_table(path, PREDICTIONS, step="predict")[PREDICTIONS].to_numpy().tolist()

    size = 8 * path.stat().st_size
    refused = noticed(path, iter(range(size)), read, "predict step")
    # The name of the column of seals, and how a seal is spelt, are all that may go unread.
    assert refused > 0.9 * size


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> tuple[Path, Path]:
    raw = tmp_path_factory.mktemp("shards") / "raw"
    write_cohort(raw, each=1, unlabelled=0)
    make_images(raw, make_index(raw), 1)
    return raw.parent / "shard-0.npy", raw.parent / "shard-0.csv"


@pytest.mark.parametrize("which", [0, 1])
def test_bits_of_a_shard_and_of_its_table(shards, which) -> None:
    def read() -> tuple[list[Any], np.ndarray]:
        images = Images.open([shards[0]], [shards[1]])
        everything = np.arange(len(images))
        marks = read_shown([shards[1]], images.cases)
        table = [images.cases, images.sizes(everything).tolist(), marks]
        return table, images.read(everything)

    refused = noticed(shards[which], some_bits(shards[which], 100), read, "images step")
    assert refused > 120


def test_an_image_is_checked_when_it_is_read_and_others_are_not(shards) -> None:
    array, table = shards
    for _ in flipped(array, iter([8 * array.stat().st_size - 5])):
        images = Images.open([array], [table])
        images.read(np.arange(len(images) - 1))
        with pytest.raises(UserError, match=r"shard-0.npy: is damaged: slice \d+ of case P01"):
            images.read([len(images) - 1])


@pytest.mark.parametrize("which", [0, 1])
def test_bits_of_cached_features(tmp_path, which) -> None:
    paths = tmp_path / "features.npy", tmp_path / "features.csv"
    values = np.random.default_rng(1).normal(size=(2, 3, 4, 5)).astype(np.float32)
    features.write(values, ["a", "b", "c"], *paths)
    assert features.read(*paths)[1] == ["a", "b", "c"]
    size = 8 * paths[which].stat().st_size

    def read() -> Any:
        try:
            return features.read(*paths)
        except UserError as error:  # either file may be the one that is named
            raise UserError(str(error).replace("features.npy", "features.csv")) from error

    def read_array() -> Any:
        return features.read(*paths)

    refused = noticed(
        paths[which], iter(range(size)), read if which else read_array, "features step"
    )
    assert refused > (0.9 * size if which else 0.85 * 8 * values.nbytes)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A checkpoint."""
    folder = tmp_path_factory.mktemp("trained")
    study = write_study(folder / "study")
    finish(arguments("train.py", study, folder, run_settings(epochs=1)))
    return folder / "checkpoint.pt"


def test_bits_of_a_checkpoint(trained) -> None:
    refused = noticed(
        trained,
        some_bits(trained, 100),
        lambda: vars(Checkpoint.load(trained)),
        "training step makes it anew",
    )
    assert refused > 80


def test_bits_of_pretrained_weights(tmp_path) -> None:
    path = tmp_path / "pretrained" / "pretext.pt"
    path.parent.mkdir()
    torch.save({"conv.weight": torch.arange(200.0)}, path)
    size = 8 * path.stat().st_size
    assert noticed(
        path, iter(range(0, size, 23)), lambda: read_weights(path), "pretrained step makes it anew"
    )


def test_a_damaged_shard_stops_a_training(tmp_path) -> None:
    study = write_study(tmp_path / "study")
    array = study / "shard-0.npy"
    for _ in flipped(array, iter([8 * (array.stat().st_size // 4)])):
        printed = finish(arguments("train.py", study, tmp_path, run_settings(epochs=1)), status=1)
        assert f"{array}: is damaged" in printed
        assert "the images step makes it anew" in printed
        assert "Traceback" not in printed
    assert not (tmp_path / "checkpoint.pt").exists()


def test_where_a_library_fails_to_write_a_full_disk_is_told_of(tmp_path, monkeypatch) -> None:
    with pytest.raises(RuntimeError, match="a mistake"), atomic(tmp_path / "a.pt"):
        raise RuntimeError("a mistake")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    message = r"a\.pt: can't be written \(No space left"
    with pytest.raises(UserError, match=message), atomic(tmp_path / "a.pt"):
        raise RuntimeError("the writer failed")
    assert list(tmp_path.iterdir()) == []
