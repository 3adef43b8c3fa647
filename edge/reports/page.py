"""One HTML file that opens anywhere: style, charts and pictures are inside, nothing is fetched."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import cv2

from edge.errors import StorageError
from edge.files.whole_file import whole_file
from edge.preprocess import Image

_PICTURE_QUALITY = 82

_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --soft: #f3f4f6; --line: #d5d8dc; --quiet: #5a6068; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --paper: #16181b; --soft: #22262b; --line: #3a4048; --quiet: #a2a9b2; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1080px; margin: 0 auto; padding: 24px; overflow-wrap: break-word; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 36px 0 8px; border-bottom: 1px solid var(--line); padding-bottom: 4px; }
p { margin: 8px 0; max-width: 75ch; } .quiet { color: var(--quiet); } .wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 8px 0; font-variant-numeric: tabular-nums; } th, td { padding: 4px 12px 4px 0; text-align: right; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child { text-align: left; } td:first-child { overflow-wrap: anywhere; min-width: 9em; } th { font-weight: 600; } td.text { text-align: left; }
.figures { display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start; } .figures > div { flex: 0 1 500px; min-width: 0; }
svg { max-width: 100%; height: auto; border-radius: 6px; }
details { margin: 12px 0; } summary { cursor: pointer; }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; margin: 16px 0; } .tile { background: var(--soft); border-radius: 8px; padding: 10px 16px; } .tile b { display: block; font-size: 22px; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 16px; } figure { margin: 0; } figcaption { font-size: 13px; overflow-wrap: anywhere; }
figure .pair { display: flex; gap: 4px; } figure img { width: 50%; height: auto; border-radius: 4px; } figure img.alone { width: 100%; }
pre { background: var(--soft); padding: 12px; border-radius: 8px; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13px; }
@media print { :root { --ink: #000; --paper: #fff; --soft: #fff; } section, figure, tr { break-inside: avoid; } .wide { overflow: visible; } }
"""  # noqa: E501, one rule a line


def write_page(path: Path, document: str) -> None:
    """Write a page whole or not at all, and the folder that it lies in.

    Raises:
        AccessDeniedError, StorageError: it cannot be written.
    """
    with whole_file(path) as unfinished:
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(document, encoding="utf-8")


def page(title: str, sections: Sequence[str]) -> str:
    """The whole document."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def section(heading: str, *parts: str) -> str:
    """A heading and what belongs below it."""
    return f"<section><h2>{escape(heading)}</h2>{''.join(parts)}</section>"


def text(words: str, *, is_quiet: bool = False) -> str:
    """A paragraph."""
    kind = ' class="quiet"' if is_quiet else ""
    return f"<p{kind}>{escape(words)}</p>"


def tiles(values: Sequence[tuple[str, str]]) -> str:
    """The few numbers that matter most: (value, what it is)."""
    inside = "".join(f'<div class="tile"><b>{escape(value)}</b>{escape(name)}</div>' for value, name in values)
    return f'<div class="tiles">{inside}</div>'


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells as text; the first column is the name."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def figures(*charts: str) -> str:
    """Charts side by side where there is room."""
    return f'<div class="figures">{"".join(f"<div>{chart}</div>" for chart in charts)}</div>'


def wide(chart: str) -> str:
    """A chart that is moved from side to side where the page is too narrow to show it large enough to be read."""
    return f'<div class="wide">{chart}</div>'


def pictures(items: Sequence[tuple[str, Sequence[Image]]]) -> str:
    """Captions with one picture each, or two side by side."""
    return f'<div class="pictures">{"".join(_figure(caption, images) for caption, images in items)}</div>'


def _figure(caption: str, images: Sequence[Image]) -> str:
    kind = ' class="alone"' if len(images) == 1 else ""
    inside = "".join(f'<img{kind} alt="{escape(caption, quote=True)}" src="{_source(image)}">' for image in images)
    return f'<figure><div class="pair">{inside}</div><figcaption>{escape(caption)}</figcaption></figure>'


def _source(image: Image) -> str:
    is_encoded, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _PICTURE_QUALITY]
    )
    if not is_encoded:
        raise StorageError(f"a picture of shape {image.shape} cannot be encoded as JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def picture(caption: str, image: Image) -> str:
    """One picture in its own size."""
    alt = escape(caption, quote=True)
    return f'<div class="wide"><img alt="{alt}" src="{_source(image)}"><p class="quiet">{escape(caption)}</p></div>'


def escaped(words: str) -> str:
    """Text that may stand in HTML."""
    return escape(words)


def listing(words: str) -> str:
    """Text as it stands: commands, settings."""
    return f"<pre>{escape(words)}</pre>"


def folded(title: str, inside: str) -> str:
    """What is seen after a click on its title."""
    return f"<details><summary>{escape(title)}</summary>{inside}</details>"
