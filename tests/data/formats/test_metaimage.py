"""MetaImages: a header says one thing, and leads to no other file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from scans import voxels
from triage.data.formats.volume import Volume
from triage.data.readers import BadFile, volume_files

VOXELS = voxels(3)  # [6, 20, 18]
HEADER = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "1 2 3",
    "ElementSpacing": "1 1 5",
    "DimSize": "18 20 6",
    "ElementType": "MET_SHORT",
}
SECRET = b"-----BEGIN PRIVATE KEY-----".ljust(VOXELS.nbytes + 64, b"k")


def read(path: Path) -> Volume:
    return volume_files.read(path.parent, path.name)


def reason(path: Path) -> str:
    with pytest.raises(BadFile) as caught:
        read(path)
    assert str(path.parent) not in caught.value.reason
    return caught.value.reason


def metaimage(path: Path, *lines: str, data: bytes | None = None, **changes: str) -> Path:
    """``lines`` stand behind the header's own, before ElementDataFile."""
    own = {"ElementDataFile": "LOCAL"} | changes
    last = own.pop("ElementDataFile")
    fields = [f"{key} = {value}" for key, value in (HEADER | own).items()]
    head = "\n".join([*fields, *lines, f"ElementDataFile = {last}"]) + "\n"
    path.write_bytes(head.encode() + (VOXELS.astype("<i2").tobytes() if data is None else data))
    return path


@pytest.mark.parametrize(
    "lines",
    [
        ["ElementDataFile = secret.key"],
        ["ElementDataFile = T1.mha"],
        ["ElementDataFile: secret.key"],
        ["Comment: x = y"],
        ["Offset ="],
        ["Color =", "ElementDataFile = secret.key"],
        ["ElementMin =", "ElementMax = 4"],
        ["ElementMin = ", "ElementDataFile = ../secret.key"],
        ["Offset = 1 2 3"],
        ["DimSize = 18 20 6"],
        ["Position = 4 5 6"],
        ["Orientation = 0 1 0 1 0 0 0 0 1"],
        ["ElementByteOrderMSB = True"],
        ["HeaderSize = 4"],
        ["HeaderSize = -2"],
        ["HeaderSize = 99999999"],
        ["HeaderSize = 1e3"],
        ["ElementNumberOfChannels = 3"],
        ["ElementToIntensityFunctionSlope = 2"],
        ["DimSize : 1 1 1"],
        ["= 4"],
        ["ElementSize = 1 1"],
        ["ElementSize = 1 1 -3"],
    ],
)
def test_a_header_that_can_be_taken_in_two_ways_is_refused(
    tmp_path: Path, lines: list[str]
) -> None:
    (tmp_path / "secret.key").write_bytes(SECRET)
    assert reason(metaimage(tmp_path / "T1.mha", *lines))


@pytest.mark.parametrize("header_size", ["", "0", "-1", "12"])
@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../secret.key", "above/secret.key", ".hidden", "LIST", "LIST 2", "%d.raw 1 2",
     "%s", "..", ".", "//secret.key"],
)  # fmt: skip
def test_a_header_leads_to_no_other_file_than_one_beside_it(
    tmp_path: Path, name: str, header_size: str
) -> None:
    folder = tmp_path / "case"
    (folder / "above").mkdir(parents=True)
    for place in (tmp_path / "secret.key", folder / "above/secret.key", folder / ".hidden"):
        place.write_bytes(SECRET)
    lines = [f"HeaderSize = {header_size}"] if header_size else []
    path = metaimage(folder / "T1.mha", *lines, ElementDataFile=name)
    assert "takes its voxels from" in reason(path)
    assert volume_files.data_file(path) == ""


@pytest.mark.parametrize(("header_size", "before"), [(0, 0), (-1, 37), (37, 37)])
@pytest.mark.parametrize("kind", ["MET_SHORT", "MET_LONG"])
def test_bytes_before_and_behind_the_voxels_are_passed_over(
    tmp_path: Path, header_size: int, before: int, kind: str
) -> None:
    stored = VOXELS.astype({"MET_SHORT": "<i2", "MET_LONG": "<i4"}[kind]).tobytes()
    behind = b"" if header_size == -1 else b"behind"
    (tmp_path / "own.raw").write_bytes(bytes(before) + stored + behind)
    path = metaimage(
        tmp_path / "T1.mhd", f"HeaderSize = {header_size}",
        ElementDataFile="own.raw", ElementType=kind, data=b"",
    )  # fmt: skip
    found = read(path)
    assert np.array_equal(found.voxels, VOXELS)
    assert np.array_equal(found.voxels, sitk.GetArrayViewFromImage(sitk.ReadImage(path)))
    assert volume_files.data_file(path) == "own.raw"


def test_a_field_of_ones_own_does_no_harm(tmp_path: Path) -> None:
    lines = ["0008|0060 = MR", "Comment =", "Site = a = b", "ElementSize = 1 1 4"]
    found = read(metaimage(tmp_path / "T1.mha", *lines))
    assert np.array_equal(found.voxels, VOXELS)
    assert (found.spacing, found.origin) == ((1, 1, 5), (1, 2, 3))
