"""Parameters and multiply-accumulates (MACs) of any module, counted as the ConvNeXt paper counts them.

The MACs are those of convolutions, linear layers and attention products, which the ConvNeXt paper reports as "FLOPs".
fvcore traces the module; the rules are ours (`counting_rules`), because fvcore's own total includes norms and pooling, lacks
fused attention and rounds einsums. Element-wise operators are excluded and listed. An operator that looks like a product
and has no rule is an error, never silently zero. The count is compared with torch's own counter: if that counter finds
products that the trace lacks, this is an error too. Where fvcore cannot import or trace, torch's counter serves instead.

fvcore: Facebook Research, https://github.com/facebookresearch/fvcore, `fvcore.nn.jit_analysis`.
Torch's counter: `torch.utils.flop_counter`, which reports two FLOPs per multiply-accumulate.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ..errors import AblationError
from .counting_rules import PRODUCT, Tally
from .fvcore_trace import TraceError, trace
from .modes import device_and_dtype, evaluating, frozen, refuse_inference_mode
from .sizes import Size, image_shape
from .torch_counter import TorchCount, torch_count, torch_macs, unfused_layers, why_untraced


@dataclass(frozen=True)
class Count:
    """Counts of a module for one image, as integers.

    Args:
        params: learnt parameters.
        macs: multiply-accumulates of convolutions, linear layers and attention products.
        activations: output elements of convolutions and linear layers.
        by_operator: operator -> MACs, such as {"conv": ..., "linear": ...}.
        by_module: module name -> MACs within it; "" is the whole module.
        uncounted: operator -> number of calls excluded from the count (element-wise operators, norms, pooling).
        torch_by_operator: the same MACs according to torch's own counter, under its operator names.
        counter: "fvcore", or "torch" if fvcore could not import or trace; the operators of `by_operator` and `uncounted`
            then have torch's names.
        reason: why the counter is torch's; empty if it is fvcore.
    """

    params: int
    macs: int
    activations: int
    by_operator: dict[str, int]
    by_module: dict[str, int]
    uncounted: dict[str, int]
    torch_by_operator: dict[str, int]
    counter: str = "fvcore"
    reason: str = ""

    @property
    def flops(self) -> int:
        """Floating-point operations, two per MAC: a product and a sum. The paper uses "FLOPs" for MACs."""
        return 2 * self.macs

    @property
    def gmacs(self) -> float:
        """MACs in billions (1e9), the paper's GFLOPs."""
        return self.macs / 1e9

    @property
    def gflops(self) -> float:
        """Floating-point operations in billions (1e9): twice the paper's GFLOPs."""
        return self.flops / 1e9

    def cross_check(self) -> tuple[Comparison, ...]:
        """Return the MACs of both counters per family of operators, with the reason if they differ.

        There are no rows where torch's counter is the only one.
        """
        if self.counter == "torch":
            return ()
        rows = []
        for family, (fvcore_names, torch_names) in _FAMILIES.items():
            ours = sum(self.by_operator.get(name, 0) for name in fvcore_names)
            theirs = sum(macs for name, macs in self.torch_by_operator.items() if name in torch_names)
            if ours or theirs:
                rows.append(Comparison(family, ours, theirs, "" if ours == theirs else _REASONS[ours > theirs]))
        return tuple(rows)


@dataclass(frozen=True)
class Comparison:
    """MACs of one family of operators according to both counters.

    Args:
        operators: "convolutions" or "matrix products"; the latter are linear layers and attention.
        fvcore, torch: MACs according to each counter.
        reason: why they differ; empty if they agree.
    """

    operators: str
    fvcore: int
    torch: int
    reason: str


def count(module: nn.Module, size: Size = 224, in_chans: int = 3) -> Count:
    """Count the parameters and MACs of any module by running it on one image, once traced and once untraced.

    Args:
        module: takes (1, in_chans, height, width). Its modes, device and gradients are left unchanged.
        size: side of the square image in pixels, or (height, width).
        in_chans: channels of the image.

    Returns:
        Counts for one image: in total, by operator and by module.

    Raises:
        AblationError: if the size is no size; if the module cannot be run on such an image; if it is compiled or
            torch.inference_mode is on, both of which hide operators; if an operator that multiplies and accumulates has no
            rule here or the trace lacks one, so that the count would be too low; or if nothing was counted.

    >>> count(nn.Conv2d(3, 8, kernel_size=3, padding=1, bias=False), size=10).macs
    21600
    >>> count(nn.Conv2d(3, 8, kernel_size=1), size=(4, 6)).macs
    576
    """
    refuse_inference_mode("counting runs each operator separately")
    shape = image_shape(size, in_chans)
    _refuse_compiled(module)
    device, dtype = device_and_dtype(module)
    image = torch.zeros(1, *shape, device=device, dtype=dtype)
    name = type(module).__name__
    params = sum(parameter.numel() for parameter in module.parameters())
    # Frozen, because torch's counter fails on a parameter that is passed to a layer as its input and requires a gradient.
    with evaluating(module), frozen(module), torch.no_grad(), unfused_layers():
        torch_by_operator = torch_macs(module, image)
        tally = Tally()
        try:
            traced = trace(module, image, tally.rules)
        except TraceError as error:
            counted = _from_torch(torch_count(module, image), params, torch_by_operator, name, str(error))
        else:
            counted = Count(
                params=params,
                macs=sum(traced.by_operator.values()),
                activations=tally.activations,
                by_operator={operator: traced.by_operator.get(operator, 0) for operator in sorted(tally.operators)},
                by_module=traced.by_module,
                uncounted={**traced.uncounted, **tally.unlisted},
                torch_by_operator=torch_by_operator,
            )
            _refuse_products(sorted(filter(PRODUCT.search, counted.uncounted)), name)
            for row in counted.cross_check():
                if row.torch > row.fvcore:
                    raise AblationError(
                        f"torch's own counter finds {row.torch:,} MACs in {row.operators} of {name} and the trace "
                        f"{row.fvcore:,}, so the count would be too low by {row.torch - row.fvcore:,}. "
                        f"{why_untraced(module, image, sum(torch_by_operator.values()), counted.uncounted)}"
                    )
    if not counted.macs:
        raise AblationError(
            f"no convolution, linear layer or attention product was found in {name}: there is nothing to count. "
            f"Operators found: {', '.join(sorted({*counted.uncounted, *counted.by_operator})) or 'none'}"
        )
    return counted


def _from_torch(found: TorchCount, params: int, torch_by_operator: dict[str, int], name: str, reason: str) -> Count:
    """Return the count by torch's own counter.

    Raises:
        AblationError: if a product ran for which it has no rule either.
    """
    if found.missing:
        raise AblationError(
            f"{name} runs but {reason}, and torch's own counter has no rule for {', '.join(found.missing)}, so its MACs "
            "would be too low"
        )
    return Count(
        params=params,
        macs=sum(found.by_operator.values()),
        activations=found.activations,
        by_operator=found.by_operator,
        by_module=found.by_module,
        uncounted=found.uncounted,
        torch_by_operator=torch_by_operator,
        counter="torch",
        reason=reason,
    )


def _refuse_products(missed: list[str], name: str) -> None:
    if missed:
        raise AblationError(
            f"no rule to count {', '.join(missed)} in {name}, so its MACs would be too low. "
            "Write the layer with torch's convolutions, linear layers or scaled_dot_product_attention"
        )


def _refuse_compiled(module: nn.Module) -> None:
    """Refuse compiled and scripted parts, which run as a single operator whose content cannot be counted."""
    for name, part in module.named_modules():
        where = f"its part {name!r}" if name else type(module).__name__
        if hasattr(part, "_orig_mod") or getattr(part, "_compiled_call_impl", None) is not None:
            raise AblationError(
                f"{where} is compiled, which hides its operators: count the module before torch.compile, or the one "
                "inside, module._orig_mod"
            )
        if isinstance(part, torch.jit.ScriptModule):
            raise AblationError(f"{where} is scripted, which hides its operators: count the module it was made from")


# Families of operators in which the two counters can be compared: fvcore's names, and torch's.
_FAMILIES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "convolutions": (
        frozenset({"conv"}),
        frozenset(
            {"convolution", "_convolution", "cudnn_convolution", "_slow_conv2d_forward", "convolution_overrideable"}
        ),
    ),
    "matrix products": (
        frozenset({"linear", "addmm", "matmul", "outer", "einsum", "attention"}),
        frozenset(
            {
                "mm",
                "addmm",
                "bmm",
                "baddbmm",
                "_scaled_dot_product_efficient_attention",
                "_scaled_dot_product_flash_attention",
                "_scaled_dot_product_flash_attention_for_cpu",
                "_scaled_dot_product_cudnn_attention",
                "_efficient_attention_forward",
                "_flash_attention_forward",
            }
        ),
    ),
}
# Whether fvcore counted more than torch -> why.
_REASONS = {
    True: "torch's counter has no rule for an operator that ran: a matrix times a vector, a product written into its first "
    "argument, an outer product, an einsum without a sum, or this attention kernel; or the network differs from call to call",
    False: "the trace lacks an operator that ran",
}
