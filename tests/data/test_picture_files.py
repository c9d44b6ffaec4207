"""The reader of one picture: every kind comes through, and a damaged one is refused."""

from __future__ import annotations

import contextlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from picture_sets import noise, save
from triage.data.readers import BadFile, picture_files


def reason(path: Path) -> str:
    with pytest.raises(BadFile) as caught:
        picture_files.read(path.parent, path.name)
    assert str(path.parent) not in caught.value.reason
    return caught.value.reason


def pixels(path: Path) -> np.ndarray:
    """A picture as it is decoded, [channels, height, width]."""
    decoded = picture_files.read(path.parent, path.name)
    assert decoded.dtype == np.uint8
    assert len(decoded) == 1
    return decoded[0]


@pytest.mark.parametrize("extension", [".png", ".tif", ".bmp", ".gif"])
def test_grey_pictures_come_through_exactly(tmp_path: Path, extension: str) -> None:
    image = noise(1)
    assert np.array_equal(pixels(save(image, tmp_path / f"a{extension}"))[0], np.asarray(image))


@pytest.mark.parametrize("extension", [".png", ".tif", ".bmp"])
def test_colours_come_through_exactly(tmp_path: Path, extension: str) -> None:
    image = noise(1, "RGB")
    found = pixels(save(image, tmp_path / f"a{extension}"))
    assert np.array_equal(found, np.asarray(image).transpose(2, 0, 1))


def test_a_grey_jpeg_has_one_channel_and_a_coloured_one_three(tmp_path: Path) -> None:
    assert pixels(save(noise(1), tmp_path / "a.jpeg")).shape == (1, 20, 24)
    assert pixels(save(noise(1, "RGB"), tmp_path / "b.jpeg")).shape == (3, 20, 24)


def test_the_content_counts_and_not_the_extension(tmp_path: Path) -> None:
    path = save(noise(1), tmp_path / "a.png")
    assert np.array_equal(pixels(path.rename(tmp_path / "a.jpg"))[0], np.asarray(noise(1)))


def test_deep_grey_is_scaled_by_its_own_range(tmp_path: Path) -> None:
    values = np.arange(20 * 24, dtype=np.uint16).reshape(20, 24) * 8 + 100  # of 12 bits
    found = pixels(save(Image.fromarray(values), tmp_path / "a.png"))
    assert found.shape == (1, 20, 24)
    assert (found.min(), found.max()) == (0, 255)
    assert (np.diff(found.ravel().astype(int)) >= 0).all()


def test_fractions_are_scaled_and_must_be_finite(tmp_path: Path) -> None:
    values = np.linspace(-1, 1, 480, dtype=np.float32).reshape(20, 24)
    assert pixels(save(Image.fromarray(values), tmp_path / "a.tif")).max() == 255
    values[0, 0] = np.nan
    assert "NaN" in reason(save(Image.fromarray(values), tmp_path / "b.tif"))


def test_palettes_are_resolved(tmp_path: Path) -> None:
    image = noise(1, "RGB").quantize(16)
    found = pixels(save(image, tmp_path / "a.png"))
    assert np.array_equal(found, np.asarray(image.convert("RGB")).transpose(2, 0, 1))


def test_an_opaque_alpha_channel_is_dropped(tmp_path: Path) -> None:
    image = noise(1, "RGB")
    found = pixels(save(image.convert("RGBA"), tmp_path / "a.png"))
    assert np.array_equal(found, np.asarray(image).transpose(2, 0, 1))


def test_transparent_parts_become_black(tmp_path: Path) -> None:
    image = noise(1).convert("LA")
    alpha = np.full((20, 24), 255, np.uint8)
    alpha[:5] = 0
    image.putalpha(Image.fromarray(alpha))
    found = pixels(save(image, tmp_path / "a.png"))
    assert found.shape == (1, 20, 24)
    assert (found[0, :5] == 0).all()
    assert np.array_equal(found[0, 5:], np.asarray(noise(1))[5:])


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    image = Image.new("CMYK", (24, 20), (0, 255, 255, 0))
    image.paste((255, 0, 0, 0), (0, 0, 12, 20))
    found = pixels(save(image, tmp_path / "a.tif"))
    assert found[:, 0, -1].tolist() == [255, 0, 0]


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    found = pixels(save(noise(1).convert("1"), tmp_path / "a.png"))
    assert set(np.unique(found)) == {0, 255}


def test_exif_turns_a_picture_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    found = pixels(save(noise(1), tmp_path / "a.png", exif=exif))
    assert np.array_equal(found[0], np.rot90(np.asarray(noise(1)), -1))


def test_several_pictures_in_a_file_are_refused(tmp_path: Path) -> None:
    frames = [noise(seed) for seed in range(3)]
    for name in ("a.gif", "a.tif", "a.webp", "a.png"):
        path = save(frames[0], tmp_path / name, save_all=True, append_images=frames[1:])
        assert "several" in reason(path)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1, 1), "at least"), ((30000, 10), "at least"), ((8000, 20), "too long")],
)
def test_sizes_that_show_nothing_are_refused(
    tmp_path: Path, size: tuple[int, int], expected: str
) -> None:
    assert expected in reason(save(noise(1, size=size), tmp_path / "a.png"))


def test_a_constant_picture_is_refused(tmp_path: Path) -> None:
    assert "constant" in reason(save(Image.new("RGB", (24, 20), (9, 80, 7)), tmp_path / "a.png"))
    deep = Image.fromarray(np.full((20, 24), 700, np.uint16))
    assert "constant" in reason(save(deep, tmp_path / "b.png"))


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_a_huge_declared_size_is_refused_before_it_is_unpacked(tmp_path: Path, side: int) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)
    assert "pixels" in reason(path)


def test_a_jpeg_of_endless_passes_is_refused(tmp_path: Path) -> None:
    path = save(noise(1), tmp_path / "a.jpg", progressive=True)
    content = path.read_bytes()
    start = content.index(b"\xff\xda")
    path.write_bytes(content[:start] + content[start:-2] * 200 + content[-2:])
    assert "passes" in reason(path)


def test_the_widest_range_is_scaled(tmp_path: Path) -> None:
    values = np.linspace(-3e38, 3e38, 480).astype(np.float32).reshape(20, 24)
    found = pixels(save(Image.fromarray(values), tmp_path / "a.tif"))
    assert (found.min(), found.max()) == (0, 255)


def test_empty_wrong_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "b.png").write_text("no picture")
    (tmp_path / "c.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n")
    assert reason(tmp_path / "a.png") == "is empty"
    assert "none of PNG" in reason(tmp_path / "b.png")
    assert "none of PNG" in reason(tmp_path / "c.png")
    assert "No such file" in reason(tmp_path / "d.png")


@pytest.mark.parametrize("extension", [".png", ".jpg", ".bmp", ".tif", ".gif", ".webp"])
def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path, extension: str) -> None:
    content = save(noise(1, "RGB"), tmp_path / f"a{extension}").read_bytes()
    path = tmp_path / f"cut{extension}"
    for length in range(1, len(content), max(1, len(content) // 40)):
        path.write_bytes(content[:length])
        reason(path)


def test_a_flipped_bit_in_a_png_is_noticed(tmp_path: Path) -> None:
    path = save(noise(1), tmp_path / "a.png")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    assert "damaged" in reason(path)


@given(
    st.binary(max_size=300), st.integers(0, 299), st.sampled_from(["PNG", "JPEG", "TIFF", "GIF"])
)
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damaged_bytes_never_crash(tmp_path: Path, noisy: bytes, at: int, kind: str) -> None:
    path = tmp_path / "a.png"
    noise(1, "RGB").save(path, format=kind)
    content = path.read_bytes()
    path.write_bytes(content[:at] + noisy + content[at + len(noisy) :])
    with contextlib.suppress(BadFile):
        assert picture_files.read(tmp_path, "a.png").shape[1] in (1, 3)
