"""Damaged files, pictures, volumes, patients and names: what disks and exports do."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image

import picture_sets
import scans
from damage_layouts import Damage, Outcome


def _cut(share: float) -> Callable[[Path], object]:
    def do(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: max(1, int(share * len(content)))])

    return do


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _broken_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def _linked(path: Path) -> None:
    """The file lies elsewhere, as DVC and annexes have it."""
    content = next(each for each in path.parents if each.name == "raw").with_name("content")
    shutil.move(path, content)
    path.symlink_to(content)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    """Permissions bind root as they bind anyone."""
    libc, version = ctypes.CDLL(None, use_errno=True), 0x20080522
    header = (ctypes.c_uint32 * 2)(version, 0)
    held = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, twice
    if os.geteuid() != 0 or libc.capget(header, held) != 0:
        yield
        return
    fewer = (ctypes.c_uint32 * 6)(*held)
    fewer[0] &= ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH of <linux/capability.h>
    assert libc.capset(header, fewer) == 0
    try:
        yield
    finally:
        assert libc.capset(header, held) == 0


def any_file() -> Iterator[Damage]:
    """Of a file of any kind."""
    q: Outcome = "quarantined"
    yield Damage("empty", lambda path: path.write_bytes(b""), q)
    for share in (0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        yield Damage(f"cut at {share}", _cut(share), q)
    yield Damage("a line of text", lambda path: path.write_text("hello\n"), q)
    page = "<!DOCTYPE html><html><body>404: not found</body></html>"
    yield Damage("the page of an error", lambda path: path.write_text(page), q)
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"
    yield Damage("a pointer to large storage", lambda path: path.write_text(pointer), q)
    yield Damage("zeros", lambda path: path.write_bytes(bytes(4096)), q)
    noise = np.random.default_rng(1).bytes(4096)
    yield Damage("noise", lambda path: path.write_bytes(noise), q)
    yield Damage("an archive", lambda path: path.write_bytes(b"PK\x03\x04" + noise), q)
    yield Damage("a program", lambda path: path.write_bytes(b"\x7fELF" + noise), q)
    yield Damage("a link to itself", _loop, q)
    yield Damage("a broken link", _broken_link, q)
    yield Damage("a link to elsewhere", _linked, "used")
    yield Damage("a pipe", _pipe, q)
    yield Damage("no permission to read", lambda path: path.chmod(0), q)


def _save(image: Image.Image, kind: str, **options: object) -> Callable[[Path], object]:
    return lambda path: image.save(path, kind, **options)


def _deep() -> Image.Image:
    return Image.fromarray(np.random.default_rng(2).integers(0, 4000, (20, 24)).astype(np.uint16))


def _fractions(value: float) -> Image.Image:
    array = np.random.default_rng(3).random((20, 24)).astype(np.float32)
    array[3, 4] = value
    return Image.fromarray(array)


def _bomb(width: int, height: int) -> Callable[[Path], object]:
    """A PNG that says it is huge, and unpacks to a good part of it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    def do(path: Path) -> None:
        header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        rows = zlib.compress(bytes(8 << 20), 9)
        parts = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)

    return do


def _turned(image: Image.Image, orientation: int) -> Callable[[Path], object]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _save(image, "JPEG", exif=exif.tobytes(), quality=95)


def _wrong_bit(path: Path) -> None:
    picture_sets.noise(7, "RGB").save(path, "PNG")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def pictures() -> Iterator[Damage]:
    """Of a picture, whatever its format."""
    noise = picture_sets.noise
    q, used = "quarantined", "used"
    yield Damage("one pixel", _save(noise(91, size=(1, 1)), "PNG"), q)
    yield Damage("a line", _save(noise(91, size=(3000, 1)), "PNG"), q)
    yield Damage("all black", _save(Image.new("L", (24, 20)), "PNG"), q, "constant")
    yield Damage("all of one colour", _save(Image.new("RGB", (24, 20), (9, 8, 7)), "PNG"), q)
    yield Damage("NaN", _save(_fractions(np.nan), "TIFF"), q)
    yield Damage("infinite", _save(_fractions(-np.inf), "TIFF"), q)
    yield Damage("huge", _bomb(60_000, 60_000), q)
    yield Damage("30000 x 10", _bomb(30_000, 10), q)
    yield Damage("10 x 30000", _bomb(10, 30_000), q)
    frames = [noise(90 + i, "P") for i in range(3)]
    moving = {"save_all": True, "append_images": frames[1:]}
    yield Damage("moving GIF", _save(frames[0], "GIF", **moving), q)
    yield Damage("TIFF of pages", _save(noise(91), "TIFF", **moving), q)
    yield Damage("a wrong bit", _wrong_bit, q)
    yield Damage("16 bits", _save(_deep(), "PNG"), used)
    yield Damage("fractions", _save(_fractions(0.5), "TIFF"), used)
    yield Damage("palette", _save(noise(91, "RGB").quantize(16), "PNG"), used)
    yield Damage("alpha", _save(noise(91, "RGBA"), "PNG"), used)
    yield Damage("grey and alpha", _save(noise(91, "LA"), "PNG"), used)
    yield Damage("one bit", _save(noise(91).convert("1"), "PNG"), used)
    yield Damage("colour", _save(noise(91, "RGB"), "PNG"), used)
    yield Damage("CMYK", _save(noise(91, "CMYK"), "JPEG"), used)
    yield Damage("progressive", _save(noise(91), "JPEG", progressive=True), used)
    yield Damage("another format", _save(noise(91), "BMP"), used)
    for orientation in (3, 6, 8):
        yield Damage(f"turned {orientation}", _turned(noise(91, "RGB"), orientation), used)


def _voxels(change: Callable[[np.ndarray], np.ndarray], kind: type = np.float32) -> Callable:
    return lambda path: scans.write(scans.volume(change(scans.voxels(3, kind=kind))), path)


def _header(old: str, new: str) -> Callable[[Path], object]:
    def do(path: Path) -> None:
        scans.write(scans.volume(scans.voxels(3)), path, compressed=False)
        content = path.read_bytes()
        assert old.encode() in content, content[:400]
        path.write_bytes(content.replace(old.encode(), new.encode(), 1))

    return do


def _spoilt(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array[2, 3, 4] = value
        return array

    return change


def _turned_scan(path: Path) -> None:
    image = scans.volume(scans.voxels(3))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    image.SetOrigin((17.0, 19.0, 0.0))
    scans.write(image, path)


def _four_dimensions(path: Path) -> None:
    both = [scans.volume(scans.voxels(3)), scans.volume(scans.voxels(4))]
    sitk.WriteImage(sitk.JoinSeries(both), str(path))


def _other_format(path: Path) -> None:
    scans.write(scans.volume(scans.voxels(3)), path.with_name("other.nii"))
    path.with_name("other.nii").rename(path)


def volumes() -> Iterator[Damage]:
    """Of a sequence of a patient."""
    q: Outcome = "quarantined"
    size, spacing = "DimSize = 18 20 6", "ElementSpacing = 1 1 3"
    axes = "TransformMatrix = 1 0 0 0 1 0 0 0 1"
    yield Damage("constant", _voxels(np.zeros_like), q, "constant")
    yield Damage("NaN", _voxels(_spoilt(np.nan)), q, "NaN")
    yield Damage("infinite", _voxels(_spoilt(np.inf)), q, "infinite")
    yield Damage("too large for 32 bits", _voxels(lambda a: a * 1e300, np.float64), q)
    yield Damage("four dimensions", _four_dimensions, q, "4 dimensions")
    yield Damage("NIfTI by the name of MetaImage", _other_format, q)
    yield Damage("turned", _turned_scan, "used")
    for kind in (np.uint8, np.uint16, np.int32, np.float64):
        yield Damage(f"{np.dtype(kind)}", _voxels(np.asarray, kind), "used")
    headers = {
        "huge": (size, "DimSize = 18000 20000 6000"),
        "a slice too many": (size, "DimSize = 18 20 7"),
        "negative size": (size, "DimSize = -18 20 6"),
        "no slices": (size, "DimSize = 18 20 0"),
        "size in words": (size, "DimSize = a b c"),
        "two sizes": (size, "DimSize = 18 20"),
        "no size": (size + "\n", ""),
        "no number of dimensions": ("NDims = 3\n", ""),
        "no type": ("ElementType = MET_SHORT\n", ""),
        "no such type": ("MET_SHORT", "MET_SHIRT"),
        "zero spacing": (spacing, "ElementSpacing = 0 1 3"),
        "negative spacing": (spacing, "ElementSpacing = -1 1 3"),
        "spacing not a number": (spacing, "ElementSpacing = nan 1 3"),
        "no spacing in one direction": (spacing, "ElementSpacing = 1 1"),
        "singular axes": (axes, "TransformMatrix = 1 0 0 1 0 0 0 0 1"),
        "skewed axes": (axes, "TransformMatrix = 1 .5 0 0 1 0 0 0 1"),
        "a file of the machine": ("LOCAL", "/etc/passwd"),
        "a file above": ("LOCAL", "../T1.mha"),
        "not compressed": ("CompressedData = False", "CompressedData = True"),
        "as text": ("BinaryData = True", "BinaryData = False"),
    }
    for name, (old, new) in headers.items():
        yield Damage(name, _header(old, new), q)


def _patient(path: Path) -> Path:
    return path.parent


def patients() -> Iterator[Damage]:
    """Of a patient's folder."""
    q: Outcome = "quarantined"
    yield Damage("a sequence missing", lambda path: path.unlink(), q, "lacks T2")
    yield Damage("a sequence misnamed", lambda p: p.rename(p.with_name("T2w.mha")), q, "lacks T2")
    yield Damage("a sequence twice", lambda p: shutil.copy(p, p.with_suffix(".nii")), q, "once")
    yield Damage("a copy of another", lambda p: shutil.copy(p.with_name("T1.mha"), p), q, "copy")
    yield Damage(
        "of another patient",
        lambda path: shutil.copy(path.parents[1] / "P01/T2.mha", path),
        q,
    )
    yield Damage("a folder that may not be read", lambda p: p.parent.chmod(0), q, "can't be")
    yield Damage("fewer slices", _voxels(lambda a: a[:2], np.int16), "used")
    yield Damage(
        "in both classes",
        lambda path: shutil.copytree(_patient(path), path.parents[2] / "abnormal/P00"),
        "stopped",
        "more than one folder",
    )
    yield Damage(
        "a class misspelt",
        lambda path: path.parents[1].rename(path.parents[2] / "Normal"),
        "stopped",
        "no class",
    )
    yield Damage(
        "an empty class", lambda path: shutil.rmtree(path.parents[1]), "stopped", "no usable case"
    )


def _named(name: str) -> Callable[[Path], object]:
    return lambda path: path.rename(path.with_name(name + path.suffix))


NAMES = {
    "spaces": "a scan of  mine",
    "quotes": 'it\'s "a" scan',
    "commas": "one,two,,three",
    "other letters": "Müller-脳-📷",
    "a leading dash": "-rf",
    "a semicolon and a dollar": "a;$(reboot)`id`",
    "two hundred letters": "x" * 200,
    "a hash": "#1 {study}",
}


def folder_names() -> Iterator[Damage]:
    """Of pictures whose label is their folder's name: theirs may be anything."""
    for name, text in NAMES.items():
        yield Damage(f"a name with {name}", _named(text), "used")
    yield Damage(
        "a folder that may not be read",
        lambda path: path.parent.chmod(0),
        "quarantined",
        "no permission",
        ("NORMAL2-IM-0015-0001", "ISIC_002MEL"),
    )
    for name, text in {"a line end": "a\nb", "a bell": "a\x07b"}.items():
        yield Damage(f"a name with {name}", _named(text), "quarantined", "control characters")


def patient_names() -> Iterator[Damage]:
    """Of patients, who are called after their folder."""
    for name, text in NAMES.items():
        yield Damage(
            f"a patient's name with {name}",
            lambda path, text=text: _patient(path).rename(_patient(path).with_name(text)),
            "used",
        )
    yield Damage(
        "a patient's name with a line end",
        lambda path: _patient(path).rename(_patient(path).with_name("a\nb")),
        "quarantined",
        "control characters",
    )
