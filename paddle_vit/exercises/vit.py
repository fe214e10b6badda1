"""Lesson 1: what is run for its exercises. What is said stands in vit.yaml, by the same names.

Every case is a small program that the grader runs twice, with the reference and with the learner's definition in its
place. Sizes are different primes where the maths allows, batch differs from tokens and heads from 1. Small numbers
(scale 0.03) stand before each LayerNorm once, because only there a wrong epsilon shows.
"""

import numpy as np
import paddle

from paddle_vit.exercises import Case

# --- the definitions at work, each as small as it can be seen in ------------------------------------------------------


def sincos_1d(vit, draw, num_positions, dim):
    return vit.sincos_1d(num_positions, dim)


def sincos_2d(vit, draw, grid, dim):
    return vit.sincos_2d(grid, dim)


def _patch_embedding(vit, draw, image_size=(6, 15), patch_size=(2, 3), in_channels=2, embed_dim=20, batch=3, **options):
    layer = vit.PatchEmbedding(
        image_size=image_size, patch_size=patch_size, in_channels=in_channels, embed_dim=embed_dim, **options
    )
    return draw.layer(layer), draw.tensor(batch, in_channels, *image_size)


def patch_embedding(vit, draw, **options):
    layer, image = _patch_embedding(vit, draw, **options)
    return layer(image)


def embed_patches(vit, draw, **options):
    layer, image = _patch_embedding(vit, draw, **options)
    return layer.embed_patches(image)


def add_class_token(vit, draw, batch=3, **options):
    layer, _ = _patch_embedding(vit, draw, **options)
    return layer.add_class_token(draw.tensor(batch, 7, 20))


def _attention(vit, draw, embed_dim=12, num_heads=3, **options):
    layer = vit.Attention(embed_dim=embed_dim, num_heads=num_heads, **options)
    return draw.layer(layer)


def split_heads(vit, draw, embed_dim=12, num_heads=3, batch=2):
    return _attention(vit, draw, embed_dim, num_heads).split_heads(draw.tensor(batch, 5, 3 * embed_dim))


def attention_weights(vit, draw, embed_dim=12, num_heads=3, batch=2):
    layer = _attention(vit, draw, embed_dim, num_heads)
    shape = [batch, num_heads, 5, embed_dim // num_heads]
    return layer.attention_weights(draw.tensor(*shape), draw.tensor(*shape))


def merge_heads(vit, draw, embed_dim=12, num_heads=3, batch=2):
    layer = _attention(vit, draw, embed_dim, num_heads)
    return layer.merge_heads(draw.tensor(batch, num_heads, 5, embed_dim // num_heads))


def attention(vit, draw, embed_dim=12, num_heads=3, batch=2, **options):
    return _attention(vit, draw, embed_dim, num_heads, **options)(draw.tensor(batch, 5, embed_dim))


def mlp(vit, draw, embed_dim=10, batch=2, **options):
    return draw.layer(vit.Mlp(embed_dim=embed_dim, **options))(draw.tensor(batch, 5, embed_dim))


def encoder_layer(vit, draw, embed_dim=24, scale=1.0, branch=1.0, batch=2, **options):
    layer = draw.layer(vit.EncoderLayer(embed_dim=embed_dim, **options), scale=branch)
    return layer(draw.tensor(batch, 5, embed_dim, scale=scale))


def encoder(vit, draw, embed_dim=24, scale=1.0, branch=1.0, batch=2, **options):
    layer = draw.layer(vit.Encoder(embed_dim=embed_dim, **options), scale=branch)
    return layer(draw.tensor(batch, 5, embed_dim, scale=scale))


def _vision_transformer(vit, **options):
    sizes = dict(
        image_size=(6, 10), patch_size=(3, 2), in_channels=2, num_classes=7, embed_dim=24, depth=1, num_heads=3
    )
    return vit.VisionTransformer(**{**sizes, **options})


def vision_transformer(vit, draw, batch=3, **options):
    return draw.layer(_vision_transformer(vit, **options))(draw.tensor(batch, 2, 6, 10))


def forward_head(vit, draw, batch=3, **options):
    model = draw.layer(_vision_transformer(vit, **options))
    return model.forward_head(draw.tensor(batch, 11, 24))


def resize(vit, draw, old_grid, new_grid, num_prefix):
    table = draw.tensor(1, num_prefix + old_grid[0] * old_grid[1], 5)
    return vit.resize_position_embedding(table, old_grid, new_grid, num_prefix)


def _eval_and_train(run, **options):
    return [Case(run, options), Case(run, options, train=True)]


CASES = {
    "sincos_1d": [
        Case(sincos_1d, dict(num_positions=7, dim=10)),
        Case(sincos_1d, dict(num_positions=13, dim=4)),
    ],
    "sincos_2d": [
        Case(sincos_2d, dict(grid=(3, 5), dim=8)),
        Case(sincos_2d, dict(grid=(7, 2), dim=12)),
    ],
    "PatchEmbedding.__init__": [
        Case(patch_embedding, dict(dropout=0.3), train=True),
        Case(patch_embedding, dict(class_token=False, dropout=0.3)),
        Case(patch_embedding, dict(position="sincos-1d", image_size=(4, 12), patch_size=(2, 3))),
        Case(patch_embedding, dict(position="none", in_channels=3)),
        Case(
            patch_embedding,
            dict(image_size=(2, 4), patch_size=2, embed_dim=4096),
            initial=("class_token", "position_embedding"),
        ),
    ],
    "PatchEmbedding.embed_patches": [
        Case(embed_patches),
        Case(embed_patches, dict(image_size=(10, 4), patch_size=2, in_channels=3, embed_dim=7, batch=1)),
    ],
    "PatchEmbedding.add_class_token": [
        Case(add_class_token),
        Case(add_class_token, dict(batch=1)),
        Case(add_class_token, dict(class_token=False)),
    ],
    "PatchEmbedding.forward": [
        *_eval_and_train(patch_embedding, dropout=0.3),
        Case(patch_embedding, dict(batch=1)),
        Case(patch_embedding, dict(class_token=False, position="sincos-2d")),
        Case(patch_embedding, dict(position="none")),
    ],
    "Attention.__init__": [
        Case(attention, dict(dropout=0.4, attention_dropout=0.2), train=True),
        Case(attention, dict(embed_dim=20, num_heads=2, qkv_bias=False, dropout=0.4, attention_dropout=0.2)),
    ],
    "Attention.split_heads": [
        Case(split_heads),
        Case(split_heads, dict(embed_dim=10, num_heads=2, batch=1)),
    ],
    "Attention.attention_weights": [
        Case(attention_weights),
        Case(attention_weights, dict(embed_dim=14, num_heads=2, batch=1)),
    ],
    "Attention.merge_heads": [
        Case(merge_heads),
        Case(merge_heads, dict(embed_dim=14, num_heads=2, batch=1)),
    ],
    "Attention.forward": [
        Case(attention),
        Case(
            attention, dict(embed_dim=20, num_heads=2, qkv_bias=False, dropout=0.4, attention_dropout=0.2), train=True
        ),
        Case(attention, dict(dropout=0.4, attention_dropout=0.2, batch=1)),
    ],
    "Mlp.__init__": [
        Case(mlp, dict(mlp_ratio=2.5, dropout=0.3), train=True),
        Case(mlp, dict(embed_dim=14, mlp_ratio=1.57, dropout=0.3)),
    ],
    "Mlp.forward": [*_eval_and_train(mlp, dropout=0.3, mlp_ratio=3.0), Case(mlp, dict(mlp_ratio=1.5, batch=1))],
    "EncoderLayer.__init__": [
        *_eval_and_train(
            encoder_layer,
            num_heads=3,
            mlp_ratio=2.5,
            qkv_bias=False,
            dropout=0.3,
            attention_dropout=0.2,
            droppath=0.4,
        ),
        Case(encoder_layer, dict(num_heads=2, mlp_ratio=1.5, dropout=0.3, droppath=0.4, scale=0.03, branch=0.03)),
    ],
    "EncoderLayer.forward": [
        *_eval_and_train(encoder_layer, num_heads=3, mlp_ratio=2.0, dropout=0.3, attention_dropout=0.2, droppath=0.4),
        Case(encoder_layer, dict(num_heads=2, mlp_ratio=1.5, scale=0.03, branch=0.03, batch=1)),
    ],
    "Encoder.__init__": [
        Case(
            encoder,
            dict(depth=3, num_heads=3, mlp_ratio=2.5, qkv_bias=False, dropout=0.3, attention_dropout=0.2, droppath=0.4),
            train=True,
        ),
        Case(encoder, dict(depth=2, num_heads=2, mlp_ratio=1.5, scale=0.03, branch=0.01)),
        Case(encoder, dict(depth=1, num_heads=2, mlp_ratio=1.5, droppath=0.4), train=True),
    ],
    "Encoder.forward": [
        *_eval_and_train(encoder, depth=2, num_heads=2, mlp_ratio=1.5, droppath=0.4),
        Case(encoder, dict(depth=1, num_heads=2, mlp_ratio=1.5, batch=1)),
    ],
    "VisionTransformer.__init__": [
        Case(
            vision_transformer,
            dict(depth=2, mlp_ratio=2.5, qkv_bias=False, dropout=0.3, attention_dropout=0.2, droppath=0.4),
            train=True,
        ),
        Case(vision_transformer, dict(pool="mean", position="sincos-2d", representation_size=13, num_classes=1)),
        Case(vision_transformer, dict(num_classes=0, position="none", mlp_ratio=1.5)),
        Case(vision_transformer, dict(embed_dim=96, num_classes=53, representation_size=61), initial=("",)),
    ],
    "VisionTransformer.forward_head": [
        Case(forward_head),
        Case(forward_head, dict(batch=1)),
        Case(forward_head, dict(pool="mean")),
        Case(forward_head, dict(representation_size=13)),
        Case(forward_head, dict(num_classes=0)),
    ],
    "resize_position_embedding": [
        Case(resize, dict(old_grid=(3, 4), new_grid=(5, 7), num_prefix=1)),
        Case(resize, dict(old_grid=(5, 3), new_grid=(2, 4), num_prefix=2)),
        Case(resize, dict(old_grid=(2, 5), new_grid=(4, 3), num_prefix=0)),
        # by the ratio of the sizes, which is rounded, 11 becomes 14 in Paddle 3.3 and 22 becomes 12 in Paddle 2.6
        Case(resize, dict(old_grid=(11, 22), new_grid=(15, 13), num_prefix=1)),
    ],
}

# --- rules that hold for every right answer ---------------------------------------------------------------------------


def _unit_pairs(outputs):
    (table,) = outputs
    pairs = table.reshape([len(table), -1, 2])
    return close((pairs**2).sum(-1), 1.0) and close(table[0], np.arange(table.shape[1]) % 2)


def _rows_share(outputs):
    (table,) = outputs
    table = table.reshape([3, 5, 8])
    return close(table[:, :, :4], table[:, :1, :4]) and close(table[:, :, 4:], table[:1, :, 4:])


def one_patch_changed(vit, draw):
    layer, image = _patch_embedding(vit, draw)
    patch = paddle.zeros_like(image)
    patch[:, :, 2:4, 6:9] = 1.0  # row 1, column 2 of the grid
    return layer.patch_embedding(image + patch) - layer.patch_embedding(image)


def _one_place(outputs):
    (change,) = outputs
    places = np.argwhere(abs(change).max(axis=(0, 1)) > 1e-3)
    return change.shape[2:] == (3, 5) and places.tolist() == [[1, 2]]


def one_token_changed(vit, draw):
    layer, image = _patch_embedding(vit, draw)
    patch = paddle.zeros_like(image)
    patch[:, :, 2:4, 6:9] = 1.0
    return layer.embed_patches(image + patch) - layer.embed_patches(image)


def _token_seven(outputs):
    (change,) = outputs
    return change.shape[1] == 15 and np.flatnonzero(abs(change).max(axis=(0, 2)) > 1e-3).tolist() == [7]


def class_token_and_rest(vit, draw):
    layer, _ = _patch_embedding(vit, draw)
    x = draw.tensor(3, 7, 20)
    return layer.add_class_token(x), x


def _same_first(outputs):
    out, x = outputs
    return out.shape == (3, 8, 20) and close(out[:, 0], out[:1, 0]) and close(out[:, 1:], x)


def two_images(vit, draw):
    layer, image = _patch_embedding(vit, draw)
    return layer(image), layer(-image)


def _first_token_stays(outputs):
    one, other = outputs
    return close(one[:, 0], other[:, 0]) and not close(one[:, 1:], other[:, 1:])


def qkv_of_zeros(vit, draw):
    return _attention(vit, draw, qkv_bias=False).qkv(paddle.zeros([2, 5, 12]))


def split_and_input(vit, draw):
    qkv = draw.tensor(2, 5, 36)
    q, k, v = _attention(vit, draw).split_heads(qkv)
    return q, k, v, qkv


def _nothing_lost(outputs):
    *parts, qkv = outputs
    return np.array_equal(np.sort(np.concatenate([part.ravel() for part in parts])), np.sort(qkv.ravel()))


def _rows_sum_to_one(outputs):
    (weights,) = outputs
    return bool((weights >= 0).all()) and close(weights.sum(-1), 1.0)


def split_and_merge(vit, draw):
    layer, qkv = _attention(vit, draw), draw.tensor(2, 5, 36)
    q, k, v = layer.split_heads(qkv)
    return layer.merge_heads(q), qkv


def _undone(outputs):
    merged, qkv = outputs
    return merged.shape == (2, 5, 12) and close(merged, qkv[..., :12])


def permuted_tokens(vit, draw):
    layer, x = _attention(vit, draw), draw.tensor(2, 5, 12)
    order = paddle.to_tensor([3, 0, 4, 1, 2])
    return layer(x).index_select(order, axis=1), layer(x.index_select(order, axis=1))


def dropped_weights(vit, draw):
    """With v = 1 everywhere and the projection switched off, each head's output shows the sum of its weights."""
    layer = _attention(vit, draw, attention_dropout=0.5)
    values = layer.qkv.weight.clone()
    values[:, 24:] = 0.0
    layer.qkv.weight.set_value(values)
    layer.qkv.bias.set_value(paddle.concat([layer.qkv.bias[:24], paddle.ones([12])]))
    layer.proj.weight.set_value(paddle.eye(12))
    layer.proj.bias.set_value(paddle.zeros([12]))
    return layer(draw.tensor(7, 11, 12))


def _heads_agree(outputs):
    (out,) = outputs
    heads = out.reshape([7, 11, 3, 4])
    return close(heads, heads[..., :1]) and heads[..., 0].std() > 0.01


def hidden_layer(vit, draw):
    return draw.layer(vit.Mlp(embed_dim=10, mlp_ratio=2.59)).fc1(paddle.zeros([2, 10]))


def mlp_of_changed_token(vit, draw):
    layer, x = draw.layer(vit.Mlp(embed_dim=10)), draw.tensor(2, 5, 10)
    change = paddle.zeros_like(x)
    change[:, 3] = 1.0
    return layer(x + change) - layer(x)


def _token_three(outputs):
    (change,) = outputs
    return np.flatnonzero(abs(change).max(axis=(0, 2)) > 1e-3).tolist() == [3]


def small_tokens(vit, draw):
    layer = vit.EncoderLayer(embed_dim=24, num_heads=3)
    x = draw.tensor(5, 7, 24, scale=0.03)
    return layer.attn_norm(x), layer.mlp_norm(x)


def _variance_one(outputs):
    # epsilon 1e-6 leaves about 1e-3 missing, 1e-5 about 1e-2
    return all(abs(out.var(axis=-1) - 1).mean() < 4e-3 for out in outputs)


def no_branches(vit, draw):
    layer = draw.layer(vit.EncoderLayer(embed_dim=24, num_heads=3, droppath=0.4))
    for last in (layer.attn.proj, layer.mlp.fc2):
        last.weight.set_value(paddle.zeros_like(last.weight))
        last.bias.set_value(paddle.zeros_like(last.bias))
    x = draw.tensor(2, 5, 24)
    return layer(x), x


def drop_path_rates(vit, draw):
    encoder = vit.Encoder(embed_dim=24, depth=5, num_heads=3, mlp_ratio=1.0, droppath=0.2)
    return paddle.to_tensor([float(layer.drop_path.p) for layer in encoder.layers])


def fresh_layers(vit, draw):
    encoder = vit.Encoder(embed_dim=24, depth=2, num_heads=3, mlp_ratio=1.0)
    return [layer.mlp.fc1.weight for layer in encoder.layers]


def _all_different(outputs):
    one, other = outputs
    return not close(one, other)


def plain_norm(vit, draw):
    layer = draw.layer(vit.Encoder(embed_dim=24, depth=2, num_heads=3, mlp_ratio=1.5))
    layer.norm.weight.set_value(paddle.ones([24]))
    layer.norm.bias.set_value(paddle.zeros([24]))
    return layer(draw.tensor(2, 5, 24))


def _normalised(outputs):
    (out,) = outputs
    return close(out.mean(axis=-1), 0.0) and close(out.var(axis=-1), 1.0, 1e-3)


def initial_weights(vit, draw):
    model = _vision_transformer(vit, embed_dim=48, num_classes=29)
    first, head = model.patch_embedding.patch_embedding, model.head
    linear = model.encoder.layers[0].attn.qkv
    return [layer.weight for layer in (first, linear, head)], [layer.bias for layer in (first, linear, head)]


def _std_and_zero(outputs):
    weights, biases = outputs[:3], outputs[3:]
    return all(0.015 < weight.std() < 0.025 for weight in weights) and all(close(bias, 0.0) for bias in biases)


def pooled(vit, draw):
    first, mean = (draw.layer(_vision_transformer(vit, pool=pool)) for pool in ("class", "mean"))
    x = draw.tensor(3, 11, 24)
    others = paddle.concat([x[:, :1], -x[:, 1:]], axis=1)
    return first.forward_head(x), first.forward_head(others), mean.forward_head(x), mean.forward_head(x.flip(axis=[1]))


def _pairs_agree(outputs):
    return all(close(one, other) for one, other in zip(outputs[::2], outputs[1::2], strict=True))


def constant_table(vit, draw):
    row = draw.tensor(1, 1, 5)
    table = paddle.concat([draw.tensor(1, 2, 5), row.expand([1, 12, 5])], axis=1)
    return vit.resize_position_embedding(table, (3, 4), (5, 7), 2), table


def _constant(outputs):
    resized, table = outputs
    return (
        resized.shape == (1, 37, 5) and close(resized[:, :2], table[:, :2], 0) and close(resized[:, 2:], table[:, 2:3])
    )


def close(a, b, tolerance=1e-5):
    """Whether two arrays agree within an absolute tolerance (everything here is of order 1); false for other shapes."""
    try:
        return bool(np.max(np.abs(a - b)) <= tolerance)
    except ValueError:
        return False


PROPERTIES = {
    "unit_pairs": Case(sincos_1d, dict(num_positions=7, dim=10), holds=_unit_pairs),
    "rows_share": Case(sincos_2d, dict(grid=(3, 5), dim=8), holds=_rows_share),
    "one_patch_one_token": Case(one_patch_changed, holds=_one_place),
    "own_patch_only": Case(one_token_changed, holds=_token_seven),
    "same_first_token": Case(class_token_and_rest, holds=_same_first),
    "class_token_ignores_image": Case(two_images, holds=_first_token_stays),
    "bias_only_when_asked": Case(qkv_of_zeros, holds=lambda outputs: close(outputs[0], 0.0)),
    "nothing_lost": Case(split_and_input, holds=_nothing_lost),
    "rows_sum_to_one": Case(attention_weights, holds=_rows_sum_to_one),
    "undoes_split": Case(split_and_merge, holds=_undone),
    "order_does_not_matter": Case(permuted_tokens, holds=_pairs_agree),
    "weights_are_dropped": Case(dropped_weights, train=True, real_dropout=True, holds=_heads_agree),
    "hidden_width": Case(hidden_layer, holds=lambda outputs: outputs[0].shape == (2, 25)),
    "token_by_token": Case(mlp_of_changed_token, holds=_token_three),
    "small_tokens_normalised": Case(small_tokens, holds=_variance_one),
    "identity_without_branches": Case(no_branches, train=True, holds=_pairs_agree),
    "rates_grow_linearly": Case(drop_path_rates, holds=lambda outputs: close(outputs[0], [0, 0.05, 0.1, 0.15, 0.2])),
    "layers_start_different": Case(fresh_layers, holds=_all_different),
    "output_normalised": Case(plain_norm, holds=_normalised),
    "initial_values": Case(initial_weights, holds=_std_and_zero),
    "reads_the_right_tokens": Case(pooled, holds=_pairs_agree),
    "constant_stays": Case(constant_table, holds=_constant),
}


# --- all parts together: once every exercise is passed, the model made of all of the learner's code --------------------


def resized_model(vit, draw):
    """A whole model after a change of resolution."""
    model = draw.layer(_vision_transformer(vit, image_size=(33, 4)))
    model.set_image_size((45, 6))
    return model(draw.tensor(1, 2, 45, 6))


def one_step(vit, draw):
    """Loss before and after a step of gradient descent, and how far each parameter moved."""
    model = draw.layer(_vision_transformer(vit, depth=3, droppath=0.1, dropout=0.1, representation_size=13))
    images, labels = draw.tensor(3, 2, 6, 10), paddle.to_tensor([4, 0, 2])
    before = [parameter.clone() for parameter in model.parameters()]
    optimizer = paddle.optimizer.SGD(learning_rate=0.01, parameters=model.parameters())
    losses = []
    for _ in range(2):
        loss = paddle.nn.functional.cross_entropy(model(images), labels)
        losses.append(loss.detach())
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
    moved = [(one - other).abs().max() for one, other in zip(before, model.parameters(), strict=True)]
    return losses, paddle.stack(moved)


def _learns(outputs):
    before, after, moved = outputs
    return bool(np.isfinite(before) and np.isfinite(after) and (moved > 0).all())


CAPSTONE = [
    Case(
        vision_transformer, dict(depth=3, mlp_ratio=2.5, dropout=0.3, attention_dropout=0.2, droppath=0.4), train=True
    ),
    Case(vision_transformer, dict(dropout=0.3, attention_dropout=0.2, droppath=0.4, batch=1)),
    Case(vision_transformer, dict(pool="mean", position="sincos-2d", representation_size=13)),
    Case(resized_model),
    Case(one_step, train=True, holds=_learns),
]
