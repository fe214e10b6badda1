"""How the time of Swin and of ViT grows with the image: forward passes at 224, 448 and 672 pixels.

    python benchmarks/resolution.py [--rounds 5]

Measured: the CPU time (user and system) of a forward pass in evaluation, without gradients, one image, one thread, with all
settings of paddle_vit.runtime. Both models are in one process and take turns, size by size, in every round, after one
pass each to warm up. The table has the medians over the rounds and how many times the time at 224 pixels they are; at 672
an image has 9 times the pixels. Machines are noisy: look at the ratios.
"""

import argparse
import statistics
import sys
import time

from paddle_vit.runtime import copied_transposes, require_paddle

MODELS = ["swin_tiny_patch4_window7_224", "vit_small_patch16_224"]  # 28 and 22 million parameters
SIZES = [224, 448, 672]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    paddle = require_paddle()
    from paddle_vit.models import create_model

    paddle.set_device("cpu")
    networks = {(name, size): create_model(name, image_size=size) for name in MODELS for size in SIZES}
    images = {size: paddle.randn([1, 3, size, size]) for size in SIZES}

    def seconds(name, size):
        network = networks[name, size]
        start = time.process_time()
        network(images[size]).numpy()
        return time.process_time() - start

    seen = {key: [] for key in networks}
    with copied_transposes(), paddle.no_grad():
        for network in networks.values():
            network.eval()
        for key in networks:
            seconds(*key)
        for _ in range(args.rounds):
            for key in networks:
                seen[key].append(seconds(*key))
    print(f"Paddle {paddle.__version__}, {args.rounds} rounds, medians")
    print(f"{'':<32}{'pixels':>8}{'ms':>8}{'x 224':>8}")
    for (name, size), found in seen.items():
        median, first = statistics.median(found), statistics.median(seen[name, SIZES[0]])
        print(f"{name:<32}{size:>8}{1000 * median:>8.0f}{median / first:>8.2f}")


if __name__ == "__main__":
    sys.exit(main())
