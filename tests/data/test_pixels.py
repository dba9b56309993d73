"""Images of every mode are decoded into what a set declares, or refused by name."""

import io
import itertools
import warnings

import numpy as np
import pytest
from PIL import Image

from dlcourse.data.pixels import decode

RAMP = np.arange(256, dtype=np.uint8).reshape(8, 32)
COLOURS = np.stack([255 - RAMP, RAMP, np.full_like(RAMP, 7)], axis=-1)
ALPHA = 128 + RAMP // 2  # a GIF loses pixels of less
FORMATS = ("PNG", "GIF", "JPEG", "WEBP", "BMP", "TIFF", "TGA", "JPEG2000")
GREY = ("1", "L", "LA", "I;16", "I;16B")
COLOUR = ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
LOSSY = {"JPEG": 6, "YCbCr": 6, "RGBA-GIF": 8}  # how far values may be off


def picture(mode: str) -> tuple[Image.Image, np.ndarray]:
    """The ramp in a mode, and its colours `[8, 32, 3]`."""
    if mode in ("P", "PA"):  # every index is another number than its colours
        image = Image.fromarray(RAMP).convert("P")
        image.putpalette(COLOURS.tobytes())
        return image.convert(mode), COLOURS
    if mode in COLOUR:
        image = Image.fromarray(COLOURS)
        image.putalpha(Image.fromarray(ALPHA))
        image = image.convert("RGBA" if mode == "RGBA" else "RGB")
        return image.convert(mode), COLOURS
    if mode.startswith("I;16"):
        image = Image.fromarray(
            (RAMP.astype(np.uint16) * 257).astype(">u2" if "B" in mode else "<u2")
        )
        grey = RAMP
    else:
        image = Image.fromarray(RAMP)
        grey = RAMP
        if mode == "LA":
            image.putalpha(Image.fromarray(ALPHA))
        if mode == "1":
            image, grey = image.point(lambda v: 255 * (v > 127)).convert("1"), (RAMP > 127) * 255
    assert image.mode == mode
    return image, np.repeat(grey[..., None], 3, axis=-1)


def encoded(image: Image.Image, form: str = "PNG", **options) -> bytes:
    if form in ("JPEG", "WEBP", "JPEG2000"):
        more = {"WEBP": {"lossless": True, "exact": True}, "JPEG2000": {}}
        options |= more.get(form, {"quality": 100, "subsampling": 0})
    buffer = io.BytesIO()
    image.save(buffer, format=form, **options)
    return buffer.getvalue()


def written() -> list[tuple[str, str]]:
    """All pairs of mode and format that Pillow writes and reads."""
    found = []
    for mode, form in itertools.product((*GREY, *COLOUR), FORMATS):
        if "I;16" in mode and form in ("GIF", "WEBP"):
            continue  # Pillow cuts the values off at 255 when it writes these
        try:
            Image.open(io.BytesIO(encoded(picture(mode)[0], form))).load()
        except (OSError, ValueError, KeyError):
            continue
        found.append((mode, form))
    return found


WRITTEN = written()


def test_pillow_writes_the_modes_of_this_test():
    assert {mode for mode, _ in WRITTEN} >= {*GREY, *COLOUR} - {"PA"}
    assert {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"} <= {m for m, f in WRITTEN if f == "PNG"}
    assert {"L", "RGB", "CMYK"} <= {mode for mode, form in WRITTEN if form == "JPEG"}


@pytest.mark.parametrize(("mode", "form"), WRITTEN)
def test_every_mode_has_its_own_colours(mode, form):
    image, colours = picture(mode)
    file = encoded(image, form)
    off = max(LOSSY.get(key, 0) for key in (form, mode, f"{mode}-{form}"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = decode(file, (8, None, 3), np.uint8)
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels.astype(int), colours, atol=off)
    if mode in GREY:
        np.testing.assert_allclose(
            decode(file, (None, 32, 1), np.uint8).astype(int), colours[..., :1], atol=off
        )
    else:
        with pytest.raises(ValueError, match=f"{form} of mode .* has colours"):
            decode(file, (8, 32, 1), np.uint8)
    wide = decode(file, (8, 32, 3), np.uint16)
    np.testing.assert_allclose(wide.astype(int), colours.astype(int) * 257, atol=off * 257)


@pytest.mark.parametrize(("mode", "channels"), [("LA", 2), ("RGBA", 4), ("L", 4), ("RGB", 4)])
def test_a_declared_alpha_channel_is_read(mode, channels):
    image, colours = picture(mode)
    pixels = decode(encoded(image), (8, 32, channels), np.uint8)
    np.testing.assert_array_equal(pixels[..., : channels - 1], colours[..., : channels - 1])
    np.testing.assert_array_equal(pixels[..., -1], ALPHA if "A" in mode else 255)


@pytest.mark.parametrize(("mode", "channels"), [("1", 1), ("LA", 2), ("P", 3), ("RGBA", 4)])
def test_any_number_of_channels_is_that_of_the_file(mode, channels):
    assert decode(encoded(picture(mode)[0]), (8, 32, None), np.uint8).shape == (8, 32, channels)


def test_all_sixteen_bits_are_kept_where_they_are_declared():
    values = np.random.default_rng(0).integers(0, 2**16, (8, 32), dtype=np.uint16)
    file = encoded(Image.fromarray(values))
    np.testing.assert_array_equal(decode(file, (8, 32, 1), np.uint16)[..., 0], values)
    np.testing.assert_array_equal(decode(file, (8, 32, 1), np.uint8)[..., 0], values >> 8)


@pytest.mark.parametrize(("transparent", "mode"), [(3, "P"), (b"\x00\x80\xff", "P"), (3, "L")])
def test_transparent_colours_keep_their_colour(transparent, mode):
    image, colours = picture(mode)
    pixels = decode(encoded(image, transparency=transparent), (8, 32, 3), np.uint8)
    np.testing.assert_array_equal(pixels, colours)


def deep_colour() -> bytes:
    """A PNG of 16 bits a colour, of which Pillow reads 8: one red pixel, with the value 256."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    body = zlib.compress(b"\0" + struct.pack(">3H", 256, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def moving() -> bytes:
    frames = [Image.fromarray(RAMP), Image.fromarray(255 - RAMP)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("file", "shape", "dtype", "message"),
    [
        (encoded(Image.new("F", (3, 2)), "TIFF"), (2, 3, 1), np.uint8, "TIFF of mode F"),
        (encoded(Image.new("I", (3, 2)), "TIFF"), (2, 3, 1), np.uint16, "TIFF of mode I"),
        (encoded(Image.new("LAB", (3, 2)), "TIFF"), (2, 3, 3), np.uint8, "TIFF of mode LAB"),
        (deep_colour(), (1, 1, 3), np.uint16, "PNG of mode RGB has 16 bits a channel"),
        (encoded(Image.fromarray(RAMP.astype(np.uint16))), (8, 32, 1), np.uint8, "up to 255"),
        (encoded(Image.fromarray(RAMP)), (8, 31, 1), np.uint8, r"shape \(8, 32, 1\); .* \(8, 31,"),
        (moving(), (8, 32, 3), np.uint8, r"animation \(GIF\)"),
    ],
)
def test_what_does_not_fit_is_refused(file, shape, dtype, message):
    with pytest.raises(ValueError, match=message):
        decode(file, shape, dtype)


def test_of_16_bits_a_colour_8_are_read_where_8_are_declared():
    np.testing.assert_array_equal(decode(deep_colour(), (1, 1, 3), np.uint8), [[[1, 0, 0]]])
