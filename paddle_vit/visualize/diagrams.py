"""Diagrams of how the parts of a model are joined."""

import numpy as np
from matplotlib.patches import FancyBboxPatch, Rectangle

from paddle_vit.visualize import finish, label, new_figure, without_ticks

RESIDUAL, BRANCH = "#cc6633", "#4477aa"
CLASS, DISTILL, TEACHER = "#cc6633", "#aa3377", "#666666"
MERGING = "#228833"
PATCHES = ["#4477aa", "#7799c0", "#a5bcd6", "#5f89b5"]  # of the image and its tokens


def encoder_layer_picture(path=None):
    """One encoder layer, from left to right: two branches, each beside its residual connection.

    Args:
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    figure = new_figure(10, 2.3)
    axes = figure.subplots()
    axes.set(xlim=(-0.6, 13.6), ylim=(-1.0, 1.8))
    without_ticks(axes, frame=False)
    axes.text(0, 0, "x\n[B, T, C]", ha="center", va="center", fontsize=10)
    start, width = 0.6, 1.35
    attention = ("Attention", label("tokens exchange information", "token 之间交换信息"))
    mlp = ("Mlp", label("each token by itself", "每个 token 各自计算"))
    for name, does in (attention, mlp):
        plus, end = start + 5.9, start
        for place, part in enumerate(["LayerNorm", name, "DropPath"]):
            left = start + 0.55 + 1.7 * place
            axes.add_patch(FancyBboxPatch((left, -0.35), width, 0.7, "round,pad=0.0", fc="#dde6f0", ec=BRANCH))
            axes.text(left + width / 2, 0, part, ha="center", va="center", fontsize=9)
            arrow(axes, [(end, 0), (left, 0)], BRANCH)
            end = left + width
        axes.text(start + 0.55 + 1.7 + width / 2, -0.5, does, ha="center", va="top", fontsize=8, color=BRANCH)
        arrow(axes, [(end, 0), (plus - 0.15, 0)], BRANCH)
        axes.text(plus, 0, "+", ha="center", va="center", fontsize=14, color=RESIDUAL)
        arrow(axes, [(start + 0.12, 0), (start + 0.12, 1.0), (plus, 1.0), (plus, 0.2)], RESIDUAL)
        residual = label("residual connection: x as it is", "残差连接：x 原样通过")
        axes.text((start + plus) / 2, 1.1, residual, ha="center", va="bottom", fontsize=9, color=RESIDUAL)
        start = plus + 0.15
    arrow(axes, [(start, 0), (start + 0.5, 0)], BRANCH)
    return finish(figure, path)


def deit_picture(path=None):
    """How DeiT is joined: two tokens, two heads, two losses; the teacher sees the same image; evaluation takes the mean.

    Args:
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    figure = new_figure(10, 4.6)
    axes = figure.subplots()
    axes.set(xlim=(-0.1, 15.6), ylim=(-2.3, 4.6))
    without_ticks(axes, frame=False)
    class_row, distill_row, teacher_row = 3.0, 1.4, -1.7

    # the image, and its patches in a column
    axes.text(0.75, 2.15, label("image", "图像"), ha="center", va="bottom", fontsize=9)
    for row, column in np.ndindex(2, 2):
        shade = PATCHES[2 * row + column]
        axes.add_patch(Rectangle((0.05 + 0.7 * column, 1.35 - 0.7 * row), 0.7, 0.7, fc=shade, ec="white"))
    arrow(axes, [(1.5, 1.35), (2.0, 1.35)], BRANCH)
    part(axes, 2.0, 1.35, 1.3, label("patch\nembedding", "图像块\n嵌入"))

    # the tokens: what the encoder takes and what it gives
    tokens = [(class_row, CLASS, label("class token", "类别 token"))]
    tokens += [(distill_row, DISTILL, label("distillation token", "蒸馏 token"))]
    tokens += [(0.5 - 0.42 * number, shade, "") for number, shade in enumerate(PATCHES)]
    for row, colour, name in tokens:
        for left in (4.5, 7.8):
            axes.add_patch(Rectangle((left, row - 0.17), 0.5, 0.34, fc=colour, ec="white"))
        axes.text(4.75, row + 0.24, name, ha="center", va="bottom", fontsize=9, color=colour)
        arrow(axes, [(5.05, row), (5.7, row)], colour)
        arrow(axes, [(7.1, row), (7.75, row)], colour)
    arrow(axes, [(3.3, 1.35), (3.8, 1.35), (3.8, -0.13), (4.4, -0.13)], BRANCH)
    axes.text(4.75, -1.0, label("image tokens", "图像 token"), ha="center", va="top", fontsize=9, color=BRANCH)
    axes.add_patch(FancyBboxPatch((5.7, -1.0), 1.4, 4.4, "round,pad=0.0", fc="#dde6f0", ec=BRANCH))
    axes.text(6.4, 1.35, label("encoder", "编码器"), ha="center", va="center", fontsize=10)
    axes.text(8.05, -1.0, label("not read", "不读取"), ha="center", va="top", fontsize=9, color=BRANCH)

    # two heads, two losses, and the teacher
    losses = [
        (class_row, CLASS, "head", label("cross-entropy", "交叉熵")),
        (distill_row, DISTILL, "head_distill", label("distillation\nloss", "蒸馏损失")),
    ]
    for row, colour, head, loss in losses:
        arrow(axes, [(8.35, row), (8.8, row)], colour)
        part(axes, 8.8, row, 1.5, head)
        arrow(axes, [(10.3, row), (12.0, row)], colour)
        part(axes, 12.0, row, 1.6, loss)
    arrow(axes, [(12.8, 4.05), (12.8, class_row + 0.35)], CLASS)
    axes.text(12.8, 4.1, label("labels", "标签"), ha="center", va="bottom", fontsize=9)
    arrow(axes, [(0.75, 0.6), (0.75, teacher_row), (8.4, teacher_row)], TEACHER)
    axes.text(1.0, teacher_row + 0.1, label("the same image", "同一张图像"), va="bottom", fontsize=9, color=TEACHER)
    part(axes, 8.4, teacher_row, 2.3, label("teacher\n(does not learn)", "教师模型\n(不学习)"), TEACHER)
    arrow(axes, [(10.7, teacher_row), (12.8, teacher_row), (12.8, distill_row - 0.35)], TEACHER)

    # what becomes of it: in training the sum of the losses, in evaluation the mean of the logits
    middle = (class_row + distill_row) / 2
    for row, colour, weight in ((class_row, CLASS, "1 - α"), (distill_row, DISTILL, "α")):
        end = middle + (0.25 if row > middle else -0.25)
        arrow(axes, [(13.6, row), (14.4, row), (14.4, end)], colour)
        axes.text(14.0, row + 0.1, weight, ha="center", va="bottom", fontsize=9, color=colour)
        axes.plot([10.85, 10.85], [row, end], color=colour, lw=1.5, ls=":")
    axes.text(14.4, middle, "+", ha="center", va="center", fontsize=14)
    arrow(axes, [(14.6, middle), (15.0, middle)], TEACHER)
    axes.text(15.1, middle, label("loss", "损失"), va="center", fontsize=9)
    axes.text(10.85, middle, label("mean", "平均"), ha="center", va="center", fontsize=9)
    axes.plot([11.3, 12.0], [middle, middle], color=TEACHER, lw=1.5, ls=":")
    axes.text(12.1, middle, label("prediction", "预测"), va="center", fontsize=9)
    training = label("training: a loss for each head", "训练：每个头各有一个损失")
    evaluation = label("evaluation: the mean of both logits", "评估：两个头的 logits 取平均")
    for left, style, name in ((0.0, "-", training), (4.5, ":", evaluation)):
        axes.plot([left, left + 0.6], [4.35, 4.35], color="black", lw=1.5, ls=style)
        axes.text(left + 0.75, 4.35, name, va="center", fontsize=9)
    return finish(figure, path)


def swin_picture(path=None):
    """How Swin is joined, with the shapes of Swin-T at 224x224 pixels; below, a block with windows and one with shifted ones.

    Args:
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    figure = new_figure(11, 4.2)
    axes = figure.subplots()
    axes.set(xlim=(-0.1, 18.1), ylim=(-3.1, 3.4))
    without_ticks(axes, frame=False)

    # above: the stages; below each the shape of the map in it
    row, below = 2.0, 1.15
    axes.text(0.55, row, label("image", "图像"), ha="center", va="center", fontsize=9)
    axes.text(0.65, below, "[B, 3,\n224, 224]", ha="center", va="top", fontsize=8)
    arrow(axes, [(1.1, row), (1.5, row)], BRANCH)
    part(axes, 1.5, row, 1.4, label("patch\nembedding", "图像块\n嵌入"))
    end, left, side, channels = 2.9, 3.2, 56, 96  # where the last box ends, where a stage begins
    for stage, depth in enumerate((2, 2, 6, 2), start=1):
        last = stage == 4
        arrow(axes, [(end, row), (left + 0.15, row)], BRANCH)
        frame(axes, left, row - 0.7, 2.6, 1.4)
        axes.text(
            left + 1.3, row + 0.85, label(f"stage {stage}", f"阶段 {stage}"), ha="center", va="bottom", fontsize=9
        )
        part(axes, left + 0.15, row, 2.3 if last else 0.95, label(f"{depth}\nblocks", f"{depth} 个\n块"))
        shape = f"[B, {side}, {side}, {channels}]"
        axes.text(
            left + 1.3, below, label(f"in the blocks\n{shape}", f"块里\n{shape}"), ha="center", va="top", fontsize=8
        )
        if not last:
            arrow(axes, [(left + 1.1, row), (left + 1.35, row)], BRANCH)
            part(axes, left + 1.35, row, 1.1, label("merging", "合并"), MERGING)
            side, channels = side // 2, 2 * channels
        end, left = left + 2.45, left + 2.9
    arrow(axes, [(end, row), (left, row)], BRANCH)
    part(axes, left, row, 1.0, label("norm,\nmean", "norm，\n平均"))
    axes.text(left + 0.5, below, f"[B, {channels}]", ha="center", va="top", fontsize=8)
    arrow(axes, [(left + 1.0, row), (left + 1.4, row)], BRANCH)
    part(axes, left + 1.4, row, 0.95, "head")
    axes.text(left + 1.87, below, "[B, 1000]", ha="center", va="top", fontsize=8)

    # below: two blocks of a stage, one after the other
    row, start = -1.9, 1.3
    axes.text(0.5, row, "x\n[B, H,\nW, C]", ha="center", va="center", fontsize=9)
    windows = ("W-MSA", label("attention in windows", "窗口里的注意力"))
    shifted = ("SW-MSA", label("attention in shifted windows", "移位窗口里的注意力"))
    mlp = ("MLP", label("each token by itself", "每个 token 各自计算"))
    names = [label("blocks 1, 3, ...", "第 1、3、5…个块"), label("blocks 2, 4, ...", "第 2、4、6…个块")]
    for name, branches in zip(names, ((windows, mlp), (shifted, mlp)), strict=True):
        frame(axes, start - 0.05, row - 1.1, 8.15, 2.35)
        axes.text(start + 4.0, row + 1.4, name, ha="center", va="bottom", fontsize=9)
        for branch, does in branches:
            plus = start + 3.8
            arrow(axes, [(start, row), (start + 0.4, row)], BRANCH)
            part(axes, start + 0.4, row, 1.4, "LayerNorm")
            arrow(axes, [(start + 1.8, row), (start + 2.15, row)], BRANCH)
            part(axes, start + 2.15, row, 1.15, branch)
            arrow(axes, [(start + 3.3, row), (plus - 0.15, row)], BRANCH)
            axes.text(start + 2.0, row - 0.5, does, ha="center", va="top", fontsize=8, color=BRANCH)
            axes.text(plus, row, "+", ha="center", va="center", fontsize=14, color=RESIDUAL)
            bypass = [(start + 0.12, row), (start + 0.12, row + 0.9), (plus, row + 0.9), (plus, row + 0.2)]
            arrow(axes, bypass, RESIDUAL)
            start = plus + 0.15
        start += 0.4
        arrow(axes, [(start - 0.4, row), (start, row)], BRANCH)
    return finish(figure, path)


def frame(axes, left, bottom, width, height):
    """A dotted line around what belongs together."""
    axes.add_patch(Rectangle((left, bottom), width, height, fc="none", ec=TEACHER, ls=":"))


def part(axes, left, middle, width, name, colour=BRANCH):
    """A box with the name of what it does."""
    axes.add_patch(FancyBboxPatch((left, middle - 0.35), width, 0.7, "round,pad=0.0", fc="#f3f6fa", ec=colour))
    axes.text(left + width / 2, middle, name, ha="center", va="center", fontsize=9)


def arrow(axes, points, color):
    """A line through points, (x, y) each, with a head at its end."""
    x, y = zip(*points, strict=True)
    axes.plot(x[:-1], y[:-1], color=color, lw=1.5)
    style = dict(arrowstyle="-|>", color=color, lw=1.5, shrinkA=0, shrinkB=0)
    axes.annotate("", points[-1], points[-2], arrowprops=style)
