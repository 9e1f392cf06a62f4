"""Figures, tables and the interactive explorer. Functions take and return matplotlib objects and never display them.

May import `ablation.design`, `ablation.network` and `ablation.measure`. The explorer uses only `ablation.design` wherever
possible.
"""
