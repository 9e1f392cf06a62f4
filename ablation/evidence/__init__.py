"""What the outcomes of a study show: tables, intervals, contrasts, verdicts, effects and Shapley values. No torch.

May import `ablation.design`, `ablation.data` and `ablation.study`.
"""
