"""What any `nn.Module` costs, sees and bases its predictions on: counts, timings, receptive fields, attributions.

Knows no other package: it takes any module, ours or not, and leaves its modes, gradients, hooks and weights unchanged.
"""
