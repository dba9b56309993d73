"""Encoded images as arrays: Pillow decodes them, by mode, into what a set declares."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcourse.data.optional import require

GREY, COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
CHANNELS = {"1": 1, "L": 1, "LA": 2, "RGBA": 4}  # of a file, where a set declares any number


def decode(encoded: bytes, shape: Sequence[int | None], dtype: Any) -> np.ndarray:
    """The pixels of a PNG, GIF, JPEG or any other image that Pillow reads.

    Palettes are looked up, grey is repeated for three channels, and 8-bit values fill 16 bits by
    the factor 257; of 16-bit values an 8-bit set has the high byte. Transparency is dropped where
    no channel is declared for it. So does TensorFlow when it reads the set.

    Args:
        encoded: the file.
        shape: as declared, `[height, width, channels]` with one to four channels: grey, grey and
            alpha, RGB, RGB and alpha. None may be anything.
        dtype: as declared, uint8 or uint16.

    Returns:
        `[height, width, channels]` of type `dtype`.

    Raises:
        ValueError: the file has another size, or its mode does not fit: colours where one channel
            is declared, 8 of 16 bits a colour, an animation, floats. The message names the mode.
        Exception: whatever Pillow raises for a file that it cannot decode.
    """
    Image = require("PIL.Image", "decoding images")
    try:
        opened = Image.open(io.BytesIO(encoded))
    except Image.UnidentifiedImageError:  # its message has the address of the buffer
        raise ValueError("no format that Pillow reads") from None
    with opened as image:
        # A phone's photograph (MPO) is followed by its preview; it does not move.
        if getattr(image, "is_animated", False) and image.format != "MPO":
            raise ValueError(f"it is an animation ({image.format}) and not one image")
        sixteen = image.mode.startswith("I;16") or (
            image.mode == "I" and image.format in ("PNG", "PPM")
        )
        # Pillow reads only grey with 16 bits; of colours it keeps the high bytes.
        halved = not sixteen and ";16" in repr(image.tile)
        image.load()
    mode = f"{image.format} of mode {image.mode}"
    if not sixteen and image.mode not in GREY + COLOUR:
        raise ValueError(f"{mode} is neither grey nor colour of 8 bits, nor grey of 16 bits")
    if halved and dtype == np.uint16:
        raise ValueError(f"{mode} has 16 bits a channel, of which Pillow reads 8; the set has 16")
    channels = shape[-1] or (1 if sixteen else CHANNELS.get(image.mode, 3))
    pixels = _grey_of_16_bits(image, mode, dtype) if sixteen else _of_8_bits(image, dtype)
    if channels < 3:
        if (pixels[..., :1] != pixels[..., 1:3]).any():
            raise ValueError(f"{mode} has colours; the set declares {channels} channel(s), grey")
        pixels = pixels[..., [0, 3][:channels]]
    pixels = pixels[..., :channels]
    if any(wanted not in (None, has) for wanted, has in zip(shape[:2], pixels.shape, strict=False)):
        raise ValueError(f"it has the shape {pixels.shape}; the set declares {tuple(shape)}")
    return np.ascontiguousarray(pixels)


def _of_8_bits(image: Any, dtype: Any) -> np.ndarray:
    """`[height, width, 4]`: red, green, blue, alpha."""
    if image.mode in ("CMYK", "YCbCr", "RGBX"):  # none has alpha
        image = image.convert("RGB")
    # Not at once to RGB: Pillow warns of palettes with transparency.
    pixels = np.asarray(image.convert("RGBA"))
    return pixels if dtype == np.uint8 else pixels.astype(np.uint16) * 257


def _grey_of_16_bits(image: Any, mode: str, dtype: Any) -> np.ndarray:
    """`[height, width, 4]`: the grey value three times, and alpha."""
    grey = np.asarray(image).astype(np.uint16)
    if dtype == np.uint8:
        if 0 < grey.max() < 256:
            # Class numbers, or 8 bits in a wide file: their high bytes are all 0.
            raise ValueError(f"{mode} holds values up to {grey.max()}; the set declares 8 bits")
        grey = (grey >> 8).astype(np.uint8)
    return np.stack([grey, grey, grey, np.full_like(grey, np.iinfo(grey.dtype).max)], axis=-1)
