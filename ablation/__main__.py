"""`python -m ablation` is the `ablation` command."""

from .cli import main

main()
