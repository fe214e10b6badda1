"""RegNetY, the teacher of DeiT: Radosavovic et al., "Designing Network Design Spaces", CVPR 2020, arXiv:2003.13678.

A network of convolutions. RegNetY is RegNetX with squeeze-and-excitation (section 4). Axes, by the same letter everywhere:
    B  images in a batch
    C  channels, "width" in the paper
    h  rows of the feature map, about half as many after every stride of 2; w  columns
    K  classes
"""

import math
from collections import Counter

import paddle.nn as nn
import paddle.nn.functional as F


def conv2d(in_channels, out_channels, kernel_size=1, stride=1, groups=1, bias=False):
    """nn.Conv2D that keeps the size at stride 1, with the initial values of He et al. (ICCV 2015): normal, variance
    2 / fan_out. As in the authors' code fan_out is kernel_size^2 * out_channels also where there are groups."""
    normal = nn.initializer.Normal(0.0, math.sqrt(2.0 / (kernel_size**2 * out_channels)))
    sizes = dict(kernel_size=kernel_size, stride=stride, padding=kernel_size // 2, groups=groups)
    return nn.Conv2D(in_channels, out_channels, **sizes, weight_attr=normal, bias_attr=bias)


class ConvNorm(nn.Layer):
    """A convolution without bias and a BatchNorm: [B, in_channels, h, w] to [B, out_channels, h', w']."""

    def __init__(self, in_channels, out_channels, kernel_size=1, stride=1, groups=1):
        super().__init__()
        self.conv = conv2d(in_channels, out_channels, kernel_size, stride, groups)
        self.norm = nn.BatchNorm2D(out_channels, momentum=0.9, epsilon=1e-5)

    def forward(self, x):
        return self.norm(self.conv(x))


class SqueezeExcitation(nn.Layer):
    """Weigh every channel of [B, C, h, w] by a number from 0 to 1, made from the means of all (Hu et al., CVPR 2018)."""

    def __init__(self, channels, hidden):
        super().__init__()
        self.fc1 = conv2d(channels, hidden, bias=True)
        self.fc2 = conv2d(hidden, channels, bias=True)

    def forward(self, x):
        hidden = F.relu(self.fc1(x.mean(axis=[2, 3], keepdim=True)))  # B hidden 1 1
        return x * F.sigmoid(self.fc2(hidden))  # B C h w


class Block(nn.Layer):
    """The residual block with group convolution (figure 4; bottleneck ratio 1), with squeeze-and-excitation."""

    def __init__(self, in_channels, out_channels, stride, group_width, se_ratio):
        super().__init__()
        self.conv1 = ConvNorm(in_channels, out_channels)
        self.conv2 = ConvNorm(out_channels, out_channels, 3, stride, groups=out_channels // group_width)
        self.se = SqueezeExcitation(out_channels, round(in_channels * se_ratio))  # a share of the block's input
        self.conv3 = ConvNorm(out_channels, out_channels)
        same_shape = in_channels == out_channels and stride == 1
        self.shortcut = nn.Identity() if same_shape else ConvNorm(in_channels, out_channels, 1, stride)

    def forward(self, x):
        """x: [B, in_channels, h, w] to [B, C, h / stride, w / stride], sizes rounded up."""
        shortcut = self.shortcut(x)  # B C h' w'
        x = F.relu(self.conv1(x))  # B C h w
        x = F.relu(self.conv2(x))  # B C h' w'
        x = self.conv3(self.se(x))
        return F.relu(shortcut + x)


class RegNet(nn.Layer):
    """RegNetY. Images [B, in_channels, height, width] in, logits [B, K] out; features [B, C] when num_classes is 0."""

    def __init__(
        self,
        in_channels=3,
        num_classes=1000,
        *,
        stem_width=32,
        widths,
        depths,
        group_width,
        se_ratio=0.25,
        stem_stride=2,
        image_size=None,
    ):
        """Create, under these names:

        stem: ConvNorm of 3x3 pixels, from in_channels to stem_width
        stages: nn.Sequential of as many nn.Sequentials of Blocks as there are widths
        head: nn.Linear from the last width to num_classes, with bias; nn.Identity when num_classes is 0

        Args:
            stem_width: channels of the first convolution.
            widths, depths: of each stage, channels and number of blocks; the first block of a stage has stride 2.
            group_width: channels of a group in the 3x3 convolutions.
            se_ratio: hidden channels of squeeze-and-excitation, as a share of the channels that enter the block.
            image_size: ignored, for the same call as the other models; any size works.

        Raises:
            ValueError: not one depth for each width, groups that do not divide a width, a se_ratio that leaves nothing.
        """
        super().__init__()
        if len(widths) != len(depths) or min([*widths, *depths], default=0) < 1:
            raise ValueError(f"widths={widths} and depths={depths} must be positive, one of each for every stage")
        if group_width < 1 or any(width % group_width for width in widths):
            raise ValueError(f"group_width={group_width} does not divide all of widths={widths}")
        if round(min(stem_width, *widths) * se_ratio) < 1:
            raise ValueError(f"se_ratio={se_ratio} leaves no channel of stem_width={stem_width} or widths={widths}")
        self.in_channels = in_channels
        self.stem = ConvNorm(in_channels, stem_width, 3, stem_stride)
        stages, channels = [], stem_width
        for width, depth in zip(widths, depths, strict=True):
            blocks = [Block(channels, width, 2, group_width, se_ratio)]
            blocks += [Block(width, width, 1, group_width, se_ratio) for _ in range(depth - 1)]
            stages.append(nn.Sequential(*blocks))
            channels = width
        self.stages = nn.Sequential(*stages)
        normal = nn.initializer.Normal(0.0, 0.01)
        self.head = nn.Linear(channels, num_classes, weight_attr=normal) if num_classes > 0 else nn.Identity()

    def forward_features(self, image):
        """Image [B, in_channels, height, width] to feature map [B, C, h, w].

        Raises:
            ValueError: not a batch of images, or another number of channels.
        """
        if image.ndim != 4 or image.shape[1] != self.in_channels:
            shape = f"[B, {self.in_channels}, height, width]"
            raise ValueError(f"expected images of shape {shape}, got {list(image.shape)}: is in_channels right?")
        return self.stages(F.relu(self.stem(image)))

    def forward(self, image):
        """Image [B, in_channels, height, width] to logits [B, K]: the mean of the features over all places, then head."""
        return self.head(self.forward_features(image).mean(axis=[2, 3]))


def design(w_0, w_a, w_m, depth, group_width):
    """Arguments widths, depths and group_width by the quantised linear rule (section 3.3, equations 2 to 4).

    Block j, counted from 0 through the whole network, would have width u_j = w_0 + w_a * j. Written as
    u_j = w_0 * w_m^s_j, its exponent s_j is rounded, then the width to a multiple of 8. Blocks of equal width are a
    stage; last, the width of a stage is rounded to a multiple of group_width.
    """
    blocks = Counter()  # width -> number of blocks, in increasing order
    for j in range(depth):
        s_j = math.log((w_0 + w_a * j) / w_0) / math.log(w_m)
        blocks[8 * round(w_0 * w_m ** round(s_j) / 8)] += 1
    widths = tuple(group_width * round(width / group_width) for width in blocks)
    return dict(widths=widths, depths=tuple(blocks.values()), group_width=group_width)


# name as in timm -> arguments of RegNet; the digits at the end of a name are the cost, in units of 10^8 multiply-adds.
# Figure 16 of the paper, to the digits of the authors' configuration files (pycls, configs/dds_baselines).
MODELS = {
    # not in the paper: for digits of 8x8 pixels, in_channels=1, num_classes=10
    "regnety_digits": dict(stem_width=16, stem_stride=1, widths=(32, 64), depths=(1, 2), group_width=8),
    "regnety_002": design(24, 36.44, 2.49, depth=13, group_width=8),
    "regnety_004": design(48, 27.89, 2.09, depth=16, group_width=8),
    "regnety_006": design(48, 32.54, 2.32, depth=15, group_width=16),
    "regnety_008": design(56, 38.84, 2.40, depth=14, group_width=16),
    "regnety_016": design(48, 20.71, 2.65, depth=27, group_width=24),
    "regnety_032": design(80, 42.63, 2.66, depth=21, group_width=24),
    "regnety_040": design(96, 31.41, 2.24, depth=22, group_width=64),
    "regnety_064": design(112, 33.22, 2.27, depth=25, group_width=72),
    "regnety_080": design(192, 76.82, 2.19, depth=17, group_width=56),
    "regnety_120": design(168, 73.36, 2.37, depth=19, group_width=112),
    "regnety_160": design(200, 106.23, 2.48, depth=18, group_width=112),
    "regnety_320": design(232, 115.89, 2.53, depth=20, group_width=232),
}
