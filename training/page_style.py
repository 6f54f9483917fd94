"""How the page of `twin dataset stats --plot` looks: lines, sizes, and the fonts there are for people's names.

Knows nothing of what is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twin.errors import DatasetError

INK = "#333333"
# Fonts with the letters that DejaVu Sans, which matplotlib brings, has not: Linux, macOS, Windows.
_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "PingFang SC",
    "Hiragino Sans GB",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Arial Unicode MS",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Noto Sans",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Kohinoor Devanagari",
    "Nirmala UI",
    "Leelawadee UI",
)
_STYLE: dict[str, Any] = {
    "axes.edgecolor": "#888888",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "font.size": 8,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "text.color": INK,
    "text.parse_math": False,  # a name may hold dollar signs
    "xtick.color": INK,
    "ytick.color": INK,
}


@contextmanager
def page_style() -> Iterator[Callable[[str], bool]]:
    """matplotlib in the style of the page while it lasts; tells whether a sign can be drawn with the fonts there are.

    Raises:
        DatasetError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib import font_manager
    except ImportError as error:
        raise DatasetError("Drawing needs matplotlib", "install it with `pip install matplotlib`") from error
    installed = set(font_manager.get_font_names())
    families = ["DejaVu Sans", *(name for name in _FONTS if name in installed)]
    charmaps = [font_manager.get_font(font_manager.findfont(name)).get_charmap() for name in families]
    style: Any = {**_STYLE, "font.family": families}
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever somebody's own matplotlibrc says
        matplotlib.rcParams.update(style)
        yield lambda sign: any(ord(sign) in charmap for charmap in charmaps)
