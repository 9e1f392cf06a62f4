"""Run the `ablation` command with `python -m ablation`."""

from .cli import main

main()
