"""Figures, tables and the interactive explorer. Functions take and return matplotlib objects and never show them.

May import `ablation.design`, `ablation.network` and `ablation.measure`. The explorer draws from `ablation.design` alone wherever
it can.
"""
