"""The explorer's style sheet: what every page that shows its drawings needs, and what the widget needs besides.

All rules are limited to elements inside `.ax`. Colours are the variables of `svg`; the sheet sets them for light pages, and for
dark ones where JupyterLab has a dark theme. Another page sets them as it likes.
"""

from __future__ import annotations

from .svg import DARK, LIGHT, variables_css

# The height of the story holds the longest one, so that nothing below it moves from stop to stop.
DRAWINGS_CSS = f"""
.ax {{ {variables_css(LIGHT)} }}
[data-jp-theme-light="false"] .ax {{ {variables_css(DARK)} color-scheme: dark; }}
.ax {{ background: var(--ax-paper); color: var(--ax-ink); container-type: inline-size; font-family: system-ui, sans-serif;
  font-size: 14px; line-height: 1.45; padding: 8px 12px; box-sizing: border-box; }}
.ax p {{ margin: 4px 0; }} .ax :is(h1, h2, h3) {{ line-height: 1.25; font-weight: 700; color: var(--ax-ink); }}
.ax h1 {{ font-size: 26px; margin: 4px 0; }} .ax h2 {{ font-size: 18px; margin: 20px 0 6px; }}
.ax h3 {{ font-size: 14px; margin: 8px 0 0; }} .ax h3 span {{ font-weight: 400; }} .ax a {{ color: var(--ax-blue); }}
.ax .ax-svg {{ width: 100%; height: auto; display: block; }}
.ax .ax-note {{ color: var(--ax-soft); font-size: 13px; max-width: 85ch; }}
.ax .ax-cite {{ color: var(--ax-soft); font-size: 13px; }}
.ax .ax-road-plot {{ position: relative; }}
.ax .ax-curve {{ position: absolute; inset: 32px 0 auto; width: 100%; height: 96px; display: block; }}
.ax .ax-stops {{ position: relative; display: grid; grid-template-columns: repeat(16, minmax(0, 1fr)); list-style: none;
  margin: 0; padding: 0; }}
.ax .ax-stops li {{ margin: 0; padding: 0; display: block; min-width: 0; }}
.ax .ax-stop {{ display: block; width: 100%; padding: 0 1px 4px; margin: 0; border: 0; border-radius: 6px; background: none;
  color: var(--ax-ink); font: inherit; cursor: pointer; text-align: center; box-sizing: border-box; }}
.ax .ax-stop:hover {{ background: color-mix(in srgb, var(--ax-blue) 12%, transparent); }}
.ax .ax-dot-box {{ display: block; position: relative; height: 96px; margin: 32px 0 10px; }}
.ax .ax-dot {{ position: absolute; left: 50%; bottom: var(--ax-rise); width: 12px; height: 12px; margin: 0 0 -6px -6px;
  border-radius: 50%; background: var(--ax-blue); border: 2px solid var(--ax-paper); box-sizing: border-box; }}
.ax .ax-percent {{ position: absolute; left: 0; right: 0; bottom: var(--ax-rise); margin-bottom: 8px; font-size: 12px;
  font-variant-numeric: tabular-nums; line-height: 1; text-shadow: 0 0 3px var(--ax-paper), 0 0 3px var(--ax-paper),
  0 0 2px var(--ax-paper), 0 0 2px var(--ax-paper); }}
.ax .ax-stop-name {{ display: block; font-size: 12px; line-height: 1.2; min-height: 3.6em; overflow-wrap: anywhere;
  hyphens: manual; color: var(--ax-soft); }}
.ax .ax-side .ax-dot {{ background: var(--ax-paper); border: 2px solid var(--ax-grey); }}
.ax .ax-near .ax-dot {{ outline: 2px dashed var(--ax-red); outline-offset: 2px; }}
.ax .ax-here .ax-dot {{ background: var(--ax-red); width: 18px; height: 18px; margin: 0 0 -9px -9px; border-style: solid;
  border-color: var(--ax-paper); box-shadow: 0 0 0 2px var(--ax-red); }}
.ax .ax-here :is(.ax-stop-name, .ax-percent) {{ font-weight: 700; color: var(--ax-ink); }}
.ax .ax-here .ax-percent {{ margin-bottom: 15px; }}
.ax .ax-near .ax-percent {{ margin-bottom: 14px; }}
.ax .ax-swin {{ position: absolute; inset: 32px 0 auto; height: 96px; pointer-events: none; }}
.ax .ax-swin span {{ position: absolute; left: 6px; margin-bottom: 3px; font-size: 12px; line-height: 1; color: var(--ax-soft); }}
.ax .ax-road-here, .ax .ax-brief {{ display: none; }}
.ax .ax-numbers {{ display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 10px; margin: 6px 0; }}
.ax .ax-card {{ border: 1px solid var(--ax-line); border-radius: 8px; padding: 8px 12px; background: var(--ax-card);
  min-width: 0; }}
.ax .ax-card dt {{ font-size: 13px; font-weight: 400; color: var(--ax-soft); width: auto; float: none; padding: 0; margin: 0; }}
.ax .ax-card dd {{ margin: 0; padding: 0; font-variant-numeric: tabular-nums; }}
.ax .ax-card b {{ font-size: 22px; line-height: 1.25; display: block; white-space: nowrap; }}
.ax .ax-change, .ax .ax-exact {{ display: block; font-size: 13px; min-height: 1.45em; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; }}
.ax .ax-change {{ font-weight: 600; }} .ax .ax-exact {{ color: var(--ax-soft); }}
.ax .ax-story {{ min-height: 332px; }} .ax .ax-story h2 {{ margin: 0 0 4px; font-size: 22px; }}
.ax .ax-story p {{ max-width: 85ch; }}
.ax .ax-eyebrow {{ color: var(--ax-soft); font-size: 13px; }}
.ax .ax-facts {{ display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 8px 20px; margin: 10px 0; }}
.ax .ax-facts div {{ border-top: 3px solid var(--ax-line); padding-top: 4px; }}
.ax .ax-facts dt {{ font-weight: 700; width: auto; float: none; padding: 0; color: var(--ax-ink); }}
.ax .ax-facts :is(dd, dt) {{ margin: 0; padding: 0; width: auto; float: none; }}
.ax .ax-arrival {{ background: var(--ax-warm); border-left: 5px solid var(--ax-red); padding: 8px 12px; border-radius: 4px; }}
.ax .ax-arrival b {{ font-size: 16px; }}
.ax .ax-network {{ display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 8px 12px; }}
.ax .ax-blocks {{ display: grid; gap: 16px 24px; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 270px), 1fr)); }}
.ax .ax-legend {{ display: flex; flex-wrap: wrap; gap: 2px 24px; list-style: none; margin: 6px 0; padding: 0; }}
.ax .ax-legend li {{ display: flex; align-items: center; gap: 8px; margin: 0; font-variant-numeric: tabular-nums; }}
.ax table.ax-table {{ border-collapse: collapse; margin: 4px 0; width: 100%; font-size: 14px; border: 0;
  font-variant-numeric: tabular-nums; }}
.ax .ax-table caption {{ text-align: left; font-weight: 700; font-size: 18px; padding: 0 0 4px; color: var(--ax-ink); }}
.ax .ax-table :is(th, td) {{ text-align: right; padding: 3px 6px; border-bottom: 1px solid var(--ax-grid); max-width: none;
  white-space: nowrap; color: var(--ax-ink); background: none; }}
.ax .ax-table th:first-child {{ text-align: left; }} .ax table.ax-differences {{ width: auto; min-width: 300px; }}
.ax .ax-questions li {{ margin: 8px 0; max-width: 85ch; }} .ax summary {{ cursor: pointer; color: var(--ax-blue); }}
.ax .ax-problem {{ border: 2px solid var(--ax-red); border-left-width: 8px; background: var(--ax-warm); padding: 8px 12px;
  margin: 6px 0; border-radius: 4px; }}
@keyframes ax-flash {{ from {{ background-color: var(--ax-warm); outline-color: var(--ax-red); }} }}
@keyframes ax-glow {{ 0%, 70% {{ filter: drop-shadow(0 0 5px var(--ax-red)); }} }}
.ax .ax-changed {{ outline: 2px solid transparent; animation: ax-flash 1.2s ease-out; }}
.ax g.ax-changed {{ outline: 0; animation-name: ax-glow; }}
@media (prefers-reduced-motion: reduce) {{ .ax .ax-changed {{ animation-duration: 0s; }} }}
@container (max-width: 1000px) {{
  .ax .ax-stop-name {{ display: none; }} .ax .ax-percent {{ font-size: 11px; }} .ax .ax-dot-box {{ margin-bottom: 4px; }}
  .ax .ax-road-here {{ display: block; font-weight: 700; text-align: center; }}
}}
@container (max-width: 880px) {{
  .ax .ax-network {{ grid-template-columns: repeat(3, minmax(0, 1fr)); }}
  .ax .ax-long, .ax .ax-spread {{ display: none; }} .ax .ax-brief {{ display: inline; }}
  .ax .ax-story {{ min-height: 370px; }}
  .ax .ax-card {{ padding: 6px 8px; }} .ax .ax-exact {{ font-size: 12px; }}
  .ax .ax-change {{ font-size: 12px; line-height: 1.3; white-space: normal; min-height: 2.6em; }}
}}
@container (max-width: 740px) {{ .ax .ax-story {{ min-height: 490px; }} }}
@container (max-width: 640px) {{
  .ax .ax-network {{ grid-template-columns: repeat(2, minmax(0, 1fr)); }}
  .ax .ax-facts {{ grid-template-columns: minmax(0, 1fr); }}
  .ax .ax-story {{ min-height: 790px; }}
  .ax .ax-numbers {{ gap: 4px; }} .ax .ax-card {{ padding: 4px 5px; }}
  .ax .ax-card b {{ font-size: 15px; }} .ax .ax-card dt {{ font-size: 12px; }} .ax .ax-exact {{ display: none; }}
  .ax .ax-change {{ font-size: 11px; line-height: 1.3; white-space: normal; min-height: 3.9em; }}
  .ax .ax-percent {{ display: none; }} .ax .ax-here .ax-percent {{ display: block; }}
  .ax .ax-table :is(th, td) {{ padding: 3px 1px; font-size: 11px; white-space: normal; }}
  /* the drawing of the network has the blocks and the maps too */
  .ax .ax-table:not(.ax-differences) :is(th, td):is(:nth-child(2), :nth-child(4)) {{ display: none; }}
  .ax table.ax-differences {{ min-width: 0; }}
}}
"""

_WIDGET_CSS = """
.ax.widget-box { display: block; }
.ax.widget-box, .ax .widget-box, .ax .widget-html, .ax .widget-html-content { overflow: visible; margin: 0; }
.ax .widget-html, .ax .widget-html > .widget-html-content { font-size: 14px; line-height: 1.45; color: var(--ax-ink);
  min-width: 0; width: auto; height: auto; align-self: stretch; flex: 1 1 auto; }
.ax .ax-main { display: grid; grid-template-columns: 330px minmax(0, 1fr); gap: 8px 32px; align-items: start;
  grid-template-areas: 'controls story' 'controls views'; grid-template-rows: auto 1fr; }
.ax .ax-controls { grid-area: controls; } .ax .ax-tale { grid-area: story; } .ax .ax-views { grid-area: views; }
.ax :is(.ax-controls, .ax-views, .ax-picture, .ax-row, .ax-group) { display: flex; flex-direction: column; min-width: 0;
  width: auto; gap: 2px; }
.ax .ax-switches { display: grid; grid-template-columns: minmax(0, 1fr); gap: 4px 24px; align-items: start; }
.ax .ax-effect { padding-left: 30px; }
.ax .ax-effect.widget-html > .widget-html-content { color: var(--ax-soft); font-size: 13px; line-height: 1.3; min-height: 1.3em; }
.ax .ax-fold { display: none; } .ax .ax-fold summary { padding: 8px 0; font-weight: 700; }
.ax .widget-checkbox { width: 100%; margin: 0; height: auto; min-height: 26px; }
.ax .widget-checkbox label { display: flex; align-items: center; gap: 8px; cursor: pointer; white-space: normal; width: 100%;
  height: auto; min-height: 26px; margin: 0; color: var(--ax-ink); }
.ax .widget-checkbox span { font-size: 14px; line-height: 1.25; }
.ax .widget-checkbox input[type="checkbox"] { width: 18px; height: 18px; flex: none; margin: 0 0 0 4px;
  accent-color: var(--ax-blue); }
.ax .ax-fields { display: grid; grid-template-columns: repeat(auto-fill, minmax(148px, 1fr)); gap: 6px 16px; padding: 2px 4px; }
.ax .ax-fields .jupyter-widgets { width: auto; margin: 0; height: 30px; }
.ax .ax-fields .widget-label { width: 84px; flex: none; font-size: 14px; color: var(--ax-ink); text-align: left; margin: 0; }
.ax .ax-fields :is(input, select) { font-size: 14px; min-width: 0; border: 1px solid var(--ax-grey); color: var(--ax-ink);
  background-color: var(--ax-card); flex: 1 1 auto; }
.ax.ax.ax :is(input, select, button, summary, a):focus-visible { outline: 3px solid var(--ax-blue) !important;
  outline-offset: 2px; }
.ax .jupyter-button { white-space: normal; height: auto; min-height: 40px; width: auto; line-height: 1.3; font-family: inherit;
  font-size: 14px; padding: 6px 14px; margin: 0; border: 1px solid var(--ax-grey); border-radius: 6px;
  background: var(--ax-card); color: var(--ax-ink); overflow: visible; text-overflow: clip; box-shadow: none; }
.ax .jupyter-button:hover { border-color: var(--ax-blue); }
.ax .ax-actions { display: flex; flex-wrap: wrap; gap: 8px; margin: 8px 0; }
.ax .ax-actions .jupyter-button.ax-first { background: var(--ax-blue); border-color: var(--ax-blue); color: var(--ax-on-blue);
  font-weight: 700; min-width: 290px; text-align: left; }
.ax .ax-road-box { position: relative; display: block; width: auto; }
.ax .ax-keys { position: absolute; inset: 0; display: grid; grid-template-columns: repeat(16, minmax(0, 1fr)); width: auto; }
.ax .ax-keys .jupyter-button { height: 100%; min-width: 0; padding: 0; border: 0; background: none; color: transparent;
  text-indent: 200%; white-space: nowrap; overflow: hidden; }
.ax .ax-keys .jupyter-button:hover { background: color-mix(in srgb, var(--ax-blue) 12%, transparent); }
.ax .ax-live { position: sticky; top: 0; z-index: 3; display: block; width: auto; background: var(--ax-paper);
  margin-top: 10px; box-shadow: 0 -10px 0 var(--ax-paper); }
.ax .ax-pictures, .ax .ax-demand { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr));
  gap: 8px 32px;
  align-items: start; }
.ax .ax-picture > .jupyter-button { align-self: start; margin: 3px; }
.ax .ax-alert { position: sticky; top: 130px; z-index: 4; height: 0; display: block; width: auto; }
.ax pre.ax-code { font-size: 13px; line-height: 1.4; background: var(--ax-grid); color: var(--ax-ink); padding: 8px 12px;
  margin: 4px 0; border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; user-select: all; }
@container (max-width: 880px) {
  .ax .ax-main { grid-template: 'story' 'controls' 'views' / minmax(0, 1fr); }
  .ax .ax-switches { grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); }
}
@container (max-width: 640px) {
  .ax h1 { font-size: 21px; } .ax .ax-actions .ax-first { order: -1; width: 100%; }
  .ax .ax-actions .jupyter-button { padding: 6px 10px; }
  .ax .ax-fold { display: block; } .ax .ax-group h3, .ax .ax-group:has(.ax-fold:not([open])) > .ax-row { display: none; }
}
/* An ancestor that clips would keep the line of numbers from staying in view. */
:is(.jp-OutputArea, .jp-OutputArea-child, .jp-OutputArea-output):has(.ax) { overflow: visible !important; }
"""
CSS = DRAWINGS_CSS + _WIDGET_CSS
