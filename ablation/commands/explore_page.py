"""The page of `ablation explore`: one notebook, and a template of Voila that says when the connection is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TEMPLATE = "ablation"
_SOURCE = "from ablation.show.explorer import Explorer\n\nExplorer().widget"
ASK_SECONDS = 1.5  # between two questions of the page whether its kernel is alive
# Voila's page links icons on another host; renaming the attribute prevents the request.
_PAGE = """{%- extends 'voila/templates/lab/index.html.j2' -%}
{%- block notebook_css -%}
{%- set styles %}{{ super() }}{% endset -%}
{{ styles | replace('href="https://', 'data-left-out="https://') }}
<style>
#ax-lost { position: fixed; inset: 0 0 auto 0; z-index: 100; padding: 12px 20px; background: #8a1c00; color: #ffffff;
  font: 16px/1.4 system-ui, sans-serif; }
#ax-lost a { color: #ffffff; text-decoration: underline; }
</style>
<script>
addEventListener('load', () => {
  const {kernelId, baseUrl} = JSON.parse(document.getElementById('jupyter-config-data').textContent)
  const tell = (text) => {
    const note = Object.assign(document.createElement('div'), {id: 'ax-lost', textContent: text + ' '})
    note.setAttribute('role', 'alert')
    note.append(Object.assign(document.createElement('a'), {href: location.href, textContent: 'Reload this page'}))
    document.body.append(note)
    clearInterval(timer)
  }
  let unanswered = 0
  const timer = setInterval(async () => {
    try {
      const answer = await fetch(`${baseUrl}alive/${kernelId}`, {cache: 'no-store', signal: AbortSignal.timeout(2000)})
      const {alive} = await answer.json()
      unanswered = 0
      if (!alive) tell('Connection lost: the Python process behind this page has ended, so nothing here answers any more.')
    } catch {
      if (++unanswered === 2) tell('Connection lost: ablation explore no longer answers. Start it again, then open its address.')
    }
  }, ASK_MS)
  // Voila's own request on beforeunload is not sent on every way of leaving a page
  addEventListener('pagehide', () => navigator.sendBeacon(`${baseUrl}voila/api/shutdown/${kernelId}`))
})
</script>
{%- endblock notebook_css -%}
""".replace("ASK_MS", f"{1000 * ASK_SECONDS:.0f}")


def write_page(folder: Path) -> Path:
    """Write the notebook and the template of its page; return the notebook."""
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "explorer",
        "metadata": {},
        "outputs": [],
        "source": _SOURCE,
    }
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = folder / "page" / "explorer.ipynb"
    notebook.parent.mkdir()
    content = {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    notebook.write_text(json.dumps(content), encoding="utf-8")
    template = folder / "jupyter" / "voila" / "templates" / TEMPLATE
    template.mkdir(parents=True)
    (template / "conf.json").write_text('{"base_template": "lab"}', encoding="utf-8")
    (template / "index.html.j2").write_text(_PAGE, encoding="utf-8")
    return notebook
