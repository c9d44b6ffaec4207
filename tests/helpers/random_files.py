"""Random files of every kind that the readers read."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import imagecodecs
import nibabel
import numpy as np
import SimpleITK as sitk
import tifffile
from PIL import Image
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from dicom_files import slice_


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
