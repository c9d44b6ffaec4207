"""Pictures of every depth and kind: what they show, whatever their tags; whole files are read."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from triage.data.readers import BadFile, picture_files

Y, X = np.mgrid[0:40, 0:56]
GREY = (40 + 150 * ((X - 28) ** 2 + (Y - 20) ** 2 < 200) + X % 7).astype(np.uint8)
DEEP = GREY.astype(np.uint16) * 16  # 12 bits of data


def pixels(path: Path) -> np.ndarray:
    return picture_files.read(path.parent, path.name)[0]


def reason(path: Path) -> str:
    with pytest.raises(BadFile) as caught:
        pixels(path)
    return caught.value.reason


def scaled(values: np.ndarray) -> np.ndarray:
    """Any values by their own range to 8 bits."""
    exact = values.astype(float) - values.min()
    return np.rint(exact * (255 / exact.max())).astype(np.uint8)


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png16(path: Path, array: np.ndarray, *extra: bytes) -> Path:
    """A PNG of 16 bits of [height, width, channels], which Pillow can't write."""
    height, width, channels = array.shape
    colours = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colours, 0, 0, 0))
    parts = [header, *extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_colours_and_alpha_of_16_bits_are_scaled_as_grey_is(tmp_path: Path, channels: int) -> None:
    opaque = np.full_like(DEEP, 65535)
    planes = {1: [DEEP], 2: [DEEP, opaque], 3: [DEEP] * 3, 4: [DEEP] * 3 + [opaque]}[channels]
    found = pixels(png16(tmp_path / "a.png", np.dstack(planes)))
    assert len(found) == (1 if channels < 3 else 3)
    assert (found == scaled(DEEP)).all()


def test_colours_of_16_bits_keep_their_proportions(tmp_path: Path) -> None:
    colours = np.dstack([DEEP, DEEP // 2, DEEP // 4])
    found = pixels(png16(tmp_path / "a.png", colours))
    assert np.array_equal(found, scaled(colours).transpose(2, 0, 1))


def test_transparent_parts_of_16_bits_become_black(tmp_path: Path) -> None:
    alpha = np.full_like(DEEP, 65535)
    alpha[:10] = 0
    deep = DEEP.copy()
    deep[:10] = 65535  # what is not seen has no part in the range
    found = pixels(png16(tmp_path / "a.png", np.dstack([deep, alpha])))[0]
    assert (found[:10] == 0).all()
    assert np.array_equal(found[10:], scaled(DEEP[10:]))
    colour = struct.pack(">3H", *[int(DEEP[0, 0])] * 3)
    found = pixels(png16(tmp_path / "b.png", np.dstack([DEEP] * 3), chunk(b"tRNS", colour)))
    assert (found[:, DEEP[0, 0] == DEEP] == 0).all()


def test_deep_pictures_are_turned_upright(tmp_path: Path) -> None:
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        extra = chunk(b"eXIf", exif.tobytes()[6:])
        deep = pixels(png16(tmp_path / "a.png", DEEP[..., None], extra))
        Image.fromarray(scaled(DEEP)).save(tmp_path / "b.png", exif=exif)
        assert np.array_equal(deep, pixels(tmp_path / "b.png")), orientation
        extratags = [(274, "H", 1, orientation, True)]
        tifffile.imwrite(tmp_path / "c.tif", DEEP, extratags=extratags)
        assert np.array_equal(deep, pixels(tmp_path / "c.tif")), orientation


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_deep_pictures_that_are_cut_are_refused(tmp_path: Path, share: float) -> None:
    path = png16(tmp_path / "a.png", np.dstack([DEEP] * 3))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert reason(path)
    for compression in (None, "zlib", "lzw"):
        whole = tmp_path / "whole.tif"
        tifffile.imwrite(whole, DEEP, compression=compression, photometric="minisblack")
        # A header may stand behind the pixels, so that it is the pixels that are cut here.
        content = bytearray(whole.read_bytes())
        with tifffile.TiffFile(whole) as file:
            start = file.pages[0].dataoffsets[0]
        path = tmp_path / "cut.tif"
        path.write_bytes(content[: start + int(share * (len(content) - start)) - 1])
        assert reason(path)


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("inverted", [False, True])
def test_tiffs_show_what_their_tags_say(
    tmp_path: Path, kind: str, order: str, inverted: bool
) -> None:
    values = GREY.astype(kind)
    if kind[0] == "i":
        values = (GREY.astype(int) - 128).astype(kind)
    if kind[0] == "f":
        values = (GREY / 255 - 0.3).astype(kind)
    path = tmp_path / "a.tif"
    photometric = "miniswhite" if inverted else "minisblack"
    tifffile.imwrite(path, values, byteorder=order, photometric=photometric)
    right = GREY if kind == "u1" else scaled(values)
    found = pixels(path)[0].astype(int)
    assert np.abs(found - (255 - right.astype(int) if inverted else right)).max() <= 1


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_colours_of_16_bits_in_tiffs(
    tmp_path: Path, compression: str | None, planar: str, tile: tuple[int, int] | None
) -> None:
    colours = np.dstack([DEEP, DEEP // 2, DEEP // 4])
    data = colours if planar == "contig" else colours.transpose(2, 0, 1)
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, data, photometric="rgb", planarconfig=planar, compression=compression, tile=tile
    )
    assert np.array_equal(pixels(path), scaled(colours).transpose(2, 0, 1))


def test_alpha_of_tiffs_of_16_bits(tmp_path: Path) -> None:
    alpha = np.full_like(DEEP, 65535)
    alpha[:10] = 0
    data = np.dstack([DEEP, DEEP, DEEP, alpha])
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, data, photometric="rgb", extrasamples=["unassalpha"])
    found = pixels(path)
    assert (found[:, :10] == 0).all()
    assert np.array_equal(found[0, 10:], scaled(DEEP[10:]))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"photometric": "separated"}, "SEPARATED"),
        ({"photometric": "minisblack", "planarconfig": "contig"}, "4 samples"),
    ],
)
def test_tiffs_of_rare_kinds_are_called_so(
    tmp_path: Path, options: dict[str, str], words: str
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([DEEP] * 4), **options)
    assert words in reason(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", (GREY + 1j).astype(np.complex64))
    assert "not supported" in reason(tmp_path / "b.tif")
    tifffile.imwrite(tmp_path / "c.tif", np.stack([DEEP, DEEP]), photometric="minisblack")
    assert "several pictures" in reason(tmp_path / "c.tif")


@pytest.mark.parametrize("values", [GREY, DEEP, GREY / 255], ids=["8 bits", "16 bits", "fractions"])
def test_stacks_of_which_only_a_text_knows_are_refused(tmp_path: Path, values: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([values] * 5), truncate=True)
    text = "ImageJ=1.53\nimages={}\nslices={}\n"
    tifffile.imwrite(tmp_path / "b.tif", values, description=text.format(3, 3), metadata=None)
    for name in ("a.tif", "b.tif"):
        assert reason(tmp_path / name) == "holds several pictures, must hold one"
    tifffile.imwrite(tmp_path / "c.tif", values, description=text.format(1, 1), metadata=None)
    assert pixels(tmp_path / "c.tif").shape == (1, *GREY.shape)


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_a_sample_without_a_meaning_is_neither_dropped_nor_taken(tmp_path: Path, kind: str) -> None:
    for count in (2, 4):
        planes = np.dstack([GREY.astype(kind)] * count)
        photometric = "rgb" if count == 4 else "minisblack"
        tifffile.imwrite(
            tmp_path / "a.tif", planes, photometric=photometric, planarconfig="contig",
            extrasamples=["unspecified"],
        )  # fmt: skip
        assert f"{count} samples a pixel" in reason(tmp_path / "a.tif")


def test_grey_that_is_multiplied_with_its_alpha_stays_so(tmp_path: Path) -> None:
    alpha = np.where(X < 9, 0, 255).astype(np.uint8)
    planes = np.dstack([GREY * (alpha > 0), alpha])
    tifffile.imwrite(
        tmp_path / "a.tif", planes, photometric="minisblack", planarconfig="contig",
        extrasamples=["assocalpha"],
    )  # fmt: skip
    assert np.array_equal(pixels(tmp_path / "a.tif")[0], planes[..., 0])


def jpeg(**options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(GREY).save(stream, "JPEG", **options)
    return stream.getvalue()


@pytest.mark.parametrize("size", [3_000_000, 8_000_000])
def test_a_film_behind_a_photograph_is_no_damage(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg())
    whole = pixels(path)
    for seed in range(5):
        film = b"MotionPhoto_Data\0\0\0\x18ftypmp42" + np.random.default_rng(seed).bytes(size)
        path.write_bytes(jpeg() + film)
        assert np.array_equal(pixels(path), whole)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_photograph_that_is_cut_is_refused_whatever_follows(
    tmp_path: Path, progressive: bool
) -> None:
    thumbnail = jpeg()
    content = jpeg(progressive=progressive)
    with_thumbnail = content[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    with_thumbnail += content[2:]
    path = tmp_path / "a.jpg"
    path.write_bytes(with_thumbnail)
    assert pixels(path).shape == (1, 40, 56)
    for left in (0.3, 0.8, 0.95):
        path.write_bytes(with_thumbnail[: len(thumbnail) + 6 + int(left * len(content))])
        assert reason(path)


def test_large_texts_and_colour_profiles_are_no_damage(tmp_path: Path) -> None:
    image = Image.fromarray(GREY)
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "x" * 3_000_000, zip=True)
    image.save(tmp_path / "a.png", pnginfo=info)
    image.save(tmp_path / "b.png", icc_profile=np.random.default_rng(0).bytes(3_000_000))
    image.convert("RGB").save(tmp_path / "c.jpg", icc_profile=bytes(1_000_000), quality=100)
    for name in ("a.png", "b.png"):
        assert np.array_equal(pixels(tmp_path / name)[0], GREY)
    assert pixels(tmp_path / "c.jpg").shape == (3, 40, 56)
    damaged = bytearray((tmp_path / "a.png").read_bytes())
    damaged[-40] ^= 1
    (tmp_path / "a.png").write_bytes(damaged)
    assert "checksum" in reason(tmp_path / "a.png")
    (tmp_path / "d.png").write_bytes((tmp_path / "b.png").read_bytes() + bytes(99))
    assert np.array_equal(pixels(tmp_path / "d.png")[0], GREY)


def test_transparent_constant_and_foreign_files_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    rgba = np.dstack([GREY, GREY, GREY, np.zeros_like(GREY)])
    Image.fromarray(rgba).save(path)
    assert reason(path) == "is transparent all over"
    Image.fromarray(np.dstack([np.zeros_like(GREY)] * 3 + [GREY])).save(path)
    assert "black all over once its transparent parts are black" in reason(path)
    Image.new("RGBA", (56, 40), (9, 9, 9, 255)).save(path)
    assert "constant" in reason(path)
    assert "transparent" in reason(png16(path, np.dstack([DEEP, np.zeros_like(DEEP)])))
    assert "constant" in reason(png16(path, np.full((20, 20, 3), 700, np.uint16)))
    for content, words in (
        (b"\0\0\0\x18ftypheic", "is HEIC or AVIF, none of PNG"),
        (b"\0\0\0\x0cjP  \r\n", "is JPEG 2000, none of PNG"),
        (b"<svg xmlns='x'/>", "SVG, none of PNG"),
        (b"%PDF-1.7", "is a PDF, none of PNG"),
        (b"hello", "is none of PNG"),
        (b"GIF87a", "is GIF by its first bytes"),
        (b"\x89PNG\r\n", "is PNG by its first bytes"),
    ):
        path.write_bytes(content)
        assert words in reason(path)
