"""Data sets by name: `data.load("digits")`, `data.load("cifar10#10000")` or `data.load("imagefolder:PATH")`.

May import `ablation.design` and the top-level modules of the package (errors, files, environment).
"""

from .about import Data, DatasetInfo
from .class_order import CLASS_ORDERS
from .named import NAMES, info, load

__all__ = ["CLASS_ORDERS", "NAMES", "Data", "DatasetInfo", "info", "load"]
