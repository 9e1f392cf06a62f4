"""The explorer's style sheet; all its rules are limited to the explorer."""

from __future__ import annotations

from .svg import BLUE, INK, RED

CSS = f"""
.ax {{ display: block; background: #ffffff; color: {INK}; padding: 4px; container-type: inline-size;
  font-family: system-ui, sans-serif; font-size: 14px; line-height: 1.4; }}
.ax.widget-box, .ax .widget-box, .ax .widget-html, .ax .widget-html-content {{ overflow: visible; margin: 0; }}
.ax .widget-html, .ax .widget-html > .widget-html-content {{ font-size: 14px; line-height: 1.4; color: {INK}; min-width: 0;
  width: auto; height: auto; align-self: stretch; flex: 1 1 auto; }}
.ax p {{ margin: 4px 0; }} .ax h2, .ax h3 {{ line-height: 1.3; font-weight: 700; color: {INK}; }}
.ax h2 {{ font-size: 17px; margin: 16px 0 4px; }} .ax h3 {{ font-size: 14px; margin: 8px 0 0; }}
.ax h3 span {{ font-weight: 400; color: #555555; }}
.ax .ax-main {{ display: grid; grid-template-columns: 320px minmax(0, 1fr); gap: 8px 28px; align-items: start; }}
.ax .ax-controls, .ax .ax-views, .ax .ax-picture {{ display: flex; flex-direction: column; min-width: 0; width: auto; gap: 4px; }}
.ax .ax-switches {{ display: grid; grid-template-columns: minmax(0, 1fr); gap: 0 20px; align-items: start; }}
.ax .widget-checkbox {{ width: 100%; margin: 0; height: auto; min-height: 28px; }}
.ax .widget-checkbox label {{ display: flex; align-items: center; gap: 8px; cursor: pointer; white-space: normal; width: 100%;
  height: auto; min-height: 28px; margin: 0; }}
.ax .widget-checkbox span {{ font-size: 14px; line-height: 1.25; }}
.ax .widget-checkbox input[type="checkbox"] {{ width: 18px; height: 18px; flex: none; margin: 0 0 0 4px; accent-color: {BLUE}; }}
.ax .ax-fields {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(148px, 1fr)); gap: 6px 16px; padding: 2px 4px; }}
.ax .ax-fields .jupyter-widgets {{ width: auto; margin: 0; height: 30px; }}
.ax .ax-fields .widget-label {{ width: 84px; flex: none; font-size: 14px; color: {INK}; text-align: left; margin: 0; }}
.ax .ax-fields input, .ax .ax-fields select {{ font-size: 14px; min-width: 0; border: 1px solid #767676; color: {INK};
  background-color: #ffffff; flex: 1 1 auto; }}
.ax.ax.ax :is(input, select, button):focus-visible {{ outline: 3px solid {BLUE} !important; outline-offset: 2px; }}
.ax .ax-numbers {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 8px; margin: 4px 0; }}
.ax .ax-card {{ border: 1px solid #c8c8c8; border-radius: 6px; padding: 6px 10px; }}
.ax .ax-card dt {{ font-size: 13px; font-weight: 400; color: #444444; width: auto; float: none; padding: 0; }}
.ax .ax-card dd {{ margin: 0; padding: 0; }}
.ax .ax-card b {{ font-size: 18px; display: block; white-space: nowrap; }} .ax .ax-exact {{ color: #444444; font-size: 13px; }}
.ax .ax-svg {{ width: 100%; height: auto; display: block; font-family: system-ui, sans-serif; fill: {INK}; }}
.ax .ax-pictures, .ax .ax-demand {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); gap: 8px 28px;
  align-items: start; }}
.ax table.ax-table {{ border-collapse: collapse; margin: 4px 0; width: 100%; font-size: 14px; border: 0;
  font-variant-numeric: tabular-nums; }}
.ax .ax-table caption {{ text-align: left; font-weight: 700; font-size: 17px; padding: 0 0 4px; color: {INK}; }}
.ax .ax-table th, .ax .ax-table td {{ text-align: right; padding: 2px 6px; border-bottom: 1px solid #e0e0e0; max-width: none;
  white-space: nowrap; }}
.ax .ax-table th:first-child {{ text-align: left; }}
.ax .ax-buttons {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(212px, 1fr)); gap: 6px; padding: 3px; }}
.ax .jupyter-button {{ white-space: pre-line; height: auto; min-height: 44px; width: auto; line-height: 1.3; text-align: left;
  font-family: inherit; font-size: 13px; padding: 4px 8px; margin: 0; border: 1px solid #8a8a8a; border-radius: 5px;
  background: #f6f6f6; color: {INK}; overflow: visible; text-overflow: clip; box-shadow: none; }}
.ax .jupyter-button:disabled {{ color: #555555; opacity: 1; border-style: dashed; }}
.ax .ax-buttons .jupyter-button.ax-here {{ border: 3px solid {RED}; background: #fff3ea; font-weight: 700; padding: 2px 6px; }}
.ax .ax-picture > .jupyter-button {{ align-self: start; margin: 3px; }}
.ax .ax-problem {{ border: 2px solid {RED}; border-left-width: 8px; background: #fff3ea; padding: 8px 12px; margin: 6px 0; }}
.ax .ax-note {{ color: #444444; font-size: 13px; }}
@container (max-width: 900px) {{
  .ax .ax-main {{ grid-template-columns: minmax(0, 1fr); }}
  .ax .ax-switches {{ grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); }}
  .ax .ax-numbers {{ grid-template-columns: repeat(2, minmax(0, 1fr)); }}
}}
"""
