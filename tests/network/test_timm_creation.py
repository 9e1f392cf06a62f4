"""timm models are created with what they know, and what does not fit is told before any work."""

import pytest
import torch

from ablation import AblationError
from ablation.network.timm_creation import check_takes, create_timm

WITHOUT_STOCHASTIC_DEPTH = ["vgg11", "densenet121", "dla46_c", "inception_v3", "ghostnet_050", "hrnet_w18_small"]


@pytest.mark.parametrize("name", WITHOUT_STOCHASTIC_DEPTH)
def test_stochastic_depth_is_passed_only_where_it_is_asked_for(name):
    with torch.device("meta"):
        assert create_timm(name, num_classes=3).num_classes == 3
        with pytest.raises(AblationError, match=rf"{name} has no stochastic depth.*but the recipe has drop_path 0\.1"):
            create_timm(name, drop_path=0.1)
        create_timm("test_resnet", drop_path=0.1)


def test_a_model_takes_images_or_says_what_fits():
    check_takes(create_timm("test_resnet", num_classes=10, in_chans=1), "test_resnet", 1, 8)
    vit = create_timm("test_vit", num_classes=10)
    with pytest.raises(AblationError, match=r"test_vit cannot be used on images of 3 x 8 x 8 .*made for 3 x 160 x 160"):
        check_takes(vit, "test_vit", 3, 8)
    convnext = create_timm("test_convnext")
    with pytest.raises(AblationError, match=r"3 x 8 x 8 .*Images of 32 px would do"):
        check_takes(convnext, "test_convnext", 3, 8)
    with pytest.raises(AblationError, match="images of 1 x 64 x 64"):
        check_takes(convnext, "test_convnext", 1, 64)


def test_the_check_changes_neither_the_model_nor_the_random_state():
    model = create_timm("test_resnet", num_classes=3)
    before, state = {n: v.clone() for n, v in model.state_dict().items()}, torch.get_rng_state()
    check_takes(model, "test_resnet", 3, 32)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(part.training for part in model.modules())


def test_a_model_for_one_size_is_made_for_the_size_of_the_images():
    vit = create_timm("test_vit", size=32, num_classes=10)
    check_takes(vit, "test_vit", 3, 32)
    assert vit.pos_embed.shape[1] == 1 + (32 // 16) ** 2
