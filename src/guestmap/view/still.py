"""A picture for paper and documents: SVG or PNG, drawn by matplotlib, with all words written out.

No browser is needed. Words in an SVG stay words, so that they can be searched and copied.
"""

from __future__ import annotations

import warnings
from bisect import bisect_left
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from matplotlib import rc_context
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path

from guestmap.view.colours import COLOURS, FAINT_INK, FOLD, INK, LINE, MARK, MEANINGS, PAPER, look
from guestmap.view.columns import box_columns, fold_columns, label_columns, lane_extents
from guestmap.view.columns import tick_columns as axis_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from guestmap.view.picture import Panel, Picture

_DPI = 100
_PIXEL = 72 / _DPI
"""Points in a pixel; everything below is in pixels."""

_LANE = 128.0
_AXIS = 170.0
_MARGIN = 16.0
_UNIT = 17.0
_HEAD = 62.0
_TOP = 62.0
_FOOT = 36.0
_LINE = 13.0
_PAD = 5.0
_TALLEST = 60_000.0

_FONT = FontProperties(family="DejaVu Sans", size=11 * _PIXEL)


def still(picture: Picture, form: Literal["svg", "png"]) -> bytes:
    """Return a picture as the bytes of an SVG or PNG file; always the same ones."""
    with rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "guestmap",
            "font.family": ["DejaVu Sans"],
            "hatch.linewidth": 0.35,
            "hatch.color": "#9a9a9a",
        }
    ):
        canvas = BytesIO()
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        with warnings.catch_warnings():  # a name may have letters that the font lacks
            warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
            _Sheet(picture).figure.savefig(canvas, format=form, dpi=_DPI, metadata=metadata)
    if form == "png":
        return canvas.getvalue()
    # matplotlib writes the families it has itself; elsewhere one with the same widths will do
    families = {"'DejaVu Sans'": "'DejaVu Sans', Verdana, sans-serif",
                "'DejaVu Sans Mono'": "'DejaVu Sans Mono', monospace"}  # fmt: skip
    text = canvas.getvalue().decode()
    for family, families_like_it in families.items():
        text = text.replace(family, families_like_it)
    return text.encode()


class _Sheet:
    """All panels of a picture, one below the other."""

    def __init__(self, picture: Picture) -> None:
        length = sum(panel.axis.length for panel in picture.panels)
        foot = _FOOT + _LINE * 1.3 * len(picture.notes)
        causes = [f"Probably: {each}" for each in picture.causes]
        begin = _TOP + _LINE * 1.3 * len(causes)
        fixed = begin + foot + _HEAD * len(picture.panels)
        self._unit = min(_UNIT, (_TALLEST - fixed) / max(length, 1.0))
        rights = [lane_extents(panel.lanes)[-1].right for panel in picture.panels]
        width = max(_AXIS + _LANE * max(rights, default=0) + _MARGIN, 900.0)
        height = fixed + self._unit * length
        self.figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
        self._axes: Axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set(xlim=(0, width), ylim=(height, 0))
        self._axes.axis("off")
        self._head(picture)
        for number, cause in enumerate(causes):
            self._write(_MARGIN, _TOP + 8 + number * _LINE * 1.3, cause)
        top = begin
        for panel in picture.panels:
            self._panel(panel, top + _HEAD)
            top += _HEAD + self._unit * panel.axis.length
        for number, note in enumerate(picture.notes):
            self._write(_MARGIN, top + _FOOT - 8 + number * _LINE * 1.3, note, FAINT_INK)

    def _write(self, x: float, y: float, words: str, colour: str = INK, **more: Any) -> None:
        settings = {"fontsize": 11 * _PIXEL, "va": "center", "ha": "left", **more}
        self._axes.text(x, y, words, color=colour, parse_math=False, **settings)

    def _rectangle(self, x: float, y: float, width: float, height: float, **how: Any) -> None:
        # add_patch() would look at all patches again for the limits of the axes, which are known
        patch = Rectangle((x, y), width, height, **how)
        patch.set_transform(self._axes.transData)
        self._axes.add_artist(patch)

    def _head(self, picture: Picture) -> None:
        self._write(_MARGIN, 20, picture.title, fontsize=17 * _PIXEL, weight="bold")
        after = _MARGIN + 30 + _width(picture.title) * 17 / 11 * 1.15
        self._write(after, 21, picture.subtitle, FAINT_INK)
        boxes = [box for panel in picture.panels for box in panel.boxes]
        kinds = {box.kind for box in boxes}
        parts: list[tuple[str, dict[str, Any]]] = [
            (MEANINGS[kind], {"fc": colour, "ec": LINE})
            for kind, colour in COLOURS.items()
            if kind in kinds and kind != "nobody"
        ]
        hidden = look("i/o", "hidden")
        parts.append(("hidden behind another", {"fc": hidden.fill, "ec": LINE, "hatch": "////"}))
        if any(box.changed for box in boxes):
            parts.append(("changed", {"fc": "none", "ec": MARK, "lw": 1.5}))
        x = _MARGIN
        for words, how in parts:
            self._rectangle(x, 40, 22, 12, **{"lw": 0.6, **how})
            self._write(x + 28, 46, words)
            x += 28 + _width(words) + 20

    def _panel(self, panel: Panel, top: float) -> None:
        unit = self._unit
        extents = lane_extents(panel.lanes)
        for lane, extent in zip(panel.lanes, extents, strict=True):
            if not lane.narrow:
                room = (extent.right - extent.left) * _LANE / (1.15 if lane.views else 1.0)
                words = "\n".join(_cut(line, room) for line in lane.heading.split("\n"))
                weight = "bold" if lane.views else "normal"
                middle = _AXIS + extent.middle * _LANE
                self._write(middle, top - 6, words, ha="center", va="bottom", weight=weight)
        for fold in _rows(fold_columns(panel)):
            self._rectangle(*self._place(fold, top), fc=FOLD, lw=0)
        for box in _rows(box_columns(panel)):
            self._rectangle(
                *self._place(box, top), fc=box["fill"], ec=box["line"],
                lw=box["line_width"] * 0.8, hatch="////" if box["hatched"] else None,
                ls="--" if box["dash"] else "-",
            )  # fmt: skip
        for label in _rows(label_columns(panel)):
            self._label(label, *self._place(label, top))
        self._ticks(panel, top, unit)

    def _place(self, row: dict[str, Any], top: float) -> tuple[float, float, float, float]:
        """Return x, y, width, height in pixels."""
        x, y = _AXIS + row["left"] * _LANE, top + row["top"] * self._unit
        width = (row["right"] - row["left"]) * _LANE
        return x, y, width, (row["bottom"] - row["top"]) * self._unit

    def _label(self, label: dict[str, Any], x: float, y: float, w: float, h: float) -> None:
        if h < _LINE - 2:
            return
        if label["upright"]:
            where = y + min(h / 2, 200.0)
            self._write(x + w / 2, where, _cut(label["text"], h), ha="center", rotation=90)
            return
        room = w - 2 * _PAD
        words = f"{label['text']}  {label['detail']}" if label["detail"] else label["text"]
        if _width(words) > room:
            words = _cut(label["text"], room)
            if label["detail"] and h >= 2 * _LINE:
                words += "\n" + _cut(label["detail"], room)
        more: dict[str, Any] = {}
        if label["paper"] == PAPER:
            more["bbox"] = {"fc": PAPER, "lw": 0, "pad": 1.0}
        self._write(x + _PAD, y + h / 2, words, label["colour"], linespacing=1.1, **more)

    def _ticks(self, panel: Panel, top: float, unit: float) -> None:
        ticks = _rows(axis_columns(panel))
        kept: list[float] = []
        for rank in (2, 1, 0):
            for tick in ticks:
                y = top + tick["position"] * unit
                place = bisect_left(kept, y)
                near = kept[max(place - 1, 0) : place + 1]
                if tick["rank"] != rank or any(abs(y - other) < _LINE for other in near):
                    continue
                kept.insert(place, y)
                self._write(
                    _AXIS - 10, y, tick["words"], FAINT_INK, ha="right",
                    family="DejaVu Sans Mono", fontsize=10.5 * _PIXEL,
                )  # fmt: skip
        lines = [((_AXIS - 7, y), (_AXIS - 1, y)) for y in kept]
        self._axes.add_artist(LineCollection(lines, colors=INK, linewidths=0.6))


def _rows(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _width(words: str) -> float:
    """Return how wide words are, in pixels."""
    wide, _, _ = text_to_path.get_text_width_height_descent(words, _FONT, ismath=False)
    return float(wide) / _PIXEL


def _cut(words: str, room: float) -> str:
    """Return as much of words as there is room for."""
    if _width(words) <= room:
        return words
    # the first length that is too much, less one; most names are short, and some are hostile
    lengths = range(1, len(words))
    kept = bisect_left(lengths, x=True, key=lambda length: _width(words[:length] + "…") > room)
    return words[:kept] + "…" if kept else ""
