"""Exact parameters and multiply-accumulates of every rung, at 224 px with 1000 classes.

The first and last rungs agree with timm's models; all rows except two round to the GFLOPs printed in the paper.
"""

RESNET50 = {
    "original_recipe": (25_557_032, 4_089_184_256),
    "enhanced_recipe": (25_557_032, 4_089_184_256),
    "stage_ratio": (28_628_520, 4_525_916_160),
    "patchify_stem": (28_622_120, 4_417_536_000),
    "depthwise": (15_722_600, 2_349_507_072),
    "widen": (33_760_936, 5_267_976_960),
    "inverted_bottleneck": (25_851_400, 4_644_406_272),
    "move_up_depthwise": (25_625_416, 4_065_080_448),
    "kernel_size_5": (25_720_648, 4_097_293_440),
    "kernel_size_7": (25_863_496, 4_145_612_928),
    "kernel_size_9": (26_053_960, 4_210_038_912),
    "kernel_size_11": (26_292_040, 4_290_571_392),
    "gelu": (25_863_496, 4_145_612_928),
    "fewer_activations": (25_863_496, 4_145_612_928),
    "fewer_norms": (25_797_256, 4_145_612_928),
    "layer_norm": (25_836_328, 4_145_612_928),
    "strided_downsampling": (28_582_504, 4_455_531_264),
}
RESNET200 = {
    "original_recipe": (64_673_832, 15_007_481_856),
    "enhanced_recipe": (64_673_832, 15_007_481_856),
    "stage_ratio": (83_066_332, 14_518_404_096),
    "patchify_stem": (83_057_932, 14_376_155_136),
    "depthwise": (42_585_472, 7_234_368_288),
    "widen": (96_526_568, 16_763_933_696),
    "inverted_bottleneck": (83_700_072, 15_679_418_368),
    "move_up_depthwise": (83_094_632, 14_627_001_856),
    "kernel_size_5": (83_369_064, 14_698_853_888),
    "kernel_size_7": (83_780_712, 14_806_631_936),
    "kernel_size_9": (84_329_576, 14_950_336_000),
    "kernel_size_11": (85_015_656, 15_129_966_080),
    "gelu": (83_780_712, 14_806_631_936),
    "fewer_activations": (83_780_712, 14_806_631_936),
    "fewer_norms": (83_600_232, 14_806_631_936),
    "layer_norm": (83_707_624, 14_806_631_936),
    "strided_downsampling": (88_573_416, 15_354_729_472),
}
LADDERS = {"resnet50": RESNET50, "resnet200": RESNET200}

SWIN = {
    "swin_tiny_patch4_window7_224": (28_288_354, 4_490_566_656),
    "swin_base_patch4_window7_224": (87_768_224, 15_430_946_816),
}
