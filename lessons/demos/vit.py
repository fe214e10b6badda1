# Demonstrations of lesson 1. Each block is a cell of the notebooks, by its name in the text.

# %% patches_digit
from paddle_vit.training import DATA
from paddle_vit.visualize.ideas import patches_picture

train_digits, test_digits = DATA["digits"].load()
digit = test_digits.images[50]
print(digit.shape, test_digits.labels[50])
patches_picture(digit, patch_size=2)

# %% patches_photo
from paddle_vit.visualize.photos import PHOTOS, load_photo

photo = load_photo(PHOTOS[0])
print(PHOTOS, photo.shape)
patches_picture(photo, patch_size=32)

# %% convolution_is_linear
convolution = nn.Conv2D(1, 5, kernel_size=2, stride=2)
image = paddle.to_tensor(digit[None])  # 1 1 8 8
by_convolution = convolution(image).flatten(2).transpose([0, 2, 1])  # 1 16 5

patches = image.reshape([4, 2, 4, 2]).transpose([0, 2, 1, 3]).reshape([16, 4])  # 16 patches of 4 pixels each
weight = convolution.weight.reshape([5, 4])  # the same numbers as the weight of a Linear
by_linear = patches @ weight.t() + convolution.bias  # 16 5

print((by_convolution[0] - by_linear).abs().max().item())

# %% expand_and_broadcast
images = paddle.randn([2, 4, 3])  # B N C
class_token = paddle.randn([1, 1, 3])
position_embedding = paddle.randn([1, 5, 3])

copies = class_token.expand([2, -1, -1])  # B 1 C; -1: as it was
tokens = paddle.concat([copies, images], axis=1)  # B 1+N C
print(copies.shape, tokens.shape)
print((tokens + position_embedding).shape)  # no expand needed

# %% tokens
from paddle_vit.visualize.tokens import tokens_picture

patch_embedding = PatchEmbedding(image_size=8, patch_size=2, in_channels=1, embed_dim=24)
patch_embedding.apply(init_weights)  # as the whole model will: the convolution starts as small as the positions
tokens_picture(patch_embedding, digit)

# %% embedding_or_parameter
embedding = nn.Embedding(17, 64)
looked_up = embedding(paddle.arange(17))
print(looked_up.shape, embedding.weight.shape)
print(bool((looked_up == embedding.weight).all()))

# %% sincos_table
from paddle_vit.visualize.ideas import sincos_picture

sincos_picture(sincos_1d(16, 64))

# %% similarity_1d
from paddle_vit.visualize.tokens import position_similarity_picture

position_similarity_picture(sincos_1d(16, 64), grid=(4, 4))

# %% similarity_2d
position_similarity_picture(sincos_2d((4, 4), 64), grid=(4, 4))

# %% qkv_heads
from paddle_vit.visualize.ideas import heads_picture

heads_picture(num_tokens=3, num_heads=2, head_dim=3)

# %% reshape_and_transpose
x = paddle.arange(6).reshape([2, 3])
print(x.numpy())
print(x.reshape([3, 2]).numpy())  # the same order of numbers, other line ends
print(x.transpose([1, 0]).numpy())  # the axes change names, the numbers their order

# %% bias
print(nn.Linear(4, 3, bias_attr=None).bias)
print(nn.Linear(4, 3, bias_attr=False).bias)

# %% scale
from paddle_vit.visualize.ideas import scale_picture

scale_picture()

# %% attention_by_hand
q = paddle.to_tensor([[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]])  # three tokens, D = 2
k = paddle.to_tensor([[0.0, 2.0], [2.0, 0.0], [1.0, 1.0]])
v = paddle.to_tensor([[10.0, 0.0], [0.0, 10.0], [5.0, 5.0]])
scores = q @ k.transpose([1, 0]) / 2**0.5
weights = F.softmax(scores, axis=-1)
print(weights.numpy().round(2))  # a row for each query
print(weights.sum(axis=-1).numpy())
print((weights @ v).numpy().round(2))

# %% own_weights
from paddle_vit.visualize.ideas import one_query_picture

paddle.seed(1)
attention = Attention(embed_dim=64, num_heads=8)
patch_embedding = PatchEmbedding(image_size=8, patch_size=2, in_channels=1, embed_dim=64)
q, k, v = attention.split_heads(attention.qkv(patch_embedding(paddle.to_tensor(digit[None]))))
weights = attention.attention_weights(q, k)  # 1 8 17 17
one_query_picture(weights[0, 0].numpy(), query=0)

# %% order_is_lost
x = paddle.randn([1, 5, 64])
order = paddle.to_tensor([3, 0, 4, 2, 1])
before = attention(paddle.index_select(x, order, axis=1))  # tokens shuffled, then attention
after = paddle.index_select(attention(x), order, axis=1)  # attention, then tokens shuffled
print((before - after).abs().max().item())

# %% gelu
from paddle_vit.visualize.ideas import gelu_picture

gelu_picture()

# %% encoder_layer
from paddle_vit.visualize.diagrams import encoder_layer_picture

encoder_layer_picture()

# %% norms
from paddle_vit.visualize.ideas import norms_picture

norms_picture()

# %% drop
from paddle_vit.visualize.ideas import drop_picture

drop_picture()

# %% summary
counts = paddle.summary(VisionTransformer(), (1, 3, 224, 224))

# %% resize
from paddle_vit.visualize.tokens import resize_picture

table = fixed_position_embedding("sincos-2d", (4, 4), 64, class_token=True)  # 1 17 64
resized = resize_position_embedding(table, (4, 4), (8, 8))  # 1 65 64
resize_picture(table, resized, (4, 4), (8, 8))

# %% epochs
# Epochs of every training below
EPOCHS = dict(own=30, positions=12, pretrain=25, finetune=5, resolution=2)

# %% by_hand
SIZE = dict(image_size=8, patch_size=2, in_channels=1, num_classes=10)
SIZE.update(embed_dim=64, depth=4, num_heads=8, mlp_ratio=2.0, droppath=0.2)
paddle.seed(0)
model = VisionTransformer(**SIZE)
images, labels = paddle.to_tensor(train_digits.images[:32]), paddle.to_tensor(train_digits.labels[:32])
optimizer = paddle.optimizer.AdamW(learning_rate=5e-4, parameters=model.parameters())
for step in range(8):
    logits = model(images)  # forward pass
    loss = F.cross_entropy(logits, labels)
    loss.backward()  # backpropagation: a gradient for every parameter
    optimizer.step()  # every parameter moves a little against its gradient
    optimizer.clear_grad()
    print(step, f"{loss.item():.3f}")

# %% train_own
paddle.seed(0)
own = train("vit_digits", model=VisionTransformer(**SIZE), epochs=EPOCHS["own"], out="runs/own")
print(f"{own.test_accuracy:.1%}")

# %% confusion
from paddle_vit.visualize.training import confusion_picture, mistakes_picture

with paddle.no_grad():
    predictions = own.model(paddle.to_tensor(test_digits.images)).argmax(axis=-1).numpy()
confusion_picture(test_digits.labels, predictions)

# %% mistakes
mistakes_picture(test_digits.images, test_digits.labels, predictions)

# %% attention_digit
from paddle_vit.visualize.vit import attention_picture, head_picture

attention_picture(own.model, digit)

# %% one_head
head_picture(own.model, digit, layer=-1, head=0)

# %% learned_positions
from paddle_vit.visualize.tokens import position_similarity_picture

position_similarity_picture(own.model.patch_embedding.position_embedding, own.model.patch_embedding.grid)


# %% two_dimensions
class RowsAndColumns(nn.Layer):
    """Learned 2-D positions: a vector for the row and a vector for the column side by side, added to the image tokens."""

    def __init__(self, grid, dim):
        super().__init__()
        self.grid = grid
        self.row = self.create_parameter([grid[0], 1, dim // 2])
        self.column = self.create_parameter([1, grid[1], dim // 2])
        trunc_normal_(self.row, std=0.02)
        trunc_normal_(self.column, std=0.02)

    def forward(self, x):
        halves = [half.expand([*self.grid, half.shape[-1]]) for half in (self.row, self.column)]
        table = paddle.concat(halves, axis=-1).flatten(0, 1)  # N C
        return x + paddle.concat([paddle.zeros([1, table.shape[-1]]), table])  # the class token has no place


# %% compare_positions
from paddle_vit.visualize.training import compare_picture

runs = {}
for name in ("none", "1-D", "2-D"):
    paddle.seed(0)
    model = VisionTransformer(**SIZE, position="learned" if name == "1-D" else "none")
    if name == "2-D":
        model.encoder.layers.insert(0, RowsAndColumns((4, 4), dim=64))
    options = dict(epochs=EPOCHS["positions"], evaluate_every=1, out=f"runs/{name} positions")
    runs[name] = train("vit_digits", model=model, **options).history
compare_picture(runs)

# %% pretrain
paddle.seed(0)
small = {**SIZE, "num_classes": 5}
pretrained = train(
    "vit_digits",
    model=VisionTransformer(**small, representation_size=64),
    data="digits_0_to_4",
    epochs=EPOCHS["pretrain"],
    out="runs/pretrained",
)

# %% finetune
paddle.seed(0)
tuned = VisionTransformer(**small, representation_size=64)
tuned.set_state_dict(pretrained.model.state_dict())  # a copy of the pre-trained model
tuned.pre_logits, tuned.head = None, nn.Linear(64, 5)  # the old head goes, one fresh Linear takes its place
runs = {}
for name, model in {"0-4, 5-9": tuned, "5-9": VisionTransformer(**small)}.items():
    options = dict(data="digits_5_to_9", epochs=EPOCHS["finetune"], evaluate_every=1, out=f"runs/{name}")
    runs[name] = train("vit_digits", model=model, **options).history
compare_picture(runs)

# %% resolution
from paddle_vit.training import evaluate


def enlarged():
    """A copy of your trained model, for images of 16x16 pixels."""
    model = VisionTransformer(**SIZE)
    model.set_state_dict(own.model.state_dict())
    model.set_image_size(16)
    return model


print(enlarged().patch_embedding.position_embedding.shape)
print(f"{evaluate(enlarged(), DATA['digits_16x16'].load()[1]):.1%}")

# %% resolution_finetune
paddle.seed(0)
runs = {}
for name, model in {"8x8, 16x16": enlarged(), "16x16": VisionTransformer(**{**SIZE, "image_size": 16})}.items():
    options = dict(data="digits_16x16", epochs=EPOCHS["resolution"], evaluate_every=1, out=f"runs/{name}")
    runs[name] = train("vit_digits", model=model, **options).history
compare_picture(runs)

# %% photo
paddle.seed(0)
tiny = VisionTransformer(embed_dim=192, depth=12, num_heads=3)  # ViT-Ti/16 at 224 pixels, in your own code
photo = load_photo(PHOTOS[0]) * 2 - 1  # from 0 to 1 to -1 to 1, as ViT is trained
attention_picture(tiny, photo)

# %% photo_head
head_picture(tiny, photo, layer=0, head=0, query=90)

# %% published
from paddle_vit.notebook import published

weights = None
weights = published(tiny, "vit_tiny_patch16_224.safetensors")  # the path of your file

# %% published_classes
from paddle_vit.visualize.predictions import classes_picture

weights and classes_picture(tiny, photo, weights.labels)

# %% published_own
from paddle_vit.visualize.photos import FOLDER, load_image

own_photo = load_image(FOLDER / "coffee.jpg") * 2 - 1  # the path of an image of your own
weights and classes_picture(tiny, own_photo, weights.labels)

# %% published_attention
weights and attention_picture(tiny, photo)

# %% published_head
weights and head_picture(tiny, photo, layer=-1, head=0)

# %% check_all
check("all")
