"""Pictures: what people send becomes a small upright JPEG or PNG; what can't be used gets its reason and the limit."""

from __future__ import annotations

import io
import itertools
import random
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw

from bot.decoding.kinds import Complaint
from bot.decoding.markers import markers
from bot.decoding.recipes import CURRENT, prepare
from bot.errors import MediaError
from bot.media.attached import complaint
from bot.types import Attachment, Kind

RED, GREEN, WHITE = (220, 30, 30), (30, 160, 60), (255, 255, 255)


def drawing(width: int = 120, height: int = 80) -> Image.Image:
    """Red at the top left, white elsewhere."""
    image = Image.new("RGB", (width, height), WHITE)
    ImageDraw.Draw(image).rectangle((0, 0, width // 2, height // 2), fill=RED)
    return image


def photo(width: int, height: int) -> Image.Image:
    """Noise: the hardest to compress."""
    return Image.frombytes("RGB", (width, height), random.Random(1).randbytes(width * height * 3))


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    if format == "HEIC":
        pillow_heif.from_pillow(image).save(file, **options)
    else:
        image.save(file, format, **options)
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Picture:
    """What was made of one: `facts` to tell, and its pieces as MIME type and bytes."""

    facts: Mapping[str, Any]
    pieces: Sequence[tuple[str, bytes]]


def load(tmp_path: Path, data: bytes, name: str = "", kind: Kind = Kind.IMAGE) -> Picture:
    """In this process, as the decoder does it in its own. MediaError."""
    source, target = tmp_path / "given", tmp_path / "made"
    source.write_bytes(data)
    try:
        answer: Any = prepare(source, target, images=kind is Kind.IMAGE)
    except Complaint as found:
        raise complaint(found.code, found.data, Attachment(kind, "x", name=name), found.detail) from found
    assert answer["recipe"] in CURRENT
    pieces = [(file["mime"], (tmp_path / f"made.{number}").read_bytes()) for number, file in enumerate(answer["files"])]
    assert [len(piece) for _, piece in pieces] == [file["size"] for file in answer["files"]]
    (*images,) = (Image.open(io.BytesIO(piece)).size for _, piece in pieces)
    assert images == [(file["width"], file["height"]) for file in answer["files"]]
    return Picture(answer["facts"], pieces)


def opened(picture: Picture, number: int = 0) -> Image.Image:
    """What the model gets, as any reader sees it."""
    mime, data = picture.pieces[number]
    assert len(data) < 7_500_000  # 10 MB in base64
    image = Image.open(io.BytesIO(data))
    assert Image.MIME[image.format or ""] == mime
    assert image.mode == "RGB"
    assert not set(image.info) & {"exif", "icc_profile", "xmp", "photoshop", "comment"}
    assert not image.getexif()
    return image


def near(image: Image.Image, at: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    pixel = image.getpixel(at)
    assert isinstance(pixel, tuple)
    return all(abs(one - other) < 20 for one, other in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("format", ["BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP", "HEIC", "AVIF"])
def test_every_format(tmp_path: Path, format: str) -> None:
    picture = load(tmp_path, encoded(drawing(), format))
    image = opened(picture)
    assert image.size == (120, 80)
    assert near(image, (20, 20), RED)
    assert near(image, (100, 60), WHITE)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg", "group4"])
def test_compressed_tiff(tmp_path: Path, compression: str) -> None:
    image = drawing().convert("1" if compression == "group4" else "RGB")
    assert near(opened(load(tmp_path, encoded(image, "TIFF", compression=compression))), (100, 60), WHITE)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "LAB"])
def test_modes_keep_their_colours(tmp_path: Path, mode: str) -> None:
    image = drawing()
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        converted = ImageCms.profileToProfile(image, *profiles, outputMode="LAB")
        assert converted is not None
        image = converted
    else:
        image = image.convert(mode, palette=Image.Palette.ADAPTIVE)
    result = opened(load(tmp_path, encoded(image, "TIFF")))
    assert near(result, (100, 60), WHITE)
    if mode not in ("1", "L"):
        assert near(result, (20, 20), RED)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P", "RGB"])
def test_what_is_transparent_becomes_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((0, 0, 29, 59), fill=(*RED, 255))
    if mode == "RGB":  # one colour declared transparent
        data = encoded(image.convert("RGB"), "PNG", transparency=(0, 0, 0))
    elif mode == "P":
        palette = image.convert("RGB").quantize(4)
        clear = palette.getpixel((50, 50))
        assert isinstance(clear, int)
        data = encoded(palette, "PNG", transparency=clear)
    else:
        data = encoded(image.convert(mode), "TIFF" if mode == "PA" else "PNG")
    result = opened(load(tmp_path, data))
    assert near(result, (50, 30), WHITE)
    assert not near(result, (10, 30), WHITE)


def test_a_half_transparent_edge_has_no_dark_rim_when_scaled(tmp_path: Path) -> None:
    image = Image.new("RGBA", (2000, 1000), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((0, 0, 999, 999), fill=(*RED, 255))
    result = opened(load(tmp_path, encoded(image, "PNG")))
    assert sorted({pixel[2] for pixel in result.get_flattened_data()})[:1] >= [RED[2] - 8]


@pytest.mark.parametrize(
    ("mode", "format"), [("I;16", "PNG"), ("I;16", "TIFF"), ("I;16B", "TIFF"), ("I", "TIFF"), ("F", "TIFF")]
)
def test_sixteen_bits_and_more_are_not_cut_off_at_white(tmp_path: Path, mode: str, format: str) -> None:
    values = [0, 16_384, 32_768, 65_535]
    if mode == "F":
        raw, mode, order = struct.pack("<400f", *(values * 100)), "F", "F;32F"
        image = Image.frombytes("F", (20, 20), raw, "raw", order)
    elif mode == "I":
        image = Image.frombytes("I", (20, 20), struct.pack("<400i", *(values * 100)))
    else:
        order = ">" if mode == "I;16B" else "<"
        image = Image.frombytes(mode, (20, 20), struct.pack(f"{order}400H", *(values * 100)))
    result = opened(load(tmp_path, encoded(image, format))).convert("L")
    for at, grey in enumerate((0, 64, 128, 255)):
        assert result.getpixel((at, 5)) == pytest.approx(grey, abs=6)


def test_values_without_a_known_range_are_stretched(tmp_path: Path) -> None:
    image = Image.frombytes("F", (20, 20), struct.pack("<400f", *([-1.0, 0.0, 1.0, 1.0] * 100)), "raw", "F;32F")
    result = opened(load(tmp_path, encoded(image, "TIFF"))).convert("L")
    assert [result.getpixel((at, 5)) for at in range(3)] == [pytest.approx(grey, abs=6) for grey in (0, 127, 255)]


@pytest.mark.parametrize(
    ("format", "orientation", "width"),
    [
        *itertools.product(["JPEG", "PNG", "WEBP", "TIFF", "HEIC"], range(1, 9), [120]),
        ("JPEG", 6, 1800),
        ("TIFF", 6, 1800),
        ("PNG", 8, 1800),
    ],
)
def test_upright(tmp_path: Path, format: str, orientation: int, width: int) -> None:
    """Stored in any of the eight ways of EXIF, the red is at the top left again."""
    turns: dict[int, Image.Transpose] = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = drawing(width, width * 2 // 3)
    stored = upright.transpose(turns[orientation]) if orientation in turns else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    if format == "TIFF":
        data = encoded(stored, format, tiffinfo={0x0112: orientation})
    elif format == "HEIC":
        data = encoded(stored, format, exif=exif.tobytes())
    else:
        data = encoded(stored, format, exif=exif)
    image = opened(load(tmp_path, data))
    assert image.width / image.height == pytest.approx(1.5, rel=0.01)
    assert near(image, (image.width // 4, image.height // 4), RED)
    assert near(image, (image.width * 3 // 4, image.height * 3 // 4), WHITE)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "I;16"])
def test_upright_whatever_the_mode(tmp_path: Path, mode: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("I;16", (80, 120)) if mode == "I;16" else drawing(80, 120).convert(mode)
    assert opened(load(tmp_path, encoded(image, "PNG", exif=exif))).size == (120, 80)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_metadata_is_no_reason_to_refuse(tmp_path: Path) -> None:
    data = encoded(drawing(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff\0\0\0\0")
    assert opened(load(tmp_path, data)).size == (120, 80)


@pytest.mark.parametrize("size", [(1600, 1200), (1003, 1001), (4000, 20), (20, 4000), (15_000, 75), (20_000, 100)])
def test_scaled_to_what_the_model_sees(tmp_path: Path, size: tuple[int, int]) -> None:
    image = opened(load(tmp_path, encoded(drawing(*size), "PNG")))
    width, height = image.size
    assert width * height <= 1_003_520
    assert max(width, height) <= 200 * min(width, height)
    assert width / height == pytest.approx(size[0] / size[1], rel=0.02)
    if size[0] * size[1] <= 1_003_520:
        assert (width, height) == size
    else:
        assert width * height > 950_000


def test_a_photo_is_a_jpeg_and_a_drawing_the_smaller_of_both(tmp_path: Path) -> None:
    noise = load(tmp_path, encoded(photo(1000, 1000), "PNG"))
    assert noise.pieces[0][0] == "image/jpeg"
    sharp = load(tmp_path, encoded(drawing(), "PNG"))
    assert sharp.pieces[0][0] == "image/png"
    assert opened(sharp).getpixel((20, 20)) == RED


def test_an_animation_shows_its_first_frame(tmp_path: Path) -> None:
    data = encoded(drawing(), "GIF", save_all=True, append_images=[Image.new("RGB", (120, 80), GREEN)], duration=100)
    assert near(opened(load(tmp_path, data)), (20, 20), RED)


# ── transparent ground, colours, frames, pieces ─────────────────────────────────────────────────────────────────────


def words_on_nothing(*colours: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGBA", (300, 60 * len(colours)), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    for number, colour in enumerate(colours):
        draw.text((10, 60 * number + 5), "Invoice 2026", fill=(*colour, 255), font_size=36)
    return image


@pytest.mark.parametrize(
    "colours",
    [
        [(255, 255, 255)],
        [(225, 225, 225)],
        [(201, 209, 217)],  # GitHub's dark theme
        [(0, 0, 0)],
        [(255, 255, 0)],
        [(0, 0, 0), (255, 255, 255)],
        [(128, 128, 128), (255, 255, 255), (0, 0, 0)],
    ],
)
@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_words_on_a_transparent_ground_stand_out(
    tmp_path: Path, colours: list[tuple[int, int, int]], format: str
) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    image = opened(load(tmp_path, encoded(words_on_nothing(*colours), format, **options)))
    ground = image.getpixel((295, 2))
    assert isinstance(ground, tuple)
    for colour in colours:
        assert max(abs(one - other) for one, other in zip(ground, colour, strict=True)) >= 64
    if colours == [(0, 0, 0)]:
        assert ground == WHITE


def test_where_nothing_would_be_seen_the_channel_is_wrong(tmp_path: Path) -> None:
    image = drawing().convert("RGBA")
    image.putalpha(0)
    assert near(opened(load(tmp_path, encoded(image, "PNG"))), (20, 20), RED)


def profile(gamma: float) -> bytes:
    """A grey profile of version 2 (ICC.1:2001): one curve, given as a gamma."""
    curve = b"curv\0\0\0\0\0\0\0\1" + struct.pack(">H", round(gamma * 256)) + b"\0\0"
    white = b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)
    at = 128 + 4 + 24
    table = struct.pack(">I4sII4sII", 2, b"kTRC", at, len(curve), b"wtpt", at + len(curve), len(white))
    head = struct.pack(
        ">I4sI4s4s4s12x4s", at + len(curve) + len(white), b"lcms", 0x02100000, b"mntr", b"GRAY", b"XYZ ", b"acsp"
    )
    return head.ljust(68, b"\0") + struct.pack(">iii", 63190, 65536, 54061) + b"\0" * 48 + table + curve + white


def test_a_grey_profile_is_followed(tmp_path: Path) -> None:
    image = Image.new("L", (40, 40), 128)
    plain = opened(load(tmp_path, encoded(image, "PNG"))).getpixel((20, 20))
    dark = opened(load(tmp_path, encoded(image, "PNG", icc_profile=profile(1.0)))).getpixel((20, 20))
    assert plain == (128, 128, 128)
    assert isinstance(dark, tuple)
    assert dark[0] == pytest.approx(188, abs=3)  # linear light


# colorants (against D50, as profiles have them) and curve of the two that photos come in beside sRGB
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def camera(colorants: tuple[tuple[float, ...], ...], curve: tuple[float, ...]) -> bytes:
    """A profile of version 4 (ICC.1:2010, three-component matrix-based): what phones and cameras put into photos."""

    def fixed(*values: float) -> bytes:
        return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))

    white = fixed(0.9642, 1.0, 0.8249)
    shape = b"para" + struct.pack(">IHH", 0, 3 if len(curve) == 5 else 0, 0) + fixed(*curve)
    tags = [(b"wtpt", b"XYZ \0\0\0\0" + white)]
    tags += [
        (name + b"XYZ", b"XYZ \0\0\0\0" + fixed(*each))
        for name, each in zip((b"r", b"g", b"b"), colorants, strict=True)
    ]
    tags += [(name + b"TRC", shape) for name in (b"r", b"g", b"b")]
    table, body, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, data in tags:
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s12x4s", at + len(body), b"lcms", 0x04300000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    return head.ljust(68, b"\0") + white + b"\0" * 48 + table + body


@pytest.mark.parametrize(
    ("profile", "encoded_as"),
    [
        (camera(DISPLAY_P3, SRGB_CURVE), ((187, 123, 104), (83, 137, 71))),
        (camera(ADOBE_RGB, (563 / 256,)), ((180, 119, 101), (92, 139, 68))),
    ],
    ids=["Display P3", "Adobe RGB"],
)
@pytest.mark.parametrize(("format", "mode"), [("PNG", "RGB"), ("PNG", "RGBA"), ("JPEG", "RGB"), ("WEBP", "RGB")])
def test_the_profile_of_a_camera_is_followed(
    tmp_path: Path, profile: bytes, encoded_as: tuple[tuple[int, ...], ...], format: str, mode: str
) -> None:
    """The same two colours, (200, 120, 100) and (60, 140, 60) on an sRGB screen."""
    for values, wanted in zip(encoded_as, ((200, 120, 100), (60, 140, 60)), strict=True):
        image = Image.new("RGB", (64, 64), values).convert(mode)
        got = opened(load(tmp_path, encoded(image, format, icc_profile=profile))).convert("RGB").getpixel((32, 32))
        assert got == pytest.approx(wanted, abs=4)


@pytest.mark.parametrize(("bits", "format"), [(10, "PNG"), (12, "PNG"), (12, "TIFF"), (14, "PNG")])
def test_sixteen_bits_of_which_few_are_used_are_no_black_picture(tmp_path: Path, bits: int, format: str) -> None:
    """Scanners and microscopes write 10 or 12 bits into files that have 16."""
    most = 2**bits - 1
    image = Image.frombytes("I;16", (20, 20), struct.pack("<400H", *([0, most // 4, most // 2, most] * 100)))
    result = opened(load(tmp_path, encoded(image, format))).convert("L")
    assert [result.getpixel((at, 5)) for at in range(4)] == [pytest.approx(grey, abs=6) for grey in (0, 64, 128, 255)]


@pytest.mark.parametrize("junk", [b"", b"no profile", profile(1.0)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "P"])
def test_a_profile_that_does_not_fit_is_no_reason_to_refuse(tmp_path: Path, junk: bytes, mode: str) -> None:
    image = drawing().convert(mode, palette=Image.Palette.ADAPTIVE)
    format = "TIFF" if mode == "CMYK" else "PNG"
    assert near(opened(load(tmp_path, encoded(image, format, icc_profile=junk))), (20, 20), RED)


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "AVIF"])
def test_of_an_animation_a_frame_is_shown_that_shows_something(tmp_path: Path, format: str) -> None:
    blank = Image.new("RGB", (120, 80), WHITE)
    spot = blank.copy()
    ImageDraw.Draw(spot).point((60, 40), fill=RED)
    frames = [spot, drawing(), drawing()]
    frames[2].putpixel((100, 70), RED)
    data = encoded(blank, format, save_all=True, append_images=frames, duration=100)
    picture = load(tmp_path, data)
    assert near(opened(picture), (20, 20), RED)
    assert (picture.facts["frames"], picture.facts["frame"], picture.facts["seconds"]) == (4, 3, 0.4)


def test_of_several_pages_the_first_is_shown(tmp_path: Path) -> None:
    data = encoded(drawing(), "TIFF", save_all=True, append_images=[Image.new("RGB", (120, 80), GREEN)] * 2)
    picture = load(tmp_path, data)
    assert picture.facts == {"pages": 3}
    assert near(opened(picture), (20, 20), RED)


@pytest.mark.parametrize(
    ("size", "count"),
    [((1080, 16_000), 3), ((16_000, 1080), 3), ((1170, 7000), 2), ((1000, 49_000), 6), ((4000, 3000), 1)],
)
def test_a_scroll_is_sent_in_pieces_that_can_be_read(tmp_path: Path, size: tuple[int, int], count: int) -> None:
    picture = load(tmp_path, encoded(drawing(*size), "PNG"))
    assert len(picture.pieces) == count
    for number in range(count):
        image = opened(picture, number)
        assert image.width * image.height <= 1_003_520
        if count > 1:
            assert min(image.size) >= 0.34 * min(size)  # letters of 35 pixels have 12 or more
    assert near(opened(picture), (5, 5), RED)
    assert near(
        opened(picture, count - 1), (opened(picture, count - 1).width - 5, 5 if size[0] > size[1] else 100), WHITE
    )


@pytest.mark.parametrize("cut", [1, 2])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}])
def test_a_jpeg_that_lacks_its_end_but_no_pixel_is_read(tmp_path: Path, cut: int, options: dict[str, Any]) -> None:
    whole = encoded(photo(20, 15).resize((320, 240)), "JPEG", **options)
    assert opened(load(tmp_path, whole[:-cut])).tobytes() == opened(load(tmp_path, whole)).tobytes()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("share", [0.99, 0.9, 0.5])
def test_a_jpeg_that_lacks_more_is_refused(tmp_path: Path, share: float, options: dict[str, Any]) -> None:
    whole = encoded(photo(80, 60).resize((640, 480)), "JPEG", **options)
    with pytest.raises(MediaError, match="damaged or incomplete: its JPEG data"):
        load(tmp_path, whole[: int(len(whole) * share)])


def test_many_scans_are_counted_and_refused_undecoded(tmp_path: Path) -> None:
    """The smallest scan of a progressive JPEG, again and again: each costs the decoder a walk over all of it."""
    whole = encoded(drawing(700, 700), "JPEG", progressive=True)
    starts = [at - 2 for marker, at in markers(whole) if marker == 0xDA]
    scan = min((whole[one:two] for one, two in itertools.pairwise([*starts, len(whole) - 2])), key=len)
    assert opened(load(tmp_path, whole))
    with pytest.raises(MediaError, match="a JPEG with more than 100 scans"):
        load(tmp_path, whole[: starts[-1]] + scan * 4_000 + whole[starts[-1] :])


# ── what can't be used ──────────────────────────────────────────────────────────────────────────────────────────────


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def claims(format: str, width: int, height: int) -> bytes:
    """A small file whose header says that it is large."""
    if format == "PNG":
        return png_header(width, height)
    if format == "GIF":
        return b"GIF89a" + struct.pack("<HH", width, height) + encoded(drawing(), "GIF")[10:]
    if format == "BMP":
        data = bytearray(encoded(drawing(), "BMP"))
        data[18:26] = struct.pack("<ii", width, height)
        return bytes(data)
    data = bytearray(encoded(drawing(), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize("format", ["PNG", "GIF", "BMP", "JPEG"])
@pytest.mark.parametrize("size", [(50_000, 50_000), (10_000, 5_001)])
def test_too_many_pixels_are_refused_from_the_header(tmp_path: Path, format: str, size: tuple[int, int]) -> None:
    with pytest.raises(MediaError) as refused:
        load(tmp_path, claims(format, *size))
    words = f"This picture is {size[0]} x {size[1]} pixels; at most 50 million pixels can be read."
    assert str(refused.value) == words


def test_a_webp_that_claims_to_be_huge(tmp_path: Path) -> None:
    side = (16_383 - 1).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + side + side
    body = b"WEBP" + extended + encoded(drawing(), "WEBP", lossless=True)[12:]
    with pytest.raises(MediaError, match=r"pixels; at most 50 million"):
        load(tmp_path, b"RIFF" + struct.pack("<I", len(body)) + body)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "x.png is empty (0 bytes)."),
        (b"\n<!DOCTYPE html><html>", "x.png is not a picture: it looks like a web page."),
        (b"\xef\xbb\xbf<html lang=en>", "x.png is not a picture: it looks like a web page."),
        (b"\0\1\2\3" * 50, "x.png can't be read: it is neither a picture nor text."),
        (b"%PDF-1.7", "The PDF x.png is in the format PDF, which"),
        (b"\0\0\0\x1cftypavif" + b"\0" * 100, "x.png is damaged or incomplete: its AVIF data can't be read."),
        (b"\0\0\0\x1cftypisom", "x.png can't be watched yet."),
        (encoded(drawing(10, 200), "PNG"), "x.png is 10 x 200 pixels; each side must have more than 10."),
        (
            encoded(drawing(2300, 11), "PNG"),
            "x.png is 2300 x 11 pixels; one side may be at most 200 times the other.",
        ),
        (b"\xff\xd8\xff" + b"\0" * 100, "x.png is damaged or incomplete: its JPEG data can't be read."),
        (b"\x89PNG\r\n\x1a\n", "x.png is damaged or incomplete: its PNG data can't be read."),
        (b"\0\0\0\x1cftypheic" + b"\0" * 100, "x.png is damaged or incomplete: its HEIC data can't be read."),
    ],
)
def test_bad_input_gets_its_reason(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(MediaError) as refused:
        load(tmp_path, data, name="x.png")
    assert str(refused.value).startswith(words if words.startswith("The ") else f"The picture {words}")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "HEIC", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_file(tmp_path: Path, format: str, share: float) -> None:
    data = encoded(photo(200, 200), format)
    with pytest.raises(MediaError, match="damaged or incomplete"):
        load(tmp_path, data[: int(len(data) * share)])


def test_too_many_bytes(tmp_path: Path) -> None:
    with pytest.raises(MediaError) as refused:
        load(tmp_path, b"\xff\xd8\xff" + b"x" * 30_000_000, name="holiday.jpg")
    assert str(refused.value) == "The picture holiday.jpg has 30.1 MB; at most 20 MB can be taken."


SEEDS = [encoded(drawing(40, 30), format) for format in ("JPEG", "PNG", "WEBP", "HEIC", "GIF", "BMP", "TIFF")]


def test_a_broken_file_that_goes_over_a_readers_own_bounds_is_damaged(tmp_path: Path) -> None:
    """libheif: "Memory allocation error: Security limit exceeded: Number of extents in iloc box (257) ..."."""
    data = bytearray(encoded(drawing(40, 30), "HEIC"))
    at = data.index(b"iloc") + 16  # the high byte of the first item's count of extents
    found = []
    for offset in range(at - 4, at + 12):
        broken = bytearray(data)
        broken[offset] = 1
        try:
            load(tmp_path, bytes(broken))
        except MediaError as error:
            found.append(str(error))
    assert found


@given(
    st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=4)), max_size=6)
)
@settings(max_examples=150, deadline=None)
def test_whatever_the_bytes_only_a_media_error_comes(data: bytes, changes: list[tuple[int, bytes]]) -> None:
    broken = bytearray(data)
    for at, new in changes:
        at %= len(broken)
        broken[at : at + len(new)] = new
    with TemporaryDirectory() as folder:
        try:
            opened(load(Path(folder), bytes(broken)))
        except MemoryError:
            pass  # the process that decodes is held to its memory, and says so
        except MediaError as error:
            assert str(error)  # noqa: PT017
