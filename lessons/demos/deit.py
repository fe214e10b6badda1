# Demonstrations of lesson 2. Each block is a cell of the notebooks, by its name in the text.

# %% generator
generator = np.random.default_rng(0)
print(generator.random(), generator.integers(10))
generator = np.random.default_rng(0)
print(generator.random(), generator.integers(10))
generator = np.random.default_rng(0)
print(generator.integers(10), generator.random())

# %% hungry
import json

from paddle_vit.visualize.distillation import data_efficiency_picture

table = json.loads((course / "benchmarks" / "data_efficiency.json").read_text(encoding="utf-8"))["rows"]
data_efficiency_picture([row for row in table if row["contender"] in ("vit", "teacher")])

# %% constant_weights
linear = nn.Linear(3, 4, weight_attr=nn.initializer.Constant(0.1), bias_attr=False)
output = linear(paddle.to_tensor([[1.0, 2.0, 3.0]]))
print(output.numpy())  # four channels, and all say the same
(output**2).sum().backward()
print(linear.weight.grad.numpy())  # four columns, the same gradient: they will never differ

# %% initial_values
from paddle_vit.visualize.schedule import initial_values_picture

initial_values_picture()

# %% own_samples
from paddle_vit.visualize.schedule import truncated_normal_picture

paddle.seed(0)
narrow = trunc_normal_(paddle.zeros([100000]), std=0.02)  # the bounds are -2 and 2: nothing is cut
samples = trunc_normal_(paddle.zeros([100000]), std=1.0, a=-2.0, b=2.0)  # cut at two standard deviations
for x in (narrow.numpy(), samples.numpy()):
    print(f"{x.std():.4f} {abs(x).max():.4f}")
truncated_normal_picture(samples)

# %% drop_path_batch
paddle.seed(0)
x = paddle.ones([128, 197, 4])  # a branch for a batch of 128: B T C
dropped = drop_path(x, p=0.1)
print(dropped[:16, 0, 0].numpy().round(2))  # one number for each of 16 samples
print((dropped[:, 0, 0] == 0).astype("int32").sum().item())  # how many of the 128 are dropped
print(f"{dropped.mean().item():.2f} {drop_path(x, p=0.1, training=False).mean().item():.2f}")

# %% drop_path_layers
from paddle_vit.visualize.schedule import drop_path_picture

kept = [drop_path(paddle.ones([128]), p).numpy() > 0 for p in np.linspace(0.0, 0.1, 12).tolist()]
drop_path_picture(np.stack(kept))

# %% temperature
from paddle_vit.visualize.distillation import temperature_picture

teacher_logits = paddle.to_tensor([[9.0, 7.0, 6.0, 3.0, -2.0, -3.0]])
for temperature in (0.5, 1, 3, 10):
    print(temperature, F.softmax(teacher_logits / temperature, axis=-1).numpy().round(3))
temperature_picture()

# %% soft_labels
from paddle_vit.visualize.distillation import smoothing_picture

smoothing_picture()

# %% diagram
from paddle_vit.visualize.diagrams import deit_picture

deit_picture()

# %% two_outputs
from paddle_vit.training import DATA

train_digits, test_digits = DATA["digits"].load()
images = paddle.to_tensor(train_digits.images[:5])  # 5 1 8 8
model = DeiT(image_size=8, patch_size=2, in_channels=1, num_classes=10, embed_dim=64, depth=2, num_heads=4)
print(model.patch_embedding(images).shape)  # 2 + 16 tokens
model.train()
print([logits.shape for logits in model(images)])
model.eval()
print(model(images).shape)

# %% summary
three_layers = DeiT(depth=3, num_heads=4, qkv_bias=False)
print(three_layers)
counts = paddle.summary(three_layers, (4, 3, 224, 224))

# %% smoothing_five
print(smooth_labels(np.array([0, 3]), num_classes=5, smoothing=0.1).round(3))

# %% tau_squared
teacher_logits = paddle.to_tensor([[9.0, 7.0, 6.0, 3.0, -2.0, -3.0]])
for temperature in (1.0, 3.0, 10.0, 30.0):
    student_logits = paddle.to_tensor([[0.0] * 6], stop_gradient=False)
    loss = soft_distillation_loss(student_logits, teacher_logits, temperature)
    loss.backward()
    size = student_logits.grad.norm().item()
    print(temperature, f"{size:.3f} {size / temperature**2:.5f}")  # as it is; without temperature squared

# %% soft_and_hard
student_logits = paddle.to_tensor([[3.0, 2.0, 0.0]])
for teacher_logits in ([[9.0, 0.0, 0.0]], [[3.0, 2.0, 0.0]], [[2.0, 3.0, 0.0]]):
    teacher_logits = paddle.to_tensor(teacher_logits)
    soft = soft_distillation_loss(student_logits, teacher_logits, temperature=1.0)
    hard = hard_distillation_loss(student_logits, teacher_logits)
    print(f"{soft.item():.3f} {hard.item():.3f}")

# %% two_teachers
one, other = paddle.to_tensor([[6.0, 0.0, 0.0]]), paddle.to_tensor([[0.0, 1.0, 0.0]])
for logits in (one, other, average_teachers([one, other]), (one + other) / 2):
    print(F.softmax(logits, axis=-1).numpy().round(3))

# %% flips
from paddle_vit.visualize.augmentation import gallery_picture

six = test_digits.images[test_digits.labels == 6][0]
views = {"x": six, "x[:, :, ::-1]": six[:, :, ::-1], "x[:, ::-1]": six[:, ::-1], "x[:, ::-1, ::-1]": six[:, ::-1, ::-1]}
gallery_picture(list(views.values()), list(views))

# %% operations_photo
from paddle_vit.visualize.augmentation import magnitudes_picture, operations_picture
from paddle_vit.visualize.photos import PHOTOS, load_photo

photos = np.stack([load_photo(name) * 2 - 1 for name in PHOTOS])  # 4 3 224 224, from -1 to 1
cat = photos[0]
operations_picture(cat, magnitude=9)

# %% magnitudes
magnitudes_picture(cat, "Rotate")

# %% operations_digit
operations_picture(six, magnitude=3)

# %% mixup_photos
from paddle_vit.visualize.augmentation import mixed_picture

NAMES = [("cat", "猫"), ("coffee", "咖啡"), ("flower", "花"), ("pagoda", "塔")]
one_hot = np.eye(4, dtype="float32")  # a label for each photo
mixed_picture(*mixup(photos, one_hot, np.random.default_rng(5)), NAMES)

# %% beta
generator = np.random.default_rng(0)
for alpha in (0.2, 0.8, 1.0, 8.0):
    counts = np.histogram(generator.beta(alpha, alpha, 10000), bins=5, range=(0, 1))[0]
    print(alpha, counts / 10000)

# %% boxes
generator = np.random.default_rng(0)
for _ in range(5):
    top, bottom, left, right = map(int, cutmix_box(10, 10, lam=0.75, generator=generator))
    print((top, bottom), (left, right), (bottom - top) * (right - left) / 100)

# %% cutmix_photos
mixed_picture(*cutmix(photos, one_hot, np.random.default_rng(2)), NAMES)

# %% erased
generator = np.random.default_rng(0)
erased = [random_erasing(cat, generator, probability=1.0) for _ in range(5)]
gallery_picture([cat, *erased], ["0", "1", "2", "3", "4", "5"])

# %% auto_augmented
from paddle_vit.training.operations import AUTO_AUGMENT_IMAGENET, auto_augment, to_array, to_image

generator = np.random.default_rng(0)
print(len(AUTO_AUGMENT_IMAGENET), AUTO_AUGMENT_IMAGENET[0])
image = to_image(cat)  # numbers from -1 to 1 become a PIL image
gallery_picture([image] + [auto_augment(image, generator) for _ in range(7)], list(range(8)))

# %% rand_augmented
generator = np.random.default_rng(0)
print(len(OPERATIONS), *OPERATIONS)
gallery_picture([image] + [rand_augment(image, generator) for _ in range(7)], list(range(8)))

# %% repeated
from paddle_vit.visualize.augmentation import repeated_picture

generator = np.random.default_rng(0)
order = np.repeat(generator.permutation(300)[:8], 3)  # 8 of 300 images, 3 copies each: a batch of 24
repeated_picture(order, copies=3)

# %% gallery_photos
generator = np.random.default_rng(2)
batch = [to_array(rand_augment(to_image(photo), generator)) for photo in photos]
batch = np.stack([random_erasing(photo, generator) for photo in batch])
mixed_picture(*mix(batch, smooth_labels(np.arange(4), 4), generator), NAMES)

# %% gallery_digits
MOVES = ("Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY")
generator = np.random.default_rng(12)
options = dict(magnitude=2.0, operations=MOVES, fill=0)
batch = [to_array(rand_augment(to_image(digit), generator, **options)) for digit in train_digits.images[:8]]
batch = np.stack([random_erasing(digit, generator) for digit in batch])
batch, targets = mix(batch, smooth_labels(train_digits.labels[:8], 10), generator)
mixed_picture(batch, targets)

# %% ema_toy
from paddle_vit.visualize.schedule import ema_picture

generator = np.random.default_rng(0)
toy = nn.Linear(1, 1, bias_attr=False)  # a model with a single weight, which wanders from 0 towards 1
decays = (0.9, 0.98, 0.998)
averages = {decay: {"weight": paddle.zeros([1, 1])} for decay in decays}
values, curves = [], {decay: [] for decay in decays}
for step in range(400):
    values.append(1.0 - math.exp(-step / 80) + generator.normal(0.0, 0.15))
    toy.weight.set_value(np.array([[values[-1]]], dtype="float32"))
    for decay in decays:
        update_ema(averages[decay], toy, decay)
        curves[decay].append(averages[decay]["weight"].item())
ema_picture(values, curves)

# %% ema_decays
for step in (0, 10, 100, 1000, 100000, 1000000):
    print(step, f"{ema_decay_at(step):.5f}")

# %% schedule
from paddle_vit.visualize.schedule import schedule_picture

peak = scaled_learning_rate(5e-4, batch_size=1024)
for epoch in (0, 1, 5, 100, 200, 300):
    print(epoch, f"{learning_rate_at(epoch / 300, peak, warmup=5 / 300, minimum=1e-5):.6f}")
schedule_picture(learning_rate_at)

# %% decayed
model = DeiT(embed_dim=192, depth=12, num_heads=3)  # DeiT-Ti
numbers = {True: 0, False: 0}
for name, parameter in model.named_parameters():
    numbers[has_weight_decay(name, parameter)] += math.prod(parameter.shape)
print(numbers)
print([name for name, p in model.named_parameters() if not has_weight_decay(name, p)][:8])

# %% check_all
check("all")

# %% epochs
# Epochs of every training below
EPOCHS = dict(teacher=120, student=120)

# %% few_digits
from paddle_vit.training.data import few

few_digits, other_digits = few(train_digits, test_digits, num_images=300, seed=0)
print(few_digits.images.shape, other_digits.images.shape)
print(np.bincount(few_digits.labels))  # how many of each digit

# %% teacher
paddle.seed(0)
taught = train("regnet_digits", train_images=300, epochs=EPOCHS["teacher"], evaluate_every=12, out="runs/teacher")
teacher = taught.model
print(f"{taught.test_accuracy:.1%}")

# %% teacher_says
from paddle_vit.visualize.distillation import teacher_picture

teacher.eval()
with paddle.no_grad():
    probabilities = F.softmax(teacher(paddle.to_tensor(batch)), axis=-1)  # the mixed digits from above
teacher_picture(batch, targets, probabilities)

# %% by_hand
SIZE = dict(image_size=8, patch_size=2, in_channels=1, num_classes=10)
SIZE.update(embed_dim=64, depth=4, num_heads=8, mlp_ratio=2.0, droppath=0.1)
paddle.seed(0)
draws = np.random.default_rng(0)
model = DeiT(**SIZE)
model.train()
optimizer = paddle.optimizer.AdamW(learning_rate=2e-3, parameters=model.parameters())
for step in range(8):
    smooth = smooth_labels(few_digits.labels[:32], 10)
    x, y = map(paddle.to_tensor, mix(few_digits.images[:32], smooth, draws))
    with paddle.no_grad():
        teacher_logits = teacher(x)  # the same mixed images
    loss = distilled_loss(model(x), y, teacher_logits, kind="hard")
    loss.backward()
    optimizer.step()
    optimizer.clear_grad()
    print(step, f"{loss.item():.3f}")

# %% vit_alone
OPTIONS = dict(train_images=300, epochs=EPOCHS["student"], evaluate_every=12)
OWN = [drop_path, smooth_labels, soft_distillation_loss, hard_distillation_loss, distilled_loss]
OWN += [mixup, cutmix_box, cutmix, random_erasing, rand_augment]
OWN += [update_ema, scaled_learning_rate, learning_rate_at, has_weight_decay]

runs = {}
paddle.seed(0)
options = dict(distillation="none", out="runs/vit alone", **OPTIONS)
options.update(rand_augment=0, mixup=0.0, cutmix=0.0, ema=0.0)  # nothing of the recipe
runs["vit"] = train("deit_digits", model=VisionTransformer(**SIZE), **options)

# %% vit_recipe
paddle.seed(0)
options = dict(code=OWN, distillation="none", out="runs/vit recipe", **OPTIONS)
runs["vit_recipe"] = train("deit_digits", model=VisionTransformer(**SIZE), **options)

# %% deit_soft
paddle.seed(0)
options = dict(code=OWN, distillation="soft", alpha=0.9, temperature=1.0, out="runs/deit soft", **OPTIONS)
runs["deit_soft"] = train("deit_digits", model=DeiT(**SIZE), teacher=teacher, **options)

# %% deit_hard
paddle.seed(0)
options = dict(code=OWN, distillation="hard", out="runs/deit hard", **OPTIONS)
runs["deit_hard"] = train("deit_digits", model=DeiT(**SIZE), teacher=teacher, **options)

# %% efficiency
own = {name: (300, run.test_accuracy) for name, run in runs.items()}
data_efficiency_picture(table, own={**own, "teacher": (300, taught.test_accuracy)})

# %% two_heads
model = runs["deit_hard"].model
model.eval()
images, labels = paddle.to_tensor(other_digits.images), other_digits.labels
with paddle.no_grad():
    tokens = model.forward_features(images)  # B T C
    by_class, by_distill = model.head(tokens[:, 0]), model.head_distill(tokens[:, 1])
    by_teacher = teacher(images).argmax(axis=-1).numpy()
for logits in (by_class, by_distill, (by_class + by_distill) / 2):
    predictions = logits.argmax(axis=-1).numpy()
    right, as_teacher = (predictions == labels).mean(), (predictions == by_teacher).mean()
    print(f"{right:.1%} {as_teacher:.1%}")

# %% two_tokens
with paddle.no_grad():
    x = model.patch_embedding(images)
    print(f"{F.cosine_similarity(x[:, 0], x[:, 1], axis=-1).mean().item():.2f}")
    for layer in model.encoder.layers:
        x = layer(x)
        print(f"{F.cosine_similarity(x[:, 0], x[:, 1], axis=-1).mean().item():.2f}")

# %% ema_runs
from paddle_vit.visualize.schedule import ema_runs_picture

ema_runs_picture(runs["deit_hard"].history)

# %% ablation
from paddle_vit.visualize.distillation import ablation_picture

ablation_picture(json.loads((course / "benchmarks" / "deit_digits.json").read_text(encoding="utf-8"))["rows"])
