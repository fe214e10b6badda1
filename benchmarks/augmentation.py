"""Whether augmentation and mixing keep the training step fed: its rate with them, beside the rate without.

    python benchmarks/augmentation.py

A ViT of width 192 with 6 layers on generated colour images of 32x32 pixels in patches of 4, batches of 64, one thread.
The recipe is DeiT's: smoothing, two operations of RandAugment of magnitude 9, erasing, mixup and cutmix. Both ways take
turns, batch by batch; what is measured is the processor's time, since Paddle works on one thread and other work on the
machine then does not count. What matters is the ratio of the medians.
"""

import statistics
import sys
import time

import numpy as np

from paddle_vit.runtime import copied_transposes, require_paddle
from paddle_vit.training.config import load_recipe
from paddle_vit.training.data import Data, Split
from paddle_vit.training.recipes_imagenet import DEIT_SETTINGS

BATCH, STEPS = 64, 20


def main():
    paddle = require_paddle()
    from paddle_vit.models import VisionTransformer
    from paddle_vit.training import soft_cross_entropy
    from paddle_vit.training.augment import training_batches
    from paddle_vit.training.step import train_step

    generator = np.random.default_rng(0)
    images = generator.uniform(-1, 1, (BATCH * STEPS, 3, 32, 32)).astype("float32")
    data = Data(3, (32, 32), 10, load=None)
    split = Split(images, generator.integers(0, 10, len(images)))
    mixing = {
        key: DEIT_SETTINGS[key]
        for key in ("label_smoothing", "rand_augment", "magnitude", "erasing", "mixup", "cutmix")
    }
    recipes = {"without": load_recipe("vit_digits", batch_size=BATCH)}
    recipes["with"] = load_recipe("vit_digits", batch_size=BATCH, **mixing)

    paddle.seed(0)
    with copied_transposes():
        model = VisionTransformer(**data.model_arguments(), patch_size=4, embed_dim=192, depth=6, num_heads=3)
        optimizer = paddle.optimizer.AdamW(parameters=model.parameters())
        running = {name: training_batches(split, recipe, data, epoch=1) for name, recipe in recipes.items()}
        seconds = {name: [] for name in recipes}
        for step in range(STEPS):
            for name in recipes if step % 2 else reversed(recipes):
                start = time.process_time()
                batch, targets = map(paddle.to_tensor, next(running[name]))
                train_step(model, batch, targets, optimizer, soft_cross_entropy)
                seconds[name].append(time.process_time() - start)
    medians = {name: statistics.median(found[2:]) for name, found in seconds.items()}
    for name, median in medians.items():
        print(f"{name + ' augmentation and mixing:':34}{1000 * median:6.0f} ms a step, {BATCH / median:5.0f} images/s")
    print(f"ratio of the rates: {medians['without'] / medians['with']:.3f}, Paddle {paddle.__version__}")


if __name__ == "__main__":
    sys.exit(main())
