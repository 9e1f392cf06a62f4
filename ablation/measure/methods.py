"""Attribution methods: the meaning of a map's values, the source of each method, and its caveats."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """Description of an attribution method.

    Args:
        title: name for headings.
        meaning: what one value of the map means.
        source: the paper that proposed the method.
        signed: whether negative values mean evidence against the class.
        caveat: what to know before trusting a map of this method; empty if there is nothing special.
    """

    title: str
    meaning: str
    source: str
    signed: bool
    caveat: str = ""


_GUIDED_CAVEAT = (
    "guided gradients hardly depend on the weights of the upper layers and look like an edge detector's output "
    "(Adebayo et al. 2018, arXiv 1810.03292): check with weight_randomisation before trusting them"
)

METHODS = {
    "saliency": Method(
        "saliency",
        "largest absolute gradient over the channels",
        "Simonyan et al. 2014, arXiv 1312.6034",
        signed=False,
    ),
    "input_x_gradient": Method(
        "input x gradient",
        "gradient times normalised input, summed over channels",
        "Shrikumar et al. 2017, arXiv 1605.01713",
        signed=True,
    ),
    "integrated_gradients": Method(
        "integrated gradients",
        "contribution to the rise of the logit from the baseline to the image, summed over channels",
        "Sundararajan et al. 2017, arXiv 1703.01365",
        signed=True,
    ),
    "smoothgrad": Method(
        "SmoothGrad",
        "gradient averaged over noisy copies, summed over channels",
        "Smilkov et al. 2017, arXiv 1706.03825",
        signed=True,
    ),
    "grad_cam": Method(
        "Grad-CAM",
        "last feature map weighted by its mean gradients, after a ReLU, upsampled bilinearly",
        "Selvaraju et al. 2017, arXiv 1610.02391",
        signed=False,
    ),
    "occlusion": Method(
        "occlusion",
        "drop in the logit when a square around the pixel is replaced by the baseline",
        "Zeiler and Fergus 2014, arXiv 1311.2901",
        signed=True,
    ),
    "guided_backprop": Method(
        "guided backpropagation",
        "gradient with negative parts set to zero at every ReLU, summed over channels",
        "Springenberg et al. 2015, arXiv 1412.6806",
        signed=True,
        caveat=_GUIDED_CAVEAT,
    ),
    "guided_grad_cam": Method(
        "guided Grad-CAM",
        "guided gradient times upsampled Grad-CAM, summed over channels",
        "Selvaraju et al. 2017, arXiv 1610.02391",
        signed=True,
        caveat=_GUIDED_CAVEAT,
    ),
}
