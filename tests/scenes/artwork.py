"""Printed pictures for cans, labels, pages and packets: our own invented brands, drawn with Pillow.

Every function returns (H, W, 3) uint8 sRGB and draws the same picture for the same generator state.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]
WORDS = (
    "fresh", "water", "light", "since", "press", "ripe", "field", "garden", "morning", "taste", "recipe", "open",
    "here", "best", "before", "store", "cool", "dry", "market", "offer", "only", "today", "more", "page",
)  # fmt: skip


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _text(
    draw: ImageDraw.ImageDraw, center: tuple[float, float], words: str, size: int, color: str, stroke: int = 0
) -> None:
    draw.text(center, words, font=_font(size), fill=color, anchor="mm", stroke_width=stroke, stroke_fill=color)


def _lines(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, box: tuple[int, int, int, int], size: int, color: str
) -> None:
    left, top, right, bottom = box
    for y in range(top, bottom - size, round(size * 1.35)):
        row = " ".join(rng.choice(WORDS, size=40))
        while draw.textlength(row, font=_font(size)) > right - left and row:
            row = row[:-1]
        draw.text((left, y), row, font=_font(size), fill=color)


def _barcode(draw: ImageDraw.ImageDraw, rng: np.random.Generator, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    draw.rectangle(box, fill="#ffffff")
    x = left + 6
    while x < right - 6:
        width = int(rng.integers(1, 5))
        draw.rectangle((x, top + 5, x + width, bottom - 5), fill="#111111")
        x += width + int(rng.integers(2, 6))


def can_print(rng: np.random.Generator, ground: str, accent: str, light: str, brand: str) -> Picture:
    """The unrolled print of a drink can, brand twice around."""
    image = Image.new("RGB", (1600, 800), ground)
    draw = ImageDraw.Draw(image)
    x = np.arange(0, 1601, 8)
    for level, height, color in ((560, 70, accent), (610, 60, light), (660, 60, accent)):
        wave = level + height * np.sin(x / 1600 * 4 * np.pi)
        draw.polygon([*zip(x.tolist(), wave.tolist(), strict=True), (1600, 800), (0, 800)], fill=color)
    for start in (0, 800):
        draw.ellipse((start + 130, 130, start + 550, 470), fill=light, outline=accent, width=14)
        _text(draw, (start + 340, 270), brand, 120, ground, 4)
        _text(draw, (start + 340, 385), "sparkling", 52, accent, 1)
        _barcode(draw, rng, (start + 620, 150, start + 760, 330))
        _lines(draw, rng, (start + 615, 360, start + 775, 540), 15, light)
    for top, bottom in ((0, 95), (725, 800)):  # the neck and the foot stay bare aluminium
        draw.rectangle((0, top, 1600, bottom), fill="#dcdde0")
    draw.line((0, 110, 1600, 110), fill=light, width=8)
    return np.asarray(image)


def bottle_label(
    rng: np.random.Generator, ground: str, ink: str, accent: str, brand: str, size: tuple[int, int] = (1000, 520)
) -> Picture:
    """A paper label with border, emblem, brand and small print."""
    width, height = size
    image = Image.new("RGB", size, ground)
    draw = ImageDraw.Draw(image)
    draw.rectangle((14, 14, width - 14, height - 14), outline=accent, width=10)
    draw.rectangle((0, round(height * 0.68), width, round(height * 0.86)), fill=accent)
    draw.ellipse((width / 2 - 90, 40, width / 2 + 90, 40 + height * 0.3), fill=accent)
    _text(draw, (width / 2, 40 + height * 0.15), "No 7", 48, ground, 2)
    _text(draw, (width / 2, height * 0.52), brand, round(height * 0.2), ink, 4)
    _text(draw, (width / 2, height * 0.77), "brewed and bottled in town", round(height * 0.07), ground, 1)
    _lines(draw, rng, (40, 50, round(width * 0.24), round(height * 0.6)), 16, ink)
    _barcode(draw, rng, (round(width * 0.8), 60, width - 40, round(height * 0.5)))
    return np.asarray(image)


def newspaper(rng: np.random.Generator) -> Picture:
    """A page of offers: headline, columns of text, colored boxes with prices."""
    image = Image.new("RGB", (1200, 1500), "#e9e5da")
    draw = ImageDraw.Draw(image)
    draw.rectangle((30, 30, 1170, 170), fill="#a3231f")
    _text(draw, (600, 100), "TOWN MARKET", 110, "#f3ecd8", 4)
    tones = ["#c8502c", "#d9a52c", "#5b7f3a", "#34618c", "#7b3f5b", "#b8b2a2"]
    for row in range(4):
        for column in range(3):
            left, top = 40 + column * 380, 200 + row * 320
            if (row + column) % 3 == 0:
                _lines(draw, rng, (left, top, left + 350, top + 300), 19, "#2b2a28")
                continue
            draw.rectangle((left, top, left + 350, top + 190), fill=tones[(row * 3 + column) % 6])
            for _ in range(9):
                x, y, r = left + rng.uniform(60, 290), top + rng.uniform(50, 140), rng.uniform(18, 46)
                draw.ellipse((x - r, y - r, x + r, y + r), fill=str(rng.choice(tones)))
            _text(draw, (left + 90, top + 245), f"{rng.integers(1, 9)}.{rng.integers(10, 99)}", 84, "#a3231f", 3)
            _lines(draw, rng, (left + 190, top + 205, left + 350, top + 300), 16, "#2b2a28")
    return np.asarray(image)


def shipping_label(rng: np.random.Generator) -> Picture:
    """A white address label with barcode."""
    image = Image.new("RGB", (600, 400), "#f6f5f1")
    draw = ImageDraw.Draw(image)
    _lines(draw, rng, (30, 30, 330, 190), 26, "#1c1c1c")
    _text(draw, (480, 100), "X7", 110, "#1c1c1c", 4)
    _barcode(draw, rng, (30, 220, 570, 370))
    return np.asarray(image)


def snack_bag(rng: np.random.Generator) -> Picture:
    """The front of a bag of corn rings: yellow, a green brand over a bowl, a table and small print."""
    image = Image.new("RGB", (1000, 1300), "#e3c21c")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 1000, 90), fill="#c9a70f")
    draw.rectangle((0, 1210, 1000, 1300), fill="#c9a70f")
    draw.ellipse((140, 470, 860, 1110), fill="#7c3a12", outline="#2f6b2c", width=26)
    for _ in range(60):
        angle, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1)) * 250
        x, y, r = 500 + reach * np.cos(angle), 790 + reach * 0.85 * np.sin(angle), rng.uniform(44, 66)
        draw.ellipse((x - r, y - r, x + r, y + r), outline=str(rng.choice(["#e0a53c", "#cf8a24", "#efc268"])), width=24)
    draw.polygon([(60, 180), (940, 120), (900, 400), (100, 430)], fill="#2f6b2c")
    _text(draw, (500, 285), "ONYO", 230, "#f7edc4", 14)
    _text(draw, (500, 440), "onion flavored rings", 62, "#2f3a12", 2)
    draw.rectangle((650, 1020, 940, 1180), fill="#b5202a")
    _text(draw, (795, 1100), "NET 35 g", 62, "#f7edc4", 3)
    _lines(draw, rng, (60, 1130, 600, 1200), 22, "#3a3208")
    return np.asarray(image)
