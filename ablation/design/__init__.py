"""What is studied, as frozen values: architectures, steps, the paper's ladders, their cost, training recipes and trials.

Pure Python: importing this package needs no torch, numpy or pandas. May import only the modules beside the packages (errors).
"""
