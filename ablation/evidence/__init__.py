"""Analysis of a study's outcomes: tables, intervals, verdicts, effects and Shapley values. No torch.

May import `ablation.design`, `ablation.data` and `ablation.study`.
"""
