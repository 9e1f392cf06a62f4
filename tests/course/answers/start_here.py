"""Answers to the exercises of notebook 00."""

import ablation as ab

DIFFERENT = ab.RESNET50.diff(ab.convnext("tiny"))

RIGHT = {"changed_fields": set(DIFFERENT), "first_conv_macs": 118_013_952, "smallest_image": 32}
WRONG = {
    "changed_fields": [
        set(ab.RESNET50.to_dict()),  # all of them
        set(DIFFERENT) - {"layer_scale"},  # the paper's table has no layer scale
        set(DIFFERENT) - {"activations", "norms"},  # confused with activation and norm
        len(DIFFERENT),
        {"GELU", "LayerNorm", "7x7"},
        "depths",
    ],
    "first_conv_macs": [
        224 * 224 * 64 * 147,  # the stride forgotten
        112 * 112 * 64 * 49,  # the three input channels forgotten
        64 * 147,  # the weights
        2 * 118_013_952,  # FLOPs
        56 * 56 * 64 * 147,  # output size after the pooling
        0.118,
    ],
    "smallest_image": [1, 31, 33, 64, 224, "32", 0, 31.5],
}
