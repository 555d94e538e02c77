"""A picture of the student's own: righted, squared, or refused in one line."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from course_lib.lab.picture_file import MOST_BYTES, PictureError, read_picture


def halves(mode: str = "RGB", size: tuple[int, int] = (90, 60)) -> Image.Image:
    """White above, black below."""
    picture = Image.new("L", size, 255)
    picture.paste(0, (0, size[1] // 2, *size))
    return picture.convert(mode)


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    """The content of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def above_and_below(found: torch.Tensor) -> tuple[float, float]:
    """Mean brightness of the upper and the lower half."""
    return float(found[:, :100].mean()), float(found[:, -100:].mean())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_what_browsers_and_cameras_write_is_read(kind: str) -> None:
    """One square of three channels in [0, 1], the right way up."""
    found = read_picture(saved(halves(), kind))
    assert found.shape == (3, 224, 224)
    assert found.dtype == torch.float32
    assert above_and_below(found) == pytest.approx((1, 0), abs=0.02)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "YCbCr", "I;16"])
def test_every_kind_of_pixels_becomes_red_green_and_blue(mode: str) -> None:
    """Palettes, gray, four inks, sixteen bits."""
    if mode == "I;16":
        sixteen = Image.fromarray(np.asarray(halves("L"), np.uint16) * 257)
        data = saved(sixteen, "PNG")
    else:
        data = saved(halves(mode), "TIFF" if mode in ("CMYK", "YCbCr") else "PNG")
    assert above_and_below(read_picture(data)) == pytest.approx((1, 0), abs=0.02)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_places_are_white(mode: str) -> None:
    """As on a page."""
    if mode == "P":
        picture = Image.new("P", (60, 60), 0)
        data = saved(picture, "PNG", transparency=0)
    else:
        data = saved(Image.new(mode, (60, 60), (0,) * len(mode)), "PNG")
    assert float(read_picture(data).min()) == 1.0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_is_righted(orientation: int) -> None:
    """Cameras store pixels as the sensor has them, and in a note how to turn them."""
    turns = {
        1: [], 2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM], 5: [Image.Transpose.TRANSPOSE], 6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE], 8: [Image.Transpose.ROTATE_270],
    }  # fmt: skip
    picture = halves()
    for turn in turns[orientation]:
        picture = picture.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert above_and_below(read_picture(saved(picture, "JPEG", exif=exif))) == pytest.approx((1, 0), abs=0.03)


def test_the_middle_is_cut_out() -> None:
    """Of a wide picture what lies left and right is left out; of a very long one nothing else is enlarged."""
    wide = Image.new("RGB", (300, 100), "white")
    wide.paste("black", (100, 0, 200, 100))
    assert float(read_picture(saved(wide, "PNG")).max()) < 0.02
    assert read_picture(saved(Image.new("L", (40_000, 40), 255), "PNG")).mean() == 1


def test_a_telephones_photograph_with_its_preview_is_one_picture() -> None:
    """MPO: the format of two pictures in one JPEG file."""
    data = saved(halves(), "MPO", save_all=True, append_images=[Image.new("RGB", (30, 20))])
    assert data.startswith(b"\xff\xd8")
    assert above_and_below(read_picture(data)) == pytest.approx((1, 0), abs=0.02)


def refusal(data: bytes) -> str:
    """The one line."""
    with pytest.raises(PictureError) as caught:
        read_picture(data)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 200
    return line


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_is_refused(kind: str) -> None:
    """Which of its pictures is meant, nobody knows."""
    frames = [Image.new("L", (40, 40), shade) for shade in (0, 100, 200)]
    line = refusal(saved(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert line.startswith("The file holds 3 pictures")


def test_sizes_are_looked_at_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of 70 bytes can claim a billion pixels; nobody unpacks them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def claiming(width: int, height: int) -> bytes:
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")

    thin = saved(Image.new("L", (20, 90)), "PNG")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    assert "10000 x 7000 pixels, and at most 50 million" in refusal(claiming(10_000, 7_000))
    assert "more than 50 million pixels" in refusal(claiming(40_000, 25_000))
    assert MOST_BYTES < 10_000_000  # a message to a kernel holds 10 MiB
    assert "8.0 MB, and at most 8 MB" in refusal(b"\xff\xd8" * (MOST_BYTES // 2 + 1))
    assert "20 x 90 pixels, and both sides need at least 32" in refusal(thin)


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a"], ids=repr)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    """And it is said which kinds are read."""
    assert refusal(data) == ("This is not a picture that can be read: choose a JPEG, PNG, WebP, GIF, BMP or TIFF file.")


def test_a_torn_photograph_is_refused() -> None:
    """Half a download."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8))
    data = saved(noise, "JPEG")
    assert "damaged" in refusal(data[: len(data) // 2])


WHOLE = [saved(halves(size=(48, 40)), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")]


@pytest.mark.fuzz
@given(whole=st.sampled_from(WHOLE), holes=st.dictionaries(st.integers(0, 400), st.integers(0, 255), max_size=12),
       end=st.integers(0, 3000))  # fmt: skip
def test_whatever_is_in_the_file_there_is_a_picture_or_one_line(whole: bytes, holes: dict[int, int], end: int) -> None:
    """Files with changed bytes and cut ends."""
    data = bytearray(whole[:end])
    for place, value in holes.items():
        if place < len(data):
            data[place] = value
    try:
        found = read_picture(bytes(data))
    except PictureError:
        refusal(bytes(data))
    else:
        assert found.shape == (3, 224, 224)
        assert 0 <= float(found.min()) <= float(found.max()) <= 1
