"""Help of a command with many options: in sections, as plain text that any terminal can show."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

NETWORK, RECIPE, MACHINE, RESULTS = "Network", "Data and recipe", "Machine", "Results"  # in this order


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
