"""A training step recorded as one CUDA graph: replaying it is a single launch, where a step of a small network is hundreds.

The first steps run as usual, so that all lazy parts, such as the state of the optimizer and cuDNN's plans, exist before the
recording (https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs). A step that cannot be recorded, such as one
that reads a value from the device, goes on as usual.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..errors import first_line

WARM_UP = 3  # steps before the recording


class CapturedStep:
    """A step of training on a CUDA device that is recorded after a few calls and replayed from then on.

    Args:
        step: takes no arguments and returns nothing: its inputs and results are tensors at fixed places. It zeroes the
            gradients itself.
        optimizer: that of the step.
    """

    def __init__(self, step: Callable[[], None], optimizer: torch.optim.Optimizer) -> None:
        self._step, self._optimizer = step, optimizer
        self._stream = torch.cuda.Stream()
        self._graph: torch.cuda.CUDAGraph | None = None
        self._calls = 0
        self.obstacle = ""  # why the step cannot be recorded

    def __call__(self) -> None:
        """Take the next step; the result may arrive later."""
        if self._graph is None and self._calls >= WARM_UP and not self.obstacle:
            self._capture()
        if self._graph is not None:
            self._graph.replay()
            return
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            self._step()
        torch.cuda.current_stream().wait_stream(self._stream)
        self._calls += 1

    def _capture(self) -> None:
        graph = torch.cuda.CUDAGraph()
        self._optimizer.zero_grad(set_to_none=True)  # the gradients are to lie in the memory of the graph
        self._set_capturable(True)
        try:
            with torch.cuda.graph(graph):
                self._step()
            self._graph = graph
        except RuntimeError as error:
            self.obstacle = first_line(error)
            self._set_capturable(False)
            self._optimizer.zero_grad(set_to_none=True)

    def _set_capturable(self, value: bool) -> None:
        """Allow the recording of AdamW, which warns if it is allowed before."""
        for group in self._optimizer.param_groups:
            if "capturable" in group:
                group["capturable"] = value
