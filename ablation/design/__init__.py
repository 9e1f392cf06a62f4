"""Architectures, steps, the paper's ladders, their cost, training recipes and trials, as frozen values.

Pure Python: importing this package needs no torch, numpy or pandas. It may import only the top-level module `errors`.
"""
