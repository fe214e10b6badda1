"""Diagrams of how the parts of a model are joined."""

from matplotlib.patches import FancyBboxPatch

from paddle_vit.visualize import finish, label, new_figure, without_ticks

RESIDUAL, BRANCH = "#cc6633", "#4477aa"


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


def arrow(axes, points, color):
    """A line through points, (x, y) each, with a head at its end."""
    x, y = zip(*points, strict=True)
    axes.plot(x[:-1], y[:-1], color=color, lw=1.5)
    style = dict(arrowstyle="-|>", color=color, lw=1.5, shrinkA=0, shrinkB=0)
    axes.annotate("", points[-1], points[-2], arrowprops=style)
