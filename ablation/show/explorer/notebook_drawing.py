"""A drawing as the output of a notebook's cell: HTML with everything it needs, and a description for readers of plain text.

The output is HTML and not an image, since only then it takes the colours of the page around it, light or dark, and wraps on
a narrow screen. A browser shows it where outputs are trusted: after the cell was run, and on the site.
"""

from __future__ import annotations

from dataclasses import dataclass

from .look import DRAWINGS_CSS
from .svg import DARK, variables_css

_DARK = f"{{ {variables_css(DARK)} color-scheme: dark; }}"
# The site is dark on request or, if nothing was requested, as the system is; VS Code names its theme.
_CSS = f"""{DRAWINGS_CSS}
:is(body[data-theme="dark"], body[data-vscode-theme-kind="vscode-dark"]) .ax-drawing {_DARK}
@media (prefers-color-scheme: dark) {{ body[data-theme="auto"] .ax-drawing {_DARK} }}
.ax-drawing {{ padding: 4px 8px 8px; max-width: 1000px; }} .ax-drawing .ax-svg {{ overflow: visible; }}
.ax-drawing figure {{ margin: 0; }} .ax-drawing figcaption {{ margin-top: 8px; }}
.ax-drawing .ax-note > b {{ color: var(--ax-ink); }}
.ax-drawing .ax-blocks > .ax-note {{ align-self: center; }}
.ax-drawing .ax-pair {{ display: grid; gap: 16px 24px; grid-template-columns: repeat(auto-fit, minmax(min(100%,
  (var(--ax-tiles) - 1) * 200px + 140px), 1fr)); }}
.ax-drawing .ax-pair h3 {{ margin: 4px 0 12px; padding: 0; font-size: 16px; }}
.ax-drawing .ax-pair .ax-network {{ grid-template-columns: repeat(var(--ax-tiles), minmax(0, 168px)); gap: 8px 16px; }}
@container (min-width: 860px) {{ .ax-drawing .ax-blocks > .ax-note {{ grid-column: 1 / -1; }} }}
@container (max-width: 500px) {{ .ax-drawing .ax-pair .ax-network {{ grid-template-columns: repeat(auto-fit,
  minmax(130px, 1fr)); }} }}
"""


@dataclass(frozen=True, repr=False)
class Drawing:
    """A drawing that a notebook displays at the end of a cell.

    Args:
        markup: its HTML, with a description for screen readers.
        description: what is shown as plain text.
    """

    markup: str
    description: str

    def _repr_html_(self) -> str:
        return f"<style>{_CSS}</style><div class='ax ax-drawing'>{self.markup}</div>"

    def __repr__(self) -> str:
        return self.description
