"""Studies of many trials: designs, ladders and learning rates to train, the store that keeps outcomes, and the engines that run them.

May import `ablation.design`, `ablation.network`, `ablation.measure`, `ablation.data` and `ablation.train`.
"""
