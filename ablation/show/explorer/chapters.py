"""The story of the road: what each rung of the ResNet-50 ladder changes and why the paper does it, in our own words.

Paper: Liu et al. 2022, "A ConvNet for the 2020s", arXiv 2201.03545. Numbers stand in `published` and `measured`, not here.
"""

from __future__ import annotations

from dataclasses import dataclass

from .state import RUNGS


@dataclass(frozen=True)
class Chapter:
    """The text of one rung.

    Args:
        short: title on the road.
        title: heading of the story.
        what: what changes, in one sentence.
        why: why the paper does it, in two sentences.
        section: section of the paper.
    """

    short: str
    title: str
    what: str
    why: str
    section: str


_TEXTS: dict[str, tuple[str, str, str, str]] = {
    "enhanced_recipe": (
        "ResNet-50",
        "The start: ResNet-50 under a modern recipe",
        "The network of 2015 stays as it is; only its training becomes that of a 2021 Transformer: AdamW, 300 epochs and "
        "strong augmentation.",
        "Networks trained with different recipes cannot be compared, so the paper first trains ResNet-50 as Swin is trained. "
        "The recipe alone raises the accuracy by more than any single change of the architecture that follows.",
    ),
    "stage_ratio": (
        "stage ratio",
        "Stage ratio",
        "The four stages get 3, 3, 9 and 3 blocks in place of 3, 4, 6 and 3.",
        "ResNet's block counts were chosen by trial, while Swin-T divides its blocks 1 : 1 : 3 : 1. The paper adopts that "
        "ratio, which moves computation into the third stage and brings the cost close to Swin-T's.",
    ),
    "patchify_stem": (
        "patchify stem",
        "Patchify stem",
        "One 4x4 convolution of stride 4 replaces the 7x7 convolution and the max-pooling in front of the stages.",
        "Neighbouring pixels of a photograph are alike, so any stem shrinks the image at once. The paper shows that cutting it "
        "into patches that do not overlap, as vision Transformers do, serves as well as ResNet's overlapping windows.",
    ),
    "depthwise": (
        "depthwise conv",
        "Depthwise convolution",
        "The 3x3 convolution of each block gets one filter per channel, so it mixes positions but no longer channels.",
        "Self-attention also mixes positions within one channel at a time and leaves the mixing of channels to other layers. "
        "The paper accepts a loss of accuracy here because the saving pays for a wider network in the next step.",
    ),
    "widen": (
        "more width",
        "More width",
        "The first stage has 96 channels in place of 64, and each later stage grows in proportion.",
        "Depthwise convolution made the blocks cheap, and ResNeXt's advice is to spend such a saving on width. The paper "
        "chooses the 96 channels of Swin-T, and the accuracy rises above what the previous step lost.",
    ),
    "inverted_bottleneck": (
        "inverted bottleneck",
        "Inverted bottleneck",
        "The block becomes narrow at its ends and four times as wide in the middle; before, it was the other way round.",
        "The MLP of a Transformer block has that shape, and so have MobileNetV2's blocks. Although the depthwise layer gets "
        "wider, the network becomes cheaper, since the 1x1 convolutions on the shortcuts between stages shrink.",
    ),
    "move_up_depthwise": (
        "depthwise first",
        "Depthwise convolution moves up",
        "The depthwise convolution comes first in the block, where there are few channels, and the two 1x1 follow.",
        "A Transformer block also mixes positions first, by attention, and channels second, by its MLP. The paper takes a "
        "temporary loss of accuracy because a large kernel is affordable only where channels are few.",
    ),
    "kernel_size_5": (
        "kernel 5",
        "Kernel size 5, a side branch",
        "The depthwise convolution sees 5x5 positions in place of 3x3.",
        "Swin's attention looks at windows of at least 7x7, much wider than the 3x3 that ConvNets settled on after VGG. "
        "The paper therefore tries larger kernels one by one, and 5 is the first of them.",
    ),
    "kernel_size_7": (
        "kernel 7",
        "Kernel size 7",
        "The depthwise convolution sees 7x7 positions in place of 3x3.",
        "Swin's attention looks at windows of at least 7x7, and a depthwise layer at the narrow end of the block makes such a "
        "kernel cheap. The paper keeps 7, because larger kernels bring no further gain.",
    ),
    "kernel_size_9": (
        "kernel 9",
        "Kernel size 9, a side branch",
        "The depthwise convolution sees 9x9 positions in place of 3x3.",
        "The paper goes on beyond 7 to see where the gain of large kernels ends. It ends at 7: this rung is no better, so the "
        "road does not continue from it.",
    ),
    "kernel_size_11": (
        "kernel 11",
        "Kernel size 11, a side branch",
        "The depthwise convolution sees 11x11 positions in place of 3x3.",
        "The largest kernel that the paper tries on the road confirms that the gain has ended. It costs more than 7x7 and "
        "is no more accurate, so the road does not continue from it.",
    ),
    "gelu": (
        "GELU",
        "GELU in place of ReLU",
        "Each activation becomes a GELU, a smooth version of ReLU.",
        "BERT, GPT-2 and vision Transformers use GELU, so the paper asks whether a ConvNet can. It can, at the same accuracy, "
        "so this step brings the network closer to a Transformer rather than making it better.",
    ),
    "fewer_activations": (
        "fewer activations",
        "Fewer activations",
        "Each block keeps one activation, between its two 1x1 convolutions, in place of three.",
        "A Transformer block has a single activation, in its MLP, whereas ConvNets put one after nearly every convolution. "
        "Copying that habit costs nothing and brings the paper the largest gain of its small steps.",
    ),
    "fewer_norms": (
        "fewer norms",
        "Fewer norms",
        "Each block keeps one BatchNorm, after its depthwise convolution, in place of three.",
        "Transformer blocks also have fewer norms than ResNet's blocks. With one left, the network of the paper passes "
        "Swin-T, and a further norm at the start of the block did not help.",
    ),
    "layer_norm": (
        "BN to LN",
        "LayerNorm in place of BatchNorm",
        "The remaining norm normalises the channels of one position, in place of one channel over the whole batch.",
        "BatchNorm ties the images of a batch together, which can cause trouble, and Transformers use LayerNorm. In an "
        "unchanged ResNet that exchange is known to cost accuracy; after the steps before, the paper finds a small gain.",
    ),
    "strided_downsampling": (
        "separate downsampling",
        "Separate downsampling layers",
        "A norm and a 2x2 convolution of stride 2 stand between the stages; before, the first block of a stage had the stride.",
        "Swin also shrinks its maps between the stages rather than inside a block. The change alone made training diverge, so "
        "the paper adds a norm wherever the size of the map changes.",
    ),
}

CHAPTERS = tuple(
    Chapter(*_TEXTS[rung.name], section=rung.step.section or "2.1") for rung in RUNGS
)  # in the order of RUNGS
