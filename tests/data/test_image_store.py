"""Shards hold every voxel, in the narrowest type, and a damaged one is never used."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as search
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scans import SEQUENCES, Prepared, make_images, make_index, volume, voxels, write, write_cohort
from triage.data import pictures, shards
from triage.data.dealing import shard_of
from triage.data.image_store import Images, Shard
from triage.data.shards import ImagesSettings
from triage.data.voxels import narrowest, range_of
from triage.errors import UserError
from triage.files import read_rows


@pytest.fixture(scope="module")
def cohort(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, np.ndarray], Prepared]:
    raw = tmp_path_factory.mktemp("store") / "raw"
    truth = {}
    for name, sequences in write_cohort(raw).items():
        truth[name] = np.stack([sequences[each] for each in SEQUENCES], axis=1)
    # One patient of another size and number of slices.
    for i, each in enumerate(SEQUENCES):
        write(volume(voxels(90 + i, (8, 14, 24))), raw / f"final_test_set/P07/{each}.mha")
    truth["P07"] = np.stack([voxels(90 + i, (8, 14, 24)) for i in range(3)], axis=1)
    return raw, truth, make_index(raw)


@pytest.fixture(scope="module", params=[1, 3, 10])
def images(
    cohort: tuple[Path, dict[str, np.ndarray], Prepared], request: pytest.FixtureRequest
) -> Images:
    return make_images(cohort[0], cohort[2], request.param)


def test_every_voxel_comes_back(
    cohort: tuple[Path, dict[str, np.ndarray], Prepared], images: Images
) -> None:
    for case, voxels_ in cohort[1].items():
        size = voxels_.shape[2:]
        assert np.array_equal(images.read(images.rows([case]), size)[0], voxels_)


def test_integers_take_half_the_room_of_floats(images: Images) -> None:
    assert images.dtype == np.int16
    for shard in images._shards:
        assert shard.array.itemsize <= 2


def test_each_case_lies_in_the_shard_that_its_name_says(
    cohort: tuple[Path, dict[str, np.ndarray], Prepared], images: Images
) -> None:
    assert sorted(images.cases) == sorted(cohort[1])
    for number, shard in enumerate(images._shards):
        assert list(shard.cases) == sorted(shard.cases)
        assert {shard_of(case, len(images._shards)) for case in shard.cases} <= {number}


def test_shards_are_about_even_and_another_case_moves_none() -> None:
    names = [f"patient {i}" for i in range(10_000)]
    sizes = np.bincount([shard_of(name, 16) for name in names])
    assert sizes.min() > 500
    assert sizes.max() < 750


def test_each_case_has_the_fingerprint_of_its_middle_slice(images: Images) -> None:
    tables = [path.with_suffix(".csv") for path in paths_of(images)]
    marked = [row for table in tables for row in read_rows(table) if row["fingerprint"]]
    assert [row["case"] for row in marked] == images.cases
    assert {row["index"] for row in marked} == {"3", "4"}
    fingerprints = {row["fingerprint"] for row in marked}
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in fingerprints)
    assert len(fingerprints) == len(marked)


def test_fingerprints_of_withdrawn_cases_are_those_of_the_shards(
    cohort: tuple[Path, dict[str, np.ndarray], Prepared],
) -> None:
    raw, _, prepared = cohort
    marked = {
        row["case"]: row["fingerprint"]
        for table in raw.parent.glob("shard-*.csv")
        for row in read_rows(table)
        if row["fingerprint"]
    }
    files = [dict(case.files) for case in prepared.cases]
    lost = [{}, {role: f"{file}.lost" for role, file in files[0].items()}]
    found = shards.fingerprints(raw, [*lost, *files], shards.Decoding(reader="volumes"))
    assert found == [marked[case.case] for case in prepared.cases]


def test_threads_and_order_do_not_matter(
    cohort: tuple[Path, dict[str, np.ndarray], Prepared], tmp_path: Path
) -> None:
    how = ImagesSettings("volumes", None, "volume", 1)
    raw, cases, bad = cohort[0], tmp_path / "shard.csv", tmp_path / "bad.csv"
    cohort[2].index.write(*(tmp_path / f"{i}.csv" for i in range(3)), [cases])
    for processes in (1, 3):
        array, table = (tmp_path / f"{processes}{suffix}" for suffix in (".npy", ".csv"))
        shards.make(raw, cases, how, array, table, bad, processes)
    for suffix in (".npy", ".csv"):
        assert (tmp_path / f"1{suffix}").read_bytes() == (tmp_path / f"3{suffix}").read_bytes()


def test_rows_are_positions_by_case_and_slice(images: Images) -> None:
    rows = images.rows(["P03", "P00"], [4, 0])
    assert rows.shape == (2, 2)
    assert np.array_equal(rows[0], images.positions(["P03"])[[4, 0]])
    assert np.array_equal(rows[1], images.positions(["P00"])[[4, 0]])
    assert images.rows(["P07"]).shape == (1, 8)
    assert images.rows([], [0, 1]).shape == (0, 2)


def test_too_few_slices_and_unknown_cases_say_so(images: Images) -> None:
    with pytest.raises(UserError, match="case P00 has 6 slices, not 8"):
        images.rows(["P07", "P00"], range(8))
    with pytest.raises(UserError, match="case P00 has 6 slices, not 8"):
        images.rows(["P07", "P00"])
    with pytest.raises(UserError, match="case X is not among the images"):
        images.rows(["P00", "X"])
    with pytest.raises(ValueError, match="begin at 0"):
        images.rows(["P00"], [-1])


@pytest.mark.parametrize("size", [4, 13, 18, 20, 31, (9, 30), (30, 9), None])
def test_images_are_cropped_or_filled_up_about_their_centre(
    cohort: tuple[Path, dict[str, np.ndarray], Prepared],
    images: Images,
    size: int | tuple[int, int] | None,
) -> None:
    rng = np.random.default_rng(0)
    positions = rng.permutation(len(images))[:20].reshape(5, 4)
    found = images.read(positions, size)
    height, width = (size, size) if isinstance(size, int) else size or (20, 24)
    assert found.shape == (5, 4, 3, height, width)
    for position, image in zip(positions.ravel(), found.reshape(-1, 3, height, width), strict=True):
        case = next(each for each in images.cases if position in images.positions([each]))
        own = cohort[1][case][images.positions([case]).tolist().index(position)]
        assert np.array_equal(image, centred(own, height, width))


def centred(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Fill up, then crop, one axis after the other."""
    for axis, wanted in ((1, height), (2, width)):
        own = image.shape[axis]
        before = max(0, (wanted - own) // 2)
        padding = [(0, 0)] * 3
        padding[axis] = (before, max(0, wanted - own - before))
        image = np.pad(image, padding)
        start = max(0, (own - wanted) // 2)
        image = image.take(range(start, start + wanted), axis=axis)
    return image


def many(rows: int, shards: int) -> tuple[list[Shard], np.ndarray]:
    """Shards of as many images of random sizes; each one's number of shard, height and width."""
    sizes = np.random.default_rng(0).integers(1, 40, (shards, rows, 2))
    array = np.broadcast_to(np.uint8(0), (rows, 1, 40, 40))
    made = [
        Shard(array, [f"{i}-{j}" for j in range(rows)], np.ones(rows, int), own)
        for i, own in enumerate(sizes)
    ]
    numbers = np.repeat(np.arange(shards), rows)
    return made, np.column_stack([numbers, sizes.reshape(-1, 2)])


def test_each_image_has_its_own_size() -> None:
    made, places = many(rows=500, shards=3)
    found = Images(made)
    assert np.array_equal(found.sizes(np.arange(1500)), places[:, 1:])
    assert np.array_equal([found._kinds[kind] for kind in found._kind], places)
    assert len(set(found._kinds)) == len(found._kinds)


def paths_of(images: Images) -> list[Path]:
    return [shard.path for shard in images._shards if shard.path is not None]


def copy_with(images: Images, folder: Path, change: tuple[str, int, int]) -> list[Path]:
    """The shards copied to ``folder``, one byte of one of them changed."""
    suffix, shard, offset = change
    copies = []
    for i, path in enumerate(paths_of(images)):
        for end in (".npy", ".csv"):
            content = bytearray(path.with_suffix(end).read_bytes())
            if (end, i) == (suffix, shard):
                content[offset] ^= 0x10
            (folder / path.with_suffix(end).name).write_bytes(content)
        copies.append(folder / path.name)
    return copies


def test_a_flipped_bit_is_noticed(
    cohort: tuple[Path, dict[str, np.ndarray], Prepared], tmp_path: Path
) -> None:
    images = make_images(cohort[0], cohort[2], 3)
    images.verify(threads=2)
    paths = copy_with(images, tmp_path, (".npy", 1, -5000))
    damaged = Images.open(paths, [path.with_suffix(".csv") for path in paths])
    with pytest.raises(UserError, match=r"shard-1.npy: is damaged: slice \d of case P0"):
        damaged.verify()
    bad = [i for i in range(len(damaged)) if not sound(damaged, i)]
    assert len(bad) == 1
    damaged.verify(np.setdiff1d(np.arange(len(damaged)), bad))


def sound(images: Images, position: int) -> bool:
    try:
        images.verify([position])
    except UserError:
        return False
    return True


def test_a_cut_or_missing_shard_and_a_table_of_another_say_what_to_do(
    cohort: tuple[Path, dict[str, np.ndarray], Prepared], tmp_path: Path
) -> None:
    images = make_images(cohort[0], cohort[2], 3)
    paths = copy_with(images, tmp_path, ("", 0, 0))
    tables = [path.with_suffix(".csv") for path in paths]
    content = paths[1].read_bytes()
    for cut in (0, 5, 100, len(content) // 2, len(content) - 1):
        paths[1].write_bytes(content[:cut])
        with pytest.raises(UserError, match=r"shard-1.npy: is damaged: .* cut short"):
            Images.open(paths, tables)
    paths[1].write_bytes(content)
    with pytest.raises(UserError, match=r"it has not the \d+ rows of its table"):
        Images.open(paths, tables[:1] + tables[:1] + tables[2:])
    paths[1].unlink()
    with pytest.raises(UserError, match="is not there"):
        Images.open(paths, tables)


def test_shards_of_differing_channels_are_named(tmp_path: Path) -> None:
    paths = [tmp_path / f"shard-{i}.npy" for i in range(3)]
    made = [
        Shard(np.zeros((count, channels, 4, 4)), [str(path)][:count], counts, sizes, path=path)
        for path, count, channels in zip(paths, (0, 1, 1), (0, 3, 1), strict=True)
        for counts, sizes in [(np.ones(count, int), np.full((count, 2), 4))]
    ]
    with pytest.raises(UserError) as caught:
        Images(made)
    assert f"{paths[2]}: has 1 channels, but {paths[1]} has 3" in str(caught.value)
    assert "the images step makes them anew" in str(caught.value)
    assert Images(made[:2]).channels == 3


def test_rows_of_a_table_that_changed_places_are_noticed(
    cohort: tuple[Path, dict[str, np.ndarray], Prepared], tmp_path: Path
) -> None:
    images = make_images(cohort[0], cohort[2], 1)
    paths = copy_with(images, tmp_path, ("", 0, 0))
    table = paths[0].with_suffix(".csv")
    header, *rows = table.read_text().splitlines(keepends=True)
    for changed in (rows[1:2] + rows[:1] + rows[2:], rows[6:] + rows[:6]):
        table.write_text("".join([header, *changed]))
        with pytest.raises(UserError, match=r"shard-0.csv: is damaged: row \d is not where"):
            Images.open(paths, [table])


def test_an_array_of_objects_is_never_unpickled(
    cohort: tuple[Path, dict[str, np.ndarray], Prepared], tmp_path: Path
) -> None:
    images = make_images(cohort[0], cohort[2], 1)
    paths = copy_with(images, tmp_path, ("", 0, 0))
    np.save(paths[0], np.full((len(images), 1, 1, 1), None), allow_pickle=True)
    with pytest.raises(UserError, match="is damaged"):
        Images.open(paths, [paths[0].with_suffix(".csv")])


def test_a_file_that_went_away_after_the_index_stops(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    write_cohort(raw)
    made = make_index(raw)
    (raw / "train/full/normal/P00/T2.mha").unlink()
    with pytest.raises(UserError, match=r"T2.mha: is not there any more, though it was indexed"):
        make_images(raw, made)


def test_a_size_for_volumes_is_refused(tmp_path: Path) -> None:
    how = ImagesSettings("volumes", 128, "volume", 1)
    with pytest.raises(UserError, match="size: null"):
        shards.make(tmp_path, tmp_path / "m.csv", how, *(tmp_path / name for name in "atp"), 1)


@search(deadline=None)
@given(
    arrays(
        st.sampled_from(
            [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64]
        ),
        (2, 3),
        elements=st.integers(0, 200),
    ),
    st.sampled_from([0, 300, 40000, 100000, -5, 0.5]),
)
def test_narrowing_loses_nothing(array: np.ndarray, shift: float) -> None:
    values = array.astype(np.float64) + shift
    narrowed = values.astype(narrowest(range_of(values)))
    assert np.array_equal(narrowed, values)
    room = {0: 1, 300: 2, 40000: 2, 100000: 4, -5: 2, 0.5: 4}[shift]
    assert narrowed.itemsize <= room
    both = narrowest(range_of(values), range_of(array))
    assert np.array_equal(values.astype(both), values)
    assert np.array_equal(array.astype(both), array)


def test_pictures_are_brought_to_grey_and_colour() -> None:
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (1, 4, 5, 6), dtype=np.uint8)
    grey = pictures.to_grey(rgba)
    assert grey.shape == (1, 1, 5, 6)
    assert grey.dtype == np.uint8
    red, green, blue = rgba[0, :3].astype(float)
    assert np.abs(grey[0, 0] - (0.299 * red + 0.587 * green + 0.114 * blue)).max() <= 0.5
    assert np.array_equal(pictures.to_grey(rgba[:, [0, 0, 0]]), rgba[:, :1])
    assert np.array_equal(pictures.to_grey(rgba[:, :2]), rgba[:, :1])
    assert np.array_equal(pictures.to_rgb(rgba), rgba[:, :3])
    assert np.array_equal(pictures.to_rgb(rgba[:, :1]), rgba[:, [0, 0, 0]])


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.float32])
def test_scaled_pictures_keep_type_range_and_mean(kind: type) -> None:
    row, column = np.mgrid[:60, :40]
    picture = (100 + 50 * np.sin(row / 9) + 30 * np.cos(column / 7)).astype(kind)[None, None]
    scaled = pictures.scale(picture, 20)
    assert scaled.shape == (1, 1, 20, 20)
    assert scaled.dtype == kind
    assert abs(float(scaled.mean()) - float(picture.mean())) < 1
    assert np.array_equal(pictures.scale(scaled, 20), scaled)
    edges = np.zeros((1, 1, 30, 30), dtype=np.uint8)
    edges[..., 15:] = 255
    assert set(np.unique(pictures.scale(edges, 64))) >= {0, 255}
