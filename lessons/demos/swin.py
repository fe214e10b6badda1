# Demonstrations of lesson 3. Each block is a cell of the notebooks, by its name in the text.

# %% hierarchy
from paddle_vit.visualize.photos import load_photo
from paddle_vit.visualize.swin import hierarchy_picture

photo = load_photo("cat")  # 3 224 224
hierarchy_picture(photo)

# %% diagram
from paddle_vit.visualize.diagrams import swin_picture

swin_picture()

# %% costs
for side, channels in ((56, 96), (14, 768)):
    tokens = side * side
    linear, pairs, windowed = 4 * tokens * channels**2, 2 * tokens**2 * channels, 2 * 7**2 * tokens * channels
    print(f"{tokens}: {linear / 1e6:.0f} {pairs / 1e6:.0f} {windowed / 1e6:.0f}")

# %% photo_windows
from paddle_vit.visualize.augmentation import gallery_picture

pixels = paddle.to_tensor(photo).transpose([1, 2, 0]).unsqueeze(0)  # 1 224 224 3
pieces = window_partition(pixels, 56)  # 16 56 56 3
print(pieces.shape, (window_reverse(pieces, 56, 224, 224) - pixels).abs().max().item())
gallery_picture(pieces.transpose([0, 3, 1, 2]).numpy(), list(range(16)), columns=4)

# %% words
from paddle_vit.visualize.relative import relative_index_words_picture

relative_index_words_picture()

# %% index
from paddle_vit.visualize.relative import relative_index_picture

relative_index_picture(window_size=2, index=relative_position_index(2))

# %% own_bias
paddle.seed(1)
fresh = WindowAttention(96, num_heads=3, window_size=7)
bias = fresh.relative_position_bias()  # 3 49 49
print(bias.shape, len(set(bias[0].flatten().tolist())))
for i, j in ((0, 1), (8, 9), (1, 0)):
    print((i, j), f"{bias[0, i, j].item():.5f}")

# %% cost_measured
import time

from paddle_vit.visualize.swin import cost_picture

everywhere, inside = Attention(96, 3), WindowAttention(96, 3, window_size=7)


def among_all(x):
    return everywhere(x.flatten(1, 2))


def in_windows(x):
    windows = inside(window_partition(x, 7).flatten(1, 2))  # nW 49 96
    return window_reverse(windows.reshape([-1, 7, 7, 96]), 7, x.shape[1], x.shape[2])


def fastest(attention, side):
    x, seconds = paddle.randn([1, side, side, 96]), []
    for _ in range(3):
        start = time.perf_counter()
        attention(x)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


sides = (14, 28, 42, 56, 84, 112)
with paddle.no_grad():
    windows_seconds = [fastest(in_windows, side) for side in sides]
    all_seconds = [fastest(among_all, side) for side in sides[:4]]
cost_picture([side**2 for side in sides], all_seconds, windows_seconds)

# %% shifted_windows
from paddle_vit.visualize.windows import windows_picture

windows_picture(photo, window_partition, cyclic_shift, window_size=7, shift_size=3)

# %% cyclic_shift_photo
from paddle_vit.visualize.windows import shift_picture

shift_picture(photo, cyclic_shift, window_size=7, shift_size=3)

# %% minus_hundred
scores = paddle.to_tensor([1.0, 2.0, 3.0])
last = paddle.to_tensor([0.0, 0.0, 1.0])
for masked in (scores, scores - 100 * last, scores + 255 * last, scores * (1 - last)):
    print(F.softmax(masked, axis=-1).numpy().round(3))

# %% own_mask
from paddle_vit.visualize.windows import mask_picture

mask_picture(shifted_window_mask((14, 14), 7, 3), (14, 14), window_size=7, shift_size=3)

# %% receptive_field
from paddle_vit.visualize.swin import receptive_field_picture

paddle.seed(0)
blocks = [SwinTransformerBlock(32, (28, 28), 2, shift_size=shift) for shift in (0, 3, 0, 3)]
unshifted = [SwinTransformerBlock(32, (28, 28), 2) for _ in range(4)]
fields = []
for chain in (blocks[:1], blocks[:2], blocks, unshifted):
    seen = paddle.randn([1, 28, 28, 32])
    seen.stop_gradient = False
    x = seen
    for block in chain:
        x = block(x)
    x[0, 14, 14].sum().backward()  # of one token of the output
    fields.append(seen.grad[0].abs().mean(axis=-1).numpy())  # H W
names = [("1 block", "1 个块"), ("2 blocks", "2 个块"), ("4 blocks", "4 个块"), ("4, no shift", "4 个块，不移位")]
receptive_field_picture(fields, names, window_size=7)

# %% merging
from paddle_vit.visualize.swin import merging_picture

merging_picture()

# %% pooled
x = paddle.randn([2, 8, 8, 96])
print(F.avg_pool2d(x, kernel_size=2, data_format="NHWC").shape)
print(PatchMerging(96)(x).shape)

# %% stages
tiny = SwinTransformer()
tiny.eval()
parts = {"patch_embed": tiny.patch_embed}
parts.update({f"layers.{i}": layer for i, layer in enumerate(tiny.layers)})
parts["norm"] = tiny.norm
x = paddle.to_tensor(photo).unsqueeze(0) * 2 - 1  # 1 3 224 224
with paddle.no_grad():
    for name, layer in parts.items():
        x = layer(x)
        print(name, x.shape, f"{sum(p.size for p in layer.parameters()):,}")
    print("head", tiny.forward_head(x).shape, f"{sum(p.size for p in tiny.head.parameters()):,}")
print(f"{sum(p.size for p in tiny.parameters()):,}")

# %% any_size
odd = SwinTransformer(image_size=(100, 150), num_classes=10)
odd_photo = paddle.to_tensor(photo[:, :100, :150]).unsqueeze(0)  # 1 3 100 150
with paddle.no_grad():
    x = odd.patch_embed(odd_photo)
    print(x.shape)
    for layer in odd.layers:
        x = layer(x)
        print(x.shape)
    print(odd(odd_photo).shape)

# %% settings
from paddle_vit.training import DATA, load_recipe
from paddle_vit.training.config import dump_recipe

recipe = load_recipe("swin_digits", epochs=3)
print(dump_recipe(recipe))

# %% clipped
one, other = paddle.create_parameter([2], "float32"), paddle.create_parameter([2], "float32")
(3.0 * one[0] + 4.0 * other[1]).backward()
print(float(clip_gradients([one, other], max_norm=1.0)))
print(one.grad.numpy().round(3), other.grad.numpy().round(3))
print(round(float(clip_gradients([one, other], max_norm=1.0)), 3))

# %% float16
from paddle_vit.visualize.precision import float16_picture

small = {**DATA[recipe.data].model_arguments(), **recipe.model_arguments, "droppath": 0.0}
digits = DATA[recipe.data].load()[0]
images, labels = paddle.to_tensor(digits.images[:32]), paddle.to_tensor(digits.labels[:32])
paddle.seed(0)
model = SwinTransformer(**small)
F.cross_entropy(model(images), labels).backward()
float16_picture([parameter.grad for parameter in model.parameters()], scale=2.0**16)

# %% no_scaling
NO_SCALING = paddle.amp.GradScaler(enable=False)
print(NO_SCALING.scale(paddle.to_tensor(3.0)).item())

# %% in_parts
paddle.seed(0)
runner = SwinTransformer(**small)
beginning = {name: value.clone() for name, value in runner.state_dict().items()}


def one_step(count, share):
    """The weights after one step with the 32 images in count parts."""
    runner.set_state_dict(beginning)
    optimizer = paddle.optimizer.SGD(learning_rate=0.1, parameters=runner.parameters())
    for part in range(count):
        chosen = slice(part * 32 // count, (part + 1) * 32 // count)
        train_step(runner, images[chosen], labels[chosen], optimizer, share=share, update=part == count - 1)
    return {name: value.clone() for name, value in runner.state_dict().items()}


def difference(weights, others):
    return max((weights[name] - others[name]).abs().max().item() for name in weights)


whole = one_step(count=1, share=1.0)
for share in (1 / 4, 1.0):
    print(f"{difference(one_step(count=4, share=share), whole):.1e}")


# %% resumed
def some_steps(steps, weights, moments=None):
    """Take these steps from these weights and moments. Returns both, as a checkpoint would hold them."""
    runner.set_state_dict(weights)
    with paddle.utils.unique_name.guard():  # Paddle counts in the names of moments; here each optimizer begins anew
        optimizer = paddle.optimizer.AdamW(learning_rate=1e-3, parameters=runner.parameters())
        if moments is not None:
            optimizer.set_state_dict(moments)
        for step in steps:
            chosen = slice(5 * step, 5 * step + 5)
            train_step(runner, images[chosen], labels[chosen], optimizer)
    return [{name: value.clone() for name, value in part.state_dict().items()} for part in (runner, optimizer)]


in_one_go, _ = some_steps(range(6), beginning)
weights, moments = some_steps(range(3), beginning)
for kept in (moments, None):
    resumed, _ = some_steps(range(3, 6), weights, kept)
    print(f"{difference(resumed, in_one_go):.1e}")

# %% topk
logits = paddle.to_tensor([[3.0, 2.0, 1.0], [2.0, 3.0, 1.0], [1.0, 3.0, 2.0], [5.0, 1.0, 0.0]])
print(accuracy(logits, paddle.zeros([4], dtype="int64"), topk=(1, 2, 3)))

# %% check_all
check("all")

# %% epochs
# Epochs of the training below
EPOCHS = dict(swin=30)

# %% large_digits
shown = [DATA[name].load()[0].images[i] for name in ("digits", "digits_32x32") for i in range(6)]
gallery_picture([image.repeat(32 // image.shape[1], 1).repeat(32 // image.shape[1], 2) for image in shown], [""] * 12)

# %% train_own
OWN = [clip_gradients, train_step, accuracy]
paddle.seed(0)
swin_run = train("swin_digits", model=SwinTransformer, code=OWN, epochs=EPOCHS["swin"])

# %% history
tested = [row for row in swin_run.history if "test_accuracy" in row]
accuracies = [row["test_accuracy"] for row in tested]
print(f"{max(accuracies):.1%} {accuracies[-1]:.1%} {tested[-1]['test_top5']:.1%}")
speeds = [row["images_per_second"] for row in swin_run.history]
print(f"{sum(speeds) / len(speeds):.0f}")

# %% learned_bias
from paddle_vit.visualize.relative import bias_picture

tables, places = [], []
for stage, layer in enumerate(swin_run.model.layers, start=1):
    for number, block in enumerate(layer.blocks, start=1):
        tables.append(block.attn.relative_position_bias_table)
        places.append(f"{stage}.{number}")
bias_picture(tables, places)
