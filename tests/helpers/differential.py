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
from pydicom.uid import ExplicitVRBigEndian, JPEGExtended12Bit, RLELossless

from dicom_files import slice_
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


# --- against one library each


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


# --- shipped files


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


# --- random files


def _array(rng: random.Random, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    draw = np.random.default_rng(rng.randrange(2**32))
    if kind[0] == "f":
        return draw.normal(0, 100, shape).astype(kind)
    bounds = np.iinfo(kind)
    top = rng.choice([100, 4000, bounds.max])
    low = max(bounds.min, -top) if bounds.min else 0
    high = min(top, bounds.max, 2**63 - 1)
    return draw.integers(low, high, shape, endpoint=True).astype(kind)


def _rotation(rng: random.Random) -> np.ndarray:
    """Axes along the scanner's, in any order and sense, or turned anyhow."""
    if rng.random() < 0.5:
        axes = np.eye(3)[rng.sample(range(3), 3)]
        return axes * np.array([rng.choice([-1.0, 1.0]) for _ in range(3)])
    draw = np.random.default_rng(rng.randrange(2**32))
    turned, _ = np.linalg.qr(draw.normal(size=(3, 3)))
    return turned


def _shape(rng: random.Random) -> tuple[int, int, int]:
    return tuple(rng.randint(2, 9) for _ in range(3))  # type: ignore[return-value]


def _spacing(rng: random.Random) -> list[float]:
    return [round(rng.uniform(0.2, 6), 3) for _ in range(3)]


def make_metaimage(rng: random.Random, folder: Path) -> Path:
    kind = rng.choice(["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
    image = sitk.GetImageFromArray(_array(rng, kind, _shape(rng)))
    image.SetSpacing(_spacing(rng))
    image.SetOrigin([round(rng.uniform(-200, 200), 2) for _ in range(3)])
    image.SetDirection(_rotation(rng).ravel().tolist())
    path = folder / rng.choice(["a.mha", "a.mhd"])
    sitk.WriteImage(image, path, rng.random() < 0.5)
    return path


def make_nifti(rng: random.Random, folder: Path) -> Path:
    kind = rng.choice(["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"])
    order = rng.choice("<>")
    array = _array(rng, kind, _shape(rng))
    if kind in ("i4", "u4"):
        array = array.astype(kind)
    matrix = np.eye(4)
    matrix[:3, :3] = _rotation(rng) * np.array(_spacing(rng))
    matrix[:3, 3] = [rng.uniform(-200, 200) for _ in range(3)]
    make = rng.choice([nibabel.Nifti1Header, nibabel.Nifti2Header])
    header = make(endianness=order)
    header.set_data_dtype(np.dtype(kind).newbyteorder(order))
    header.set_data_shape(array.shape)
    header.set_zooms(np.linalg.norm(matrix[:3, :3], axis=0))
    codes = rng.choice([(1, 0), (0, 1), (1, 1), (2, 1), (0, 0)])
    other = np.diag([1.0, 2.0, 3.0, 1.0])
    header.set_sform(matrix if codes[0] else None, codes[0])
    header.set_qform(matrix if not codes[0] else other, codes[1])
    if codes == (0, 0):
        header["pixdim"][0] = rng.choice([1, -1])
    if rng.random() < 0.5 and kind[0] != "f":
        header["scl_slope"], header["scl_inter"] = rng.choice([(0.5, 3), (2, -1024), (0, 7)])
    size = header.template_dtype.itemsize + 4
    header["vox_offset"] = size + 16 * rng.randint(0, 2)
    body = array.T.astype(np.dtype(kind).newbyteorder(order)).tobytes()
    content = (header.binaryblock + bytes(4)).ljust(int(header["vox_offset"]), b"\0") + body
    path = folder / rng.choice(["a.nii", "a.nii.gz"])
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def make_series(rng: random.Random, folder: Path) -> Path:
    count = rng.randint(1, 5)
    stored = rng.choice([8, 12, 16])
    signed = rng.random() < 0.5
    axes = _rotation(rng)
    step, spacing = round(rng.uniform(0.5, 6), 2), _spacing(rng)[:2]
    numbers = rng.sample(range(50), count)
    shape = (rng.randint(2, 9), rng.randint(2, 9))
    # An encoder takes 8 bits for bytes.
    way = rng.choice(["plain", "big endian", *["packed"] * (stored > 8)])
    path = folder / "series"
    path.mkdir()
    for i in range(count):
        array = _array(rng, "u2", shape) & (2**stored - 1)
        if stored < 16 and way == "plain" and rng.random() < 0.3:
            array |= np.uint16(1 << stored)  # what stands in unused bits does not count
        place = axes[:, 2] * step * i * np.sign(np.linalg.det(axes)) + [10, -20, 5]
        changes = {
            "BitsStored": stored, "HighBit": stored - 1, "PixelRepresentation": int(signed),
            "ImagePositionPatient": [float(f"{x:.6g}") for x in place],
            "ImageOrientationPatient": [float(f"{x:.9f}") for x in axes[:, :2].T.ravel()],
            "PixelSpacing": spacing, "InstanceNumber": numbers[i],
            "RescaleSlope": rng.choice([1, 2, 0.5, 0.37]), "RescaleIntercept": rng.choice([0, -9]),
        }  # fmt: skip
        data = slice_(i, array, **changes)
        if way == "packed":
            data.compress(RLELossless, encoding_plugin="pydicom")
        elif way == "big endian":
            data.PixelData = array.astype(">u2").tobytes()
            data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        data.save_as(path / f"{numbers[i]}.dcm", enforce_file_format=True)
    return path


def make_tiff(rng: random.Random, folder: Path) -> Path:
    kind = rng.choice(["u1", "u2", "u4", "i1", "i2", "i4", "f4", "f8"])
    colours = kind in ("u1", "u2") and rng.random() < 0.4
    shape = (rng.randint(16, 40), rng.randint(16, 40))
    array = _array(rng, kind, (*shape, 3) if colours else shape)
    array[0, 0] = array[0, 0] // 2 if kind[0] != "f" else 7.5
    options = {
        "photometric": "rgb" if colours else rng.choice(["minisblack", "miniswhite"]),
        "byteorder": rng.choice("<>"),
        "compression": rng.choice([None, "zlib", "lzw", "packbits"]),
        "tile": rng.choice([None, (16, 16)]),
        "rowsperstrip": rng.choice([None, 5]),
        "bigtiff": rng.random() < 0.2,
        "predictor": False,
    }
    if options["tile"]:
        options["rowsperstrip"] = None
    if options["compression"] in ("zlib", "lzw") and kind[0] != "f":
        options["predictor"] = rng.random() < 0.5
    if colours:
        options["planarconfig"] = rng.choice(["contig", "separate"])
        if options["planarconfig"] == "separate":
            array = array.transpose(2, 0, 1)
    path = folder / "a.tif"
    tifffile.imwrite(path, array, **options)
    return path


def make_picture(rng: random.Random, folder: Path) -> Path:
    shape = (rng.randint(16, 40), rng.randint(16, 40))
    mode = rng.choice(["1", "L", "LA", "P", "RGB", "RGBA", "16"])
    if mode == "16":
        channels = rng.choice([1, 3])
        array = _array(rng, "u2", (*shape, channels) if channels > 1 else shape)
        path = folder / "a.png"
        path.write_bytes(imagecodecs.png_encode(array))
        return path
    channels = {"1": 1, "L": 1, "P": 3, "LA": 2, "RGB": 3, "RGBA": 4}[mode]
    array = _array(rng, "u1", (*shape, channels) if channels > 1 else shape)
    image = Image.fromarray(array)
    image = image.quantize(16) if mode == "P" else image.convert(mode)
    kinds = {"L": ["png", "bmp", "gif", "jpg"], "RGB": ["png", "bmp", "jpg", "webp"]}
    path = folder / f"a.{rng.choice(kinds.get(mode, ['png']))}"
    image.save(path)
    return path


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
