"""Images by name: `data.load("digits")`, `"cifar10#10000"` or `"imagefolder:PATH"` gives batches to train and test on.

May import `ablation.design` and the modules beside the packages (errors, files, environment).
"""

from .about import Data, DatasetInfo
from .named import NAMES, info, load

__all__ = ["NAMES", "Data", "DatasetInfo", "info", "load"]
