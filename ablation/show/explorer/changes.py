"""Which parts of a drawing a change touched, so that a page can highlight them for a moment."""

from __future__ import annotations

import re

_PART = re.compile(r'(?:class="([^"]*)" )?data-part="([^"]+)"')


def mark(after: str, before: str) -> str:
    """Return a drawing whose changed parts have the class `ax-changed`.

    A part is an element with `data-part`, from there to the next part. It changed if its text differs from that of the part
    of the same name before.

    >>> mark('<g data-part="a">1</g><g data-part="b">2</g>', '<g data-part="a">1</g><g data-part="b">3</g>')
    '<g data-part="a">1</g><g class="ax-changed" data-part="b">2</g>'
    """
    old = dict(_parts(before))
    changed = {name for name, text in _parts(after) if old.get(name, text) != text}

    def replace(found: re.Match[str]) -> str:
        classes = " ".join(filter(None, [found[1], "ax-changed" * (found[2] in changed)]))
        return f'class="{classes}" data-part="{found[2]}"' if classes else found[0]

    return _PART.sub(replace, after)


def _parts(markup: str) -> list[tuple[str, str]]:
    starts = list(_PART.finditer(markup))
    ends = [markup.rindex("<", 0, start.start()) for start in starts[1:]] + [len(markup)]
    return [(start[2], markup[start.end() : end]) for start, end in zip(starts, ends, strict=True)]
