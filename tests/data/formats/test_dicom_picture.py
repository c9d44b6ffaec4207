"""Pictures in DICOM files: grey by rescaling, window and photometric interpretation; colours."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from dicom_files import slice_
from triage.data.readers import BadFile, Loading, picture_files

Y, X = np.mgrid[0:40, 0:56]
DEEP = (300 + 40 * ((X - 28) ** 2 + (Y - 20) ** 2 < 200) * X + X % 7).astype(np.uint16)


def save(path: Path, array: np.ndarray = DEEP, **changes: object) -> Path:
    slice_(0, array, **changes).save_as(path, enforce_file_format=True)
    return path


def pixels(path: Path, window: str = "voi") -> np.ndarray:
    found = picture_files.read(path.parent, path.name, Loading(window=window))  # type: ignore[arg-type]
    assert found.dtype == np.uint8
    return found[0]


def reason(path: Path) -> str:
    with pytest.raises(BadFile) as caught:
        pixels(path)
    assert "Doe" not in caught.value.reason
    return caught.value.reason


def scaled(values: np.ndarray, low: float | None = None, high: float | None = None) -> np.ndarray:
    low = values.min() if low is None else low
    high = values.max() if high is None else high
    return np.rint(np.clip((values.astype(float) - low) * (255 / (high - low)), 0, 255))


@pytest.mark.parametrize("name", ["a.dcm", "a.png", "a"])
def test_grey_is_scaled_by_its_own_range_without_a_window(tmp_path: Path, name: str) -> None:
    assert np.array_equal(pixels(save(tmp_path / name))[0], scaled(DEEP))


def test_monochrome1_is_black_where_it_is_greatest(tmp_path: Path) -> None:
    path = save(tmp_path / "a.dcm", DEEP.max() - DEEP, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(pixels(path)[0], scaled(DEEP))


def test_the_window_of_the_header_counts_or_the_whole_range(tmp_path: Path) -> None:
    fields = {"RescaleSlope": 2, "RescaleIntercept": -500}
    values = DEEP * 2.0 - 500
    path = save(tmp_path / "a.dcm", WindowCenter=[1000, 0], WindowWidth=[801, 1], **fields)
    assert np.array_equal(pixels(path)[0], scaled(values, 999.5 - 400, 999.5 + 400))
    assert np.array_equal(pixels(path, "full")[0], scaled(values))
    exact = save(
        tmp_path / "b.dcm", WindowCenter=1000, WindowWidth=800,
        VOILUTFunction="LINEAR_EXACT", **fields,
    )  # fmt: skip
    assert np.array_equal(pixels(exact)[0], scaled(values, 600, 1400))
    sigmoid = save(
        tmp_path / "c.dcm", WindowCenter=1000, WindowWidth=800, VOILUTFunction="SIGMOID", **fields
    )
    right = 1 / (1 + np.exp(-4 * (values - 1000) / 800))
    assert np.array_equal(pixels(sigmoid)[0], np.rint(right * 255))


def test_a_table_of_grey_values_counts(tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 12]
    table.LUTData = [4095 - i for i in range(4096)]
    data = slice_(0, DEEP, BitsStored=12, HighBit=11)
    data.VOILUTSequence = [table]
    table["LUTData"].VR = "US"
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert np.array_equal(pixels(tmp_path / "a.dcm")[0], scaled(4095 - DEEP.astype(int), 0, 4095))


def test_padding_is_black_and_has_no_part_in_the_range(tmp_path: Path) -> None:
    padded = DEEP.copy()
    padded[:, :8] = 60000
    for kind in ("MONOCHROME1", "MONOCHROME2"):
        data = slice_(0, padded, PhotometricInterpretation=kind)
        data.add_new(0x00280120, "US", 60000)
        data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
        found = pixels(tmp_path / "a.dcm")[0]
        assert (found[:, :8] == 0).all()
        inner = scaled(DEEP[:, 8:])
        right = 255 - inner if kind == "MONOCHROME1" else inner
        assert np.abs(found[:, 8:] - right).max() <= 1


def test_eight_bits_stay_as_they_are(tmp_path: Path) -> None:
    grey = (20 + X % 100 + Y).astype(np.uint8)
    path = save(
        tmp_path / "a.dcm", BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=grey.tobytes()
    )
    assert np.array_equal(pixels(path)[0], grey)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("planar", [0, 1])
def test_colours(tmp_path: Path, packed: bool, planar: int) -> None:
    colours = np.dstack([20 + X, 3 * Y, X + Y]).astype(np.uint8)
    stored = colours.transpose(2, 0, 1) if planar else colours
    data = slice_(
        0, DEEP, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=planar,
        BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=stored.tobytes(),
    )  # fmt: skip
    if packed:
        data.compress(RLELossless, colours, encoding_plugin="pydicom")
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert np.array_equal(pixels(tmp_path / "a.dcm"), colours.transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"NumberOfFrames": 4}, "4 frames, must have one"),
        ({"PhotometricInterpretation": "HSV"}, "photometric interpretation"),
        ({"PhotometricInterpretation": "DOE^JANE"}, "photometric interpretation"),
        ({"WindowCenter": 4, "WindowWidth": 0}, "window of width 0"),
        ({"Rows": 60000, "Columns": 60000}, "more than 33554432"),
        ({"Rows": 4}, "at least 16 a side"),
        ({"PixelData": b"1234"}, "can't be decoded"),
        ({"BitsAllocated": 17}, "can't be decoded"),
        ({"HighBit": 12}, "up to bit 12"),
        ({"PresentationLUTShape": "INVERSE"}, "white and that it is black"),
    ],
)
def test_what_makes_no_picture_is_refused_in_words(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    assert words in reason(save(tmp_path / "a.dcm", **changes))


def test_a_file_without_a_picture_is_called_so(tmp_path: Path) -> None:
    data = pydicom.dcmread(save(tmp_path / "a.dcm"))
    del data.Rows
    data.save_as(tmp_path / "a.dcm")
    assert "without a picture" in reason(tmp_path / "a.dcm")


def test_packed_pixels_do_not_unpack_to_more_than_the_header_says(tmp_path: Path) -> None:
    """A JPEG 2000 of a few bytes can say that it has any number of pixels."""
    path = save(tmp_path / "a.dcm")
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    huge = imagecodecs.jpeg2k_encode(
        np.zeros((4000, 4000), np.uint16), level=0, reversible=True, codecformat="j2k"
    )
    data.PixelData = pydicom.encaps.encapsulate([huge])
    data["PixelData"].is_undefined_length = True
    data.save_as(path)
    assert "another size" in reason(path)
    right = imagecodecs.jpeg2k_encode(DEEP, level=0, reversible=True, codecformat="j2k")
    data.PixelData = pydicom.encaps.encapsulate([right])
    data.save_as(path)
    assert np.array_equal(pixels(path)[0], scaled(DEEP))


def test_padding_that_is_written_as_unsigned_is_found_among_signed_pixels(tmp_path: Path) -> None:
    signed = DEEP.astype(np.int16)
    signed[:, :8] = -2000
    data = slice_(0, signed.view(np.uint16), PixelRepresentation=1)
    data.add_new(0x00280120, "US", 65536 - 2000)
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    found = pixels(tmp_path / "a.dcm")[0]
    assert (found[:, :8] == 0).all()
    assert np.array_equal(found[:, 8:], scaled(DEEP[:, 8:]))


def test_padding_that_no_pixel_can_have_is_no_white(tmp_path: Path) -> None:
    grey = (256 - X.max() + X - 1).astype(np.uint8)
    assert grey.max() == 255
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelData": grey.tobytes()}
    data = slice_(0, DEEP, **bits)
    data.add_new(0x00280120, "US", 65535)
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert np.array_equal(pixels(tmp_path / "a.dcm")[0], grey)


def test_an_enhanced_file_of_one_frame_is_rescaled_and_windowed_as_others_are(
    tmp_path: Path,
) -> None:
    rescale, window, shared, own = Dataset(), Dataset(), Dataset(), Dataset()
    rescale.RescaleSlope, rescale.RescaleIntercept = -2, 500
    window.WindowCenter, window.WindowWidth = -500, 801
    shared.PixelValueTransformationSequence, own.FrameVOILUTSequence = [rescale], [window]
    path = save(
        tmp_path / "a.dcm",
        NumberOfFrames=1,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=[own],
    )
    right = scaled(DEEP * -2.0 + 500, -500.5 - 400, -500.5 + 400)
    assert np.array_equal(pixels(path)[0], right)
