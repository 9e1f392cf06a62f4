"""The implementation of each command of `ablation`, one file per command, and the console output that they share.

May import every other package. `ablation/cli.py` parses the command line and calls these functions.
"""
