"""Studies of many trials: designs, ladders, learning rates, the store of outcomes, and the engines that run trials.

May import `ablation.design`, `ablation.network`, `ablation.measure`, `ablation.data` and `ablation.train`.
"""
