"""Help in sections, as plain text that any terminal can show: of the commands by purpose, of options by what they set."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperGroup

NETWORK, RECIPE, MACHINE, RESULTS = "Network", "Data and recipe", "Machine", "Results"  # in this order

# The commands by purpose, with an example of each. At 60 columns an example must still fit into a line.
SECTIONS: dict[str, dict[str, str]] = {
    "Look, and train nothing": {
        "profile": "ablation profile depthwise kernel_size=7",
        "see": "ablation see --what layers --model convnext_tiny",
        "attribute": "ablation attribute cat.png --weights FILE",
    },
    "Train": {
        "train": "ablation train --rung depthwise --epochs 20",
        "evaluate": "ablation evaluate --weights FILE --data digits",
    },
    "Study": {
        "roadmap": "ablation roadmap --data digits --seeds 3",
        "study": "ablation study factorial gelu depthwise",
        "rates": "ablation rates --data digits#500+500",
        "power": "ablation power --seeds 5",
        "status": "ablation status --store runs",
        "export": "ablation export trials.csv",
        "import": "ablation import trials.csv --store runs",
    },
    "Teach": {"explore": "ablation explore --no-browser"},
}
EXAMPLES = {name: example for commands in SECTIONS.values() for name, example in commands.items()}


def one_of(names: Iterable[str]) -> str:
    """Return names as a choice.

    >>> one_of(["micro", "small32", "paper"]), one_of(["micro"])
    ('micro, small32 or paper', 'micro')
    """
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


class SectionedGroup(TyperGroup):
    """The commands in the sections of `SECTIONS`, each with the first sentence of its help, of which nothing is cut."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands of each section and an example."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, _first_sentence(self.commands[name].help or "")) for name in commands])
                formatter.write_paragraph()
                formatter.write_text(f"Example: {next(iter(commands.values()))}")


class SectionedCommand(TyperCommand):
    """A command whose options are listed by their `rich_help_panel`, which typer itself ignores in plain text."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, and the options of each section."""
        sections: dict[str, list[tuple[str, str]]] = {
            name: [] for name in ("Arguments", NETWORK, RECIPE, MACHINE, RESULTS, "Options")
        }
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                default = "Arguments" if parameter.param_type_name == "argument" else "Options"
                sections[getattr(parameter, "rich_help_panel", None) or default].append(record)
        for name, records in sections.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the example."""
        with formatter.section("Example"):
            formatter.write_text(EXAMPLES[str(self.name)])


def _first_sentence(text: str) -> str:
    sentence = re.match(r".*?\.(?=\s|$)", " ".join(text.split()))
    return sentence.group() if sentence else text
