"""The readers against nibabel, pydicom, SimpleITK, tifffile and Pillow: equal, or refused.

``SHIPPED`` are the files that these packages come with, ``MADE`` writes random ones. Each gives
``equal`` or ``refused``; where a value or a place differs it raises AssertionError.
"""

from __future__ import annotations

import contextlib
import gzip
import random
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import imagecodecs
import nibabel
import numpy as np
import pydicom
import SimpleITK as sitk
import tifffile
from PIL import Image, UnidentifiedImageError
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_windowing, pixel_array
from pydicom.uid import JPEGExtended12Bit, RLELossless

from random_files import make_metaimage, make_nifti, make_picture, make_series, make_tiff
from triage.data.formats.volume import Volume
from triage.data.readers import BadFile, Loading, picture_files, volume_files

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
Check = Callable[[Path], str]


def _volume(path: Path) -> Volume | None:
    try:
        return volume_files.read(path.parent, path.name)
    except BadFile:
        return None


def _picture(path: Path, window: str = "full") -> np.ndarray | None:
    try:
        how = Loading(window=window)  # type: ignore[arg-type]
        return picture_files.read(path.parent, path.name, how)[0]
    except BadFile:
        return None


def _corners(shape: tuple[int, ...], matrix: np.ndarray) -> np.ndarray:
    """Where the eight corner voxels of a volume [z, y, x] lie."""
    last = np.array(shape[::-1]) - 1
    indices = np.array(list(np.ndindex(2, 2, 2))) * last
    return indices @ matrix[:3, :3].T + matrix[:3, 3]


def _matrix(place: Volume | sitk.Image) -> np.ndarray:
    if isinstance(place, Volume):
        spacing, origin, direction = place.spacing, place.origin, place.direction
    else:
        spacing, origin = place.GetSpacing(), place.GetOrigin()
        direction = place.GetDirection()
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(direction).reshape(3, 3) * np.array(spacing)
    matrix[:3, 3] = origin
    return matrix


def _same(found: Volume, voxels: np.ndarray, matrix: np.ndarray, exact: bool = True) -> None:
    assert found.voxels.shape == voxels.shape
    if exact:
        np.testing.assert_array_equal(found.voxels, voxels)
    else:
        np.testing.assert_allclose(found.voxels, voxels, rtol=1e-5, atol=1e-4)
    there = _corners(voxels.shape, matrix)
    size = max(float(np.ptp(there, axis=0).max()), 1.0)
    np.testing.assert_allclose(
        _corners(found.voxels.shape, _matrix(found)), there, atol=2e-3 * size
    )


def scaled(values: np.ndarray, inverted: bool = False) -> np.ndarray:
    """Values [height, width(, 3)] by their own range to 8 bits, [channels, height, width]."""
    exact = values.astype(np.float64)
    exact = (exact - exact.min()) / max(np.ptp(exact), 1e-300) * 255
    exact = exact.reshape(*exact.shape[:2], -1).transpose(2, 0, 1)
    return 255 - exact if inverted else exact


def _close(found: np.ndarray, right: np.ndarray) -> None:
    assert found.shape == right.shape
    assert np.abs(found - right).max() <= 1.01


def nifti(path: Path) -> str:
    found = _volume(path)
    if found is None:
        return "refused"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = nibabel.load(path)
    voxels = np.asanyarray(image.dataobj)
    voxels = voxels.reshape(voxels.shape[:3]).T
    matrix = LPS @ image.affine
    if not found.is_placed:  # nibabel takes such a file as mirrored, and in the middle
        matrix = _matrix(found)
        np.testing.assert_allclose(found.spacing, image.header.get_zooms()[:3], rtol=1e-6)
    _same(found, voxels, matrix)
    return "equal"


def metaimage(path: Path) -> str:
    found = _volume(path)
    if found is None:
        return "refused"
    image = sitk.ReadImage(path, imageIO="MetaImageIO")
    _same(found, sitk.GetArrayFromImage(image), _matrix(image))
    return "equal"


def dicom_series(folder: Path) -> str:
    """Against pydicom slice by slice, and against what GDCM makes of each of them."""
    found = _volume(folder)
    if found is None:
        return "refused"
    slices = [path for path in folder.iterdir() if path.suffix != ".json"]
    headers = {path: pydicom.dcmread(path) for path in slices}
    first = headers[slices[0]]
    axes = np.array(first.ImageOrientationPatient, dtype=float).reshape(2, 3)
    normal = np.cross(*axes)
    places = {p: np.array(h.ImagePositionPatient, dtype=float) for p, h in headers.items()}
    ordered = sorted(slices, key=lambda path: float(places[path] @ normal))
    voxels = [apply_modality_lut(pixel_array(headers[p]), headers[p]) for p in ordered]
    matrix = np.eye(4)
    rows, columns = (float(x) for x in first.PixelSpacing)
    matrix[:3, 0], matrix[:3, 1] = axes[0] * columns, axes[1] * rows
    step = places[ordered[-1]] - places[ordered[0]]
    matrix[:3, 2] = step / max(len(ordered) - 1, 1) if len(ordered) > 1 else found.spacing[2]
    if len(ordered) == 1:
        matrix[:3, 2] = normal * found.spacing[2]
    matrix[:3, 3] = places[ordered[0]]
    _same(found, np.stack(voxels), matrix)
    for path, own in zip(ordered, found.voxels, strict=True):
        if headers[path].file_meta.TransferSyntaxUID == RLELossless:
            continue  # GDCM ends the whole process on some of them
        try:
            other = sitk.GetArrayFromImage(sitk.ReadImage(path, imageIO="GDCMImageIO"))[0]
        except RuntimeError:
            continue
        np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-4)
    return "equal"


def _stored(path: Path, data: pydicom.Dataset) -> np.ndarray:
    if data.file_meta.TransferSyntaxUID == JPEGExtended12Bit:  # of 12 bits only GDCM knows
        return sitk.GetArrayFromImage(sitk.ReadImage(path, imageIO="GDCMImageIO"))[0]
    return pixel_array(data)


def dicom_picture(path: Path) -> str:
    found = _picture(path)
    windowed = _picture(path, "voi")
    if found is None or windowed is None:
        return "refused"
    data = pydicom.dcmread(path)
    stored = _stored(path, data)
    kind = data.PhotometricInterpretation
    if kind == "PALETTE COLOR":
        colours = apply_color_lut(stored, data)
        _close(found, scaled(colours) if colours.dtype != np.uint8 else colours.transpose(2, 0, 1))
    elif stored.ndim == 3:
        _close(found, stored.transpose(2, 0, 1) if stored.dtype == np.uint8 else scaled(stored))
    else:
        values = apply_modality_lut(stored, data)
        inverted = kind == "MONOCHROME1"
        padding = data.get("PixelPaddingValue")
        if padding is not None and (stored == padding).any():
            return "equal"  # pydicom knows nothing of padding
        if stored.dtype == np.uint8 and data.BitsStored == 8 and "RescaleSlope" not in data:
            _close(found[0], 255 - stored if inverted else stored)
        else:
            _close(found, scaled(values, inverted))
        if "WindowWidth" in data and "VOILUTSequence" not in data:
            shown = apply_windowing(values, data)
            if windowed.min() == 0 and windowed.max() == 255:
                _close(windowed, scaled(shown, inverted))
    return "equal"


def tiff(path: Path) -> str:
    found = _picture(path)
    if found is None:
        return "refused"
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        values = page.asarray()
        if page.planarconfig == 2 and values.ndim == 3:
            values = values.transpose(1, 2, 0)
        inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        if values.dtype == np.uint8:
            right = values.reshape(*values.shape[:2], -1).transpose(2, 0, 1).astype(int)
            _close(found, 255 - right if inverted else right)
            with contextlib.suppress(UnidentifiedImageError):  # a BigTIFF the other way round
                other = np.asarray(Image.open(path))
                _close(found, np.atleast_3d(other).transpose(2, 0, 1))
        else:
            _close(found, scaled(values, inverted))
    return "equal"


def picture(path: Path) -> str:
    """PNG, JPEG, GIF, BMP or WEBP of 8 bits against Pillow, PNG of 16 against libpng."""
    found = _picture(path)
    if found is None:
        return "refused"
    content = path.read_bytes()
    with Image.open(path) as image:
        if image.format == "PNG" and content[24] == 16:
            _close(found, scaled(imagecodecs.png_decode(content)))
            return "equal"
        grey = image.mode in ("1", "L", "LA")
        right = image.convert("RGBA")
        shown = Image.new("RGBA", image.size, (0, 0, 0, 255))
        shown.alpha_composite(right)
        array = np.atleast_3d(np.asarray(shown.convert("L" if grey else "RGB")))
    _close(found, array.transpose(2, 0, 1).astype(int))
    return "equal"


def shipped(folder: Path) -> Iterator[tuple[str, Path, Check]]:
    """The files that the packages come with, by the name of what they are compared with."""
    inside = Path(nibabel.__file__).parent
    for path in sorted((inside / "tests/data").glob("*.nii*")):
        yield "nibabel", path, nifti
    packed = (inside / "nicom/tests/data").glob("*.dcm*")
    single = [*packed, *(Path(pydicom.__file__).parent / "data/test_files").rglob("*")]
    for number, path in enumerate(sorted(path for path in single if path.is_file())):
        own = folder / f"{number}/slice.dcm"
        own.parent.mkdir()
        content = path.read_bytes()
        own.write_bytes(gzip.decompress(content) if path.suffix == ".gz" else content)
        if own.read_bytes()[128:132] == b"DICM":
            yield "pydicom, pictures", own, dicom_picture
            yield "pydicom, volumes", own.parent, dicom_series
    series = Path(pydicom.__file__).parent / "data/test_files/dicomdirtests"
    for path in sorted(path for path in series.rglob("*") if path.is_dir()):
        if any(each.is_file() for each in path.iterdir()):
            own = folder / f"series-{path.parent.name}-{path.name}"
            shutil.copytree(path, own)
            yield "pydicom, volumes", own, dicom_series


MADE: dict[str, tuple[Callable[[random.Random, Path], Path], Check]] = {
    "MetaImage": (make_metaimage, metaimage),
    "NIfTI": (make_nifti, nifti),
    "DICOM series": (make_series, dicom_series),
    "TIFF": (make_tiff, tiff),
    "pictures": (make_picture, picture),
}


def compare(kind: str, rng: random.Random) -> str:
    """What comes of a random file of ``kind``."""
    make, check = MADE[kind]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return check(make(rng, Path(folder)))
