"""Run a single trial: optimizer, training loop, checkpoints and evaluation. The entry point is `run.run`.

May import `ablation.design`, `ablation.network`, `ablation.measure` and `ablation.data`.
"""
