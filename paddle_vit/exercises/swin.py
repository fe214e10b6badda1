"""Lesson 3: what is run for its exercises. What is said stands in swin.yaml, by the same names; see vit.py.

Here are merging, stages and the model, and the capstone; patches, windows and the attention in them stand in
swin_windows.py, shifts and the block in swin_blocks.py, the training step in swin_step.py.
"""

import numpy as np
import paddle
import paddle.nn as nn

from paddle_vit.exercises import Case, swin_blocks, swin_step, swin_windows
from paddle_vit.exercises.vit import close

# --- merging ----------------------------------------------------------------------------------------------------------


def patch_merging(swin, draw, embed_dim=5, size=(4, 6), batch=2, scale=1.0):
    layer = draw.layer(swin.PatchMerging(embed_dim))
    return layer(draw.tensor(batch, *size, embed_dim, scale=scale))


def merged_constants(swin, draw):
    """Tokens whose channels are all alike: the norm leaves nothing of them but its bias, which is set to 0."""
    layer = draw.layer(swin.PatchMerging(5))
    layer.norm.bias.set_value(paddle.zeros_like(layer.norm.bias))
    return layer(paddle.ones([2, 4, 6, 5]))


def merged_channels(swin, draw, size):
    """The channels side by side as they stand, without norm and reduction."""
    layer, x = draw.layer(swin.PatchMerging(3)), draw.tensor(2, *size, 3)
    layer.norm, layer.reduction = nn.Identity(), nn.Identity()
    return layer(x), x


def _corners_in_order(outputs):
    """At each place the four tokens, column by column; zeros beyond the map."""
    merged, x = outputs
    _, rows, columns, _ = x.shape
    x = np.pad(x, [(0, 0), (0, rows % 2), (0, columns % 2), (0, 0)])
    wanted = np.zeros([2, (rows + 1) // 2, (columns + 1) // 2, 12])
    for row, column in np.ndindex(wanted.shape[1:3]):
        for place, (down, right) in enumerate([(0, 0), (1, 0), (0, 1), (1, 1)]):
            wanted[:, row, column, 3 * place : 3 * place + 3] = x[:, 2 * row + down, 2 * column + right]
    return merged.shape == wanted.shape and close(merged, wanted)


# --- a stage ----------------------------------------------------------------------------------------------------------


def _stage(swin, depth=2, **options):
    sizes = dict(embed_dim=6, resolution=(5, 9), depth=depth, num_heads=2, window_size=4, mlp_ratio=1.5)
    return swin.BasicLayer(**{**sizes, **options})


def basic_layer(swin, draw, batch=2, **options):
    return draw.layer(_stage(swin, **options))(draw.tensor(batch, 5, 9, 6))


def shifts_of_blocks(swin, draw, depth, **options):
    return [block.shift_size for block in _stage(swin, depth, **options).blocks]


def rates_of_blocks(swin, draw, rates):
    return [float(block.drop_path.p) for block in _stage(swin, len(rates), droppath=rates).blocks]


def influence_on_a_token(swin, draw):
    """How much each token of a map of 2x2 windows matters to the one at (1, 1), after one block and after two."""
    found = []
    for depth in (1, 2):
        layer = draw.layer(_stage(swin, depth, window_size=2, resolution=(4, 4)))
        x = draw.tensor(1, 4, 4, 6)
        found.append(paddle.grad((layer(x)[0, 1, 1] * paddle.arange(1.0, 7.0)).sum(), x)[0].abs().sum(axis=-1))
    return found


def _second_block_looks_further(outputs):
    one, two = (influence[0] > 1e-6 for influence in outputs)
    return one.sum() == 4 and one[:2, :2].all() and two.all()


# --- the model --------------------------------------------------------------------------------------------------------


def _swin(swin, **options):
    sizes = dict(
        image_size=(10, 14),
        patch_size=2,
        in_channels=2,
        num_classes=5,
        embed_dim=6,
        depths=(1, 2),
        num_heads=(2, 3),
        window_size=2,
        mlp_ratio=1.5,
    )
    return swin.SwinTransformer(**{**sizes, **options})


def _model_and_image(swin, draw, batch=2, branch=1.0, **options):
    """branch multiplies the tokens and what the blocks add to them, up to the last norm."""
    model = _swin(swin, **options)
    draw.layer(model, scale=branch)
    model.patch_embed.norm.weight.set_value(model.patch_embed.norm.weight * branch)
    height, width = model.patch_embed.image_size
    return model, draw.tensor(batch, model.in_channels, height, width)


def whole_model(swin, draw, **options):
    model, image = _model_and_image(swin, draw, **options)
    return model(image)


def created(swin, draw, **options):
    """Nothing but the initial values is looked at."""
    draw.layer(_swin(swin, **options))


def forward_features(swin, draw, **options):
    model, image = _model_and_image(swin, draw, **options)
    return model.forward_features(image)


def forward_head(swin, draw, batch=2, size=(3, 4), num_classes=5):
    model = draw.layer(_swin(swin, depths=(1, 1), num_classes=num_classes))
    return model.forward_head(draw.tensor(batch, *size, 12))


def rates_of_model(swin, draw):
    model = _swin(swin, depths=(2, 1, 2), num_heads=(1, 2, 3), droppath=0.4)
    return [float(block.drop_path.p) for layer in model.layers for block in layer.blocks]


def maps_of_stages(swin, draw):
    """Shapes of what comes out of each stage."""
    model, shapes = _swin(swin, depths=(1, 1, 1), num_heads=(1, 2, 3)), []
    x = draw.tensor(2, 5, 7, 6)
    for layer in model.layers:
        x = layer(x)
        shapes += list(x.shape)
    return shapes


def one_and_both_images(swin, draw):
    model, image = _model_and_image(swin, draw)
    return model.forward_features(image)[:1], model.forward_features(image[:1])


def features_of_plain_norm(swin, draw):
    model, image = _model_and_image(swin, draw)
    model.norm.weight.set_value(paddle.ones_like(model.norm.weight))
    model.norm.bias.set_value(paddle.zeros_like(model.norm.bias))
    return model.forward_features(image)


def _normalised(outputs):
    (x,) = outputs
    return x.shape == (2, 3, 4, 12) and close(x.mean(-1), 0.0) and close(x.var(-1), 1.0, 1e-2)


def mixed_tokens(swin, draw):
    """Logits of a map, and of the same tokens at other places."""
    model, x = draw.layer(_swin(swin, depths=(1, 1))), draw.tensor(2, 3, 4, 12)
    order = paddle.to_tensor([7, 2, 11, 0, 5, 9, 1, 10, 3, 8, 4, 6])
    other = x.flatten(1, 2).index_select(order, axis=1).reshape(x.shape)
    return model.forward_head(x), model.forward_head(other)


def _pairs_agree(outputs):
    one, other = outputs
    return one.shape == other.shape and close(one, other)


# --- what is run ------------------------------------------------------------------------------------------------------

_DROPS = dict(dropout=0.3, attention_dropout=0.2)


def _eval_and_train(run, **options):
    return [Case(run, options), Case(run, options, train=True)]


CASES = {
    **swin_windows.CASES,
    **swin_blocks.CASES,
    "PatchMerging.__init__": [
        Case(patch_merging),
        Case(patch_merging, dict(embed_dim=3, size=(5, 2), batch=1, scale=0.03)),
    ],
    "PatchMerging.forward": [
        Case(patch_merging),
        Case(patch_merging, dict(size=(3, 6))),
        Case(patch_merging, dict(embed_dim=3, size=(5, 7), batch=1)),
    ],
    "BasicLayer.__init__": [
        Case(
            basic_layer, dict(depth=3, downsample=True, qkv_bias=False, droppath=(0.1, 0.2, 0.4), **_DROPS), train=True
        ),
        Case(basic_layer, dict(depth=2, num_heads=3, batch=1, **_DROPS)),
        Case(basic_layer, dict(depth=1, downsample=True), train=True),
        Case(shifts_of_blocks, dict(depth=4, window_size=6, resolution=(7, 8))),
        Case(shifts_of_blocks, dict(depth=2, window_size=7, resolution=(10, 9))),
    ],
    "SwinTransformer.__init__": [
        # the smallest first: on the first that fails, all known mistakes are tried
        Case(whole_model, dict(depths=(1,), num_heads=(2,), num_classes=0, droppath=0.4, branch=0.03), train=True),
        Case(whole_model, dict(depths=(1, 1), qkv_bias=False, droppath=0.4, **_DROPS), train=True),
        Case(
            whole_model,
            dict(absolute_position=True, image_size=(9, 17), depths=(1, 2, 1), num_heads=(1, 3, 2), droppath=0.3),
            train=True,
        ),
        Case(created, dict(embed_dim=24, num_classes=31, absolute_position=True), initial=("",)),
    ],
    "SwinTransformer.forward_features": [
        *_eval_and_train(forward_features, absolute_position=True, droppath=0.4, **_DROPS),
        Case(forward_features, dict(depths=(1,), num_heads=(2,), batch=1)),
    ],
    "SwinTransformer.forward_head": [
        Case(forward_head),
        Case(forward_head, dict(size=(4, 2), batch=1)),
        Case(forward_head, dict(num_classes=0)),
    ],
    **swin_step.CASES,
}

PROPERTIES = {
    **swin_windows.PROPERTIES,
    **swin_blocks.PROPERTIES,
    "constants_vanish": Case(merged_constants, holds=lambda outputs: close(outputs[0], 0.0)),
    "corners_in_order": Case(merged_channels, dict(size=(3, 6)), holds=_corners_in_order),
    "shifts_in_turn": Case(
        shifts_of_blocks, dict(depth=4), holds=lambda outputs: close(np.array(outputs), [0, 2, 0, 2])
    ),
    "rates_in_turn": Case(
        rates_of_blocks, dict(rates=(0.1, 0.3, 0.2)), holds=lambda outputs: close(np.array(outputs), [0.1, 0.3, 0.2])
    ),
    "second_block_looks_further": Case(influence_on_a_token, holds=_second_block_looks_further),
    "rates_grow_over_all_stages": Case(
        rates_of_model, holds=lambda outputs: close(np.array(outputs), [0, 0.1, 0.2, 0.3, 0.4])
    ),
    "maps_halve_channels_double": Case(
        maps_of_stages, holds=lambda outputs: close(np.array(outputs), [2, 3, 4, 12, 2, 2, 2, 24, 2, 2, 2, 24])
    ),
    "images_apart": Case(one_and_both_images, holds=_pairs_agree),
    "features_normalised": Case(features_of_plain_norm, holds=_normalised),
    "places_do_not_matter": Case(mixed_tokens, holds=_pairs_agree),
    **swin_step.PROPERTIES,
}


# --- all parts together: once every exercise is passed, a training of all of the learner's code ------------------------


def one_batch(course, draw, precision):
    """A batch in two parts, with clipping, seen by the weights that it leads to; and what the model then gets right."""
    model, images = _model_and_image(course, draw, batch=4, absolute_position=True, dropout=0.1, droppath=0.2)
    images, labels = images.detach(), paddle.to_tensor([3, 0, 4, 1])
    optimizer, results = paddle.optimizer.SGD(learning_rate=0.5, parameters=model.parameters()), []
    for part, share, update in ((slice(0, 1), 0.25, False), (slice(1, 4), 0.75, True)):
        results += course.train_step(
            model,
            images[part],
            labels[part],
            optimizer,
            precision=precision,
            max_norm=0.3,
            share=share,
            update=update,
        )
    logits = model(images).detach()
    # by name: learners create layers in another order
    weights = paddle.concat([weight.detach().flatten() for _, weight in sorted(model.named_parameters())])
    return results, weights, course.accuracy(logits, labels, (1, 3))


CAPSTONE = [
    Case(whole_model, dict(depths=(2, 2, 1), num_heads=(1, 2, 3), droppath=0.4, **_DROPS), train=True),
    Case(whole_model, dict(image_size=(9, 13), window_size=3, absolute_position=True, batch=1)),
    Case(one_batch, dict(precision="float32"), train=True),
]
