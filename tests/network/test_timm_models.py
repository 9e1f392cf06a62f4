"""Every rung as a timm model, checked in a new process that has imported nothing else."""

import subprocess
import sys

PROGRAM = """
import timm
assert not timm.list_models("ablation_*")
import ablation.network
names = timm.list_models("ablation_*")
assert len(names) == 34, names
import torch
image = torch.zeros(2, 3, 64, 64)
model = timm.create_model("ablation_resnet50_depthwise", num_classes=10)
assert model(image).shape == (2, 10)
model.reset_classifier(5)
assert model(image).shape == (2, 5) and model.num_classes == 5
assert timm.create_model("ablation_resnet50_depthwise", num_classes=0)(image).shape == (2, 2048)
config = timm.data.resolve_model_data_config(model)
assert config["input_size"] == (3, 224, 224) and config["crop_pct"] == 0.875, config
for name in names:
    if "resnet200" in name and not name.endswith("stage_ratio"):
        continue
    features = timm.create_model(name, features_only=True).eval()
    maps = features(image)
    assert [m.shape[1] for m in maps] == features.feature_info.channels(), name
    assert [64 // m.shape[2] for m in maps] == features.feature_info.reduction() == [4, 8, 16, 32], name
two_stages = timm.create_model("ablation_resnet50_gelu", features_only=True, out_indices=(1, 3)).eval()
assert len(two_stages(image)) == 2
grayscale = timm.create_model("ablation_resnet50_strided_downsampling", drop_path_rate=0.1, in_chans=1)
assert grayscale(image[:, :1]).shape == (2, 1000)
print("passed")
"""


def test_every_rung_is_a_timm_model():
    done = subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "passed"
