"""One trial, from its seed to its outcome: optimizer, training loop, checkpoints and evaluation. `run.run` is the entry point.

May import `ablation.design`, `ablation.network`, `ablation.measure` and `ablation.data`.
"""
