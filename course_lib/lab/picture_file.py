"""A picture that somebody brings along: bytes of a file to an image, or one line that says why not."""

from __future__ import annotations

import io
import warnings

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

__all__ = ["MOST_BYTES", "PictureError", "read_picture"]

MOST_BYTES = 8_000_000
"""A message to the kernel holds 10 MB."""
_MOST_PIXELS = 50_000_000
_MOST = f"{_MOST_PIXELS / 1e6:.0f} million pixels"
_LEAST_SIDE = 32
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")


class PictureError(ValueError):
    """A file is no picture that can be used; one line, for its owner."""


def read_picture(data: bytes, side: int = 224) -> torch.Tensor:
    """The center of a photograph, upright: (3, side, side), float32 in [0, 1].

    Args:
        data: content of a JPEG, PNG, WebP, BMP, GIF or TIFF file; transparent places become white.
        side: of the square.

    Raises:
        PictureError: if the file is too large, no picture, animated, damaged, or too small.
    """
    if len(data) > MOST_BYTES:
        most = f"{MOST_BYTES / 1e6:.0f} MB"
        raise PictureError(f"The file has {len(data) / 1e6:.1f} MB, and at most {most} are read: save a smaller copy.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about damage that decoding survives; what it does not survive raises
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                _refuse(picture)
                picture.draft("RGB", (2 * side, 2 * side))  # a JPEG is decoded at a fraction of its size
                return _square(picture, side)
    except UnidentifiedImageError:
        kinds = "JPEG, PNG, WebP, GIF, BMP or TIFF"
        raise PictureError(f"This is not a picture that can be read: choose a {kinds} file.") from None
    except PictureError:
        raise
    except Image.DecompressionBombError:  # Pillow refuses what is far beyond our own limit
        raise PictureError(f"The picture has more than {_MOST}: save a smaller copy.") from None
    except Exception as problem:  # decoders raise whatever they like
        raise PictureError(f"The picture is damaged ({type(problem).__name__}): choose another file.") from None


def _refuse(picture: Image.Image) -> None:
    """Raise for what a decoder would accept; only the head of the file has been read."""
    width, height = picture.size
    has = f"The picture has {width} x {height} pixels"
    if width * height > _MOST_PIXELS:
        raise PictureError(f"{has}, and at most {_MOST} are read: save a smaller copy.")
    if min(width, height) < _LEAST_SIDE:
        raise PictureError(f"{has}, and both sides need at least {_LEAST_SIDE}: choose a larger one.")
    frames = getattr(picture, "n_frames", 1)
    # Telephones write a preview as a second picture into a JPEG file; the first is the photograph.
    if frames > 1 and picture.format != "MPO":
        raise PictureError(f"The file holds {frames} pictures, an animation perhaps: choose a single picture.")


def _square(picture: Image.Image, side: int) -> torch.Tensor:
    upright = ImageOps.exif_transpose(picture)
    edge = min(upright.size)
    left, top = (upright.width - edge) // 2, (upright.height - edge) // 2
    # Cut out before it is made smaller: of a very long picture nobody needs the rest.
    middle = upright.crop((left, top, left + edge, top + edge))
    pixels = np.asarray(_colors(middle, (side, side)), np.uint8)
    return torch.tensor(pixels).permute(2, 0, 1).to(torch.float32).div_(255).contiguous()


def _colors(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Red, green and blue, in another size; transparent places become white."""
    if picture.mode.startswith(("I", "F")):  # 16 or 32 bits a pixel: from the darkest to the brightest
        values = np.asarray(picture.convert("F").resize(size, Image.Resampling.BILINEAR), np.float64)
        low, high = float(values.min()), float(values.max())
        return Image.fromarray(((values - low) * (255 / max(high - low, 1e-9))).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        whole = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole)
    return picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
