"""Colour management: colours as a screen shows them: eight bits, sRGB, and a ground on which what is there can be
seen."""

from __future__ import annotations

import io

from PIL import Image, ImageChops, ImageCms, ImageFilter

__all__ = ["eight_bits", "grounded", "in_srgb"]

_GROUNDS = ((255, 255, 255), (24, 24, 24), (128, 128, 128), (0, 82, 165))  # the first that will do; then the best
_APART = 64  # of 255 in some channel: what stands out from its ground
_LOST = 0.02  # of what is drawn may be lost
_SEEN = 96  # of 255: what is fainter is a shadow or the edge of a letter
_EDGE = 9  # pixels
_BITS = (8, 10, 12, 14, 16)


def eight_bits(image: Image.Image) -> Image.Image:
    """A mode that can be scaled: L, RGB, RGBA or CMYK."""
    if image.mode[0] in "IF":
        return _grey(image)
    if image.mode == "RGBA":
        return image
    if image.has_transparency_data:
        wide = image.convert("RGBA")
        wide.info = image.info
        return wide
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    wide = image.convert("RGB")
    wide.info = image.info
    return wide


def _grey(image: Image.Image) -> Image.Image:
    """Values of more than 8 bits, which Pillow would cut off at 255: as many bits as they need, or from least to
    most."""
    if image.mode not in ("I", "F"):
        image = image.convert("I")
    low, high = (float(end) for end in image.getextrema()[:2])  # type: ignore[arg-type]  # of one band, they are numbers
    if low >= 0 and high <= 65535:  # cameras and scanners write 10, 12 or 14 bits into files that have 16
        low, high = 0.0, next(float(2**bits - 1) for bits in _BITS if high < 2**bits)
    scale = 255.0 / ((high - low) or 1.0)
    return image.convert("F").point(lambda value: value * scale - low * scale).convert("L")


def in_srgb(image: Image.Image) -> Image.Image:
    """By the profile that came with it. A broken one, or one of other channels, is no reason to refuse a picture."""
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("L", "RGB", "RGBA", "CMYK"):
        alpha = image.getchannel("A") if image.mode == "RGBA" else None
        try:
            opaque = image.convert("RGB") if alpha else image
            found = _converted(opaque, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            found = None
        if found is not None:
            if alpha is not None:
                found.putalpha(alpha)
            return found
    return image if image.mode in ("RGB", "RGBA") else image.convert("RGB")


def _converted(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image | None:
    space = profile.profile.xcolor_space.strip()
    if {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}.get(space) != image.mode:
        return None
    return ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")


def grounded(image: Image.Image) -> Image.Image:
    """RGB: what is transparent gets the ground that the rest stands out from."""
    if image.mode != "RGBA":
        return image
    alpha, colours = image.getchannel("A"), image.convert("RGB")
    if alpha.getextrema()[1] == 0:  # nothing would be seen at all: somebody's program wrote the channel wrongly
        return colours
    ground = Image.new("RGB", image.size, _ground(colours, alpha))
    ground.paste(colours, mask=alpha)
    return ground


def _ground(colours: Image.Image, alpha: Image.Image) -> tuple[int, int, int]:
    """Only what borders on the ground counts: a photo with round corners looks the same on any."""
    seen = alpha.point(lambda value: 255 if value >= _SEEN else 0)
    if seen.getextrema()[0] == 255:
        return _GROUNDS[0]
    edge = ImageChops.subtract(seen, seen.filter(ImageFilter.MinFilter(_EDGE)))
    border = edge if edge.getbbox() else seen
    most = border.histogram()[255] or 1
    lost = {ground: _lost(colours, border, ground) / most for ground in _GROUNDS}
    return next((ground for ground in _GROUNDS if lost[ground] <= _LOST), min(_GROUNDS, key=lambda each: lost[each]))


def _lost(colours: Image.Image, where: Image.Image, ground: tuple[int, int, int]) -> int:
    """How many pixels there are too near to the ground."""
    difference = ImageChops.difference(colours, Image.new("RGB", colours.size, ground))
    red, green, blue = difference.split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    near = most.point(lambda value: 255 if value < _APART else 0)
    return ImageChops.darker(near, where).histogram()[255]
