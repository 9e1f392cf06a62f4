"""A design as text that can be copied: as Python, and as a command line."""

from __future__ import annotations

from html import escape

from ...design.architecture import RESNET50
from ...design.steps import parse
from .state import PUBLISHED_SIZE, SWITCHES, Design

_PYTHON = {
    "stage_ratio": "ab.steps.stage_ratio()",
    "widen": "ab.steps.widen()",
}
_TAKES_VALUE = {"depths": "stage_ratio", "width": "widen", "kernel_size": "kernel_size"}


def python_text(design: Design) -> str:
    """Return Python code that makes the network and computes its cost."""
    taken = [switch for switch in SWITCHES if switch.is_on(design.architecture)]
    rest = RESNET50.apply(*(switch.step for switch in taken)).diff(design.architecture)
    lines = ["import ablation as ab", ""]
    if not taken:
        made = "ab.RESNET50"
    else:
        steps = "".join(f"    {_python(switch.step.name)},\n" for switch in taken)
        made = f"ab.RESNET50.apply(\n{steps})"
    if rest:
        fields = ", ".join(f"{name}={value!r}" for name, (_, value) in rest.items())
        made += f".replace({fields})"
    return "\n".join([*lines, f"architecture = {made}", f"cost = ab.cost(architecture, size={design.size})"]) + "\n"


def copy_html(design: Design) -> str:
    """Return both texts, each selected as a whole by one click."""
    return (
        f'<p class="ax-note">In Python:</p><pre class="ax-code">{escape(python_text(design))}</pre>'
        f'<p class="ax-note">In a shell:</p><pre class="ax-code">{escape(command_text(design))}</pre>'
    )


def _python(name: str) -> str:
    if name.startswith("kernel_size="):
        return f"ab.steps.kernel_size({name.partition('=')[2]})"
    return _PYTHON.get(name, f"ab.steps.{name}")


def command_text(design: Design) -> str:
    """Return a command line that prints the cost of the network.

    It is `ablation profile` with the steps, or a line of Python for a network that no steps lead to.
    """
    words = []
    for switch in SWITCHES:
        value = getattr(design.architecture, switch.field)
        if switch.is_on(design.architecture):
            words.append(switch.step.name)
        elif switch.field in _TAKES_VALUE and value != getattr(RESNET50, switch.field):
            numbers = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words.append(f"{_TAKES_VALUE[switch.field]}={numbers}")
    if RESNET50.apply(*map(parse, words)) != design.architecture:
        code = f"import ablation as ab; print(ab.cost(ab.{design.architecture!r}, {design.size}))"
        return f'python -c "{code}"'
    size = "" if design.size == PUBLISHED_SIZE else f"--size {design.size}"
    return " ".join(filter(None, ["ablation profile", *words, size]))
