"""Studies of many trials: designs, ladders and learning rates, the store that keeps outcomes, and the engines that run trials.

May import `ablation.design`, `ablation.network`, `ablation.measure`, `ablation.data` and `ablation.train`.
"""
