"""What two choices of others change in a ViT's logits: epsilon 1e-12 of LayerNorm, as transformers' configuration has it, and
the tanh approximation of GELU, which Google's own code computes; here they are 1e-6 and exact.

    python benchmarks/epsilon.py

Measured: the largest difference of the logits, over the largest logit, of ViT-B/16 with fresh weights on noise, and of the
trained model of the recipe vit_digits on its 500 test images, with how many answers change. Weights and images are the same.
The results are the rows of epsilon.json.
"""

import sys
import tempfile

import numpy as np
import stored

from paddle_vit.runtime import require_paddle


def main():
    paddle = require_paddle()
    import paddle_vit
    from paddle_vit.models import vit
    from paddle_vit.training.data import load_digits

    paddle.seed(0)
    fresh = paddle_vit.create_model("vit_base_patch16_224")
    with tempfile.TemporaryDirectory() as out:
        trained = paddle_vit.train("vit_digits", out=out, quiet=True).model
    exact = vit.F.gelu
    cases = {
        "ViT-B/16, fresh weights": (fresh, paddle.randn([2, 3, 224, 224])),
        "vit_digits, trained": (trained, paddle.to_tensor(load_digits()[1].images)),
    }
    for name, (model, images) in cases.items():
        model.eval()
        norms = [layer for layer in model.sublayers() if isinstance(layer, paddle.nn.LayerNorm)]

        def logits(epsilon, gelu, model=model, images=images, norms=norms):
            for norm in norms:
                norm._epsilon = epsilon
            vit.F.gelu = gelu
            with paddle.no_grad():
                result = model(images).numpy()
            vit.F.gelu = exact
            return result

        ours = logits(1e-6, exact)
        for what, theirs in (
            ("epsilon 1e-12", logits(1e-12, exact)),
            ("tanh GELU", logits(1e-6, lambda x: exact(x, approximate=True))),
        ):
            size = float(np.abs(ours - theirs).max() / np.abs(ours).max())
            changed = int((ours.argmax(axis=1) != theirs.argmax(axis=1)).sum())
            row = dict(model=name, change=what, difference=size, answers_changed=changed, answers=len(ours))
            stored.add(
                "epsilon", row, ("model", "change"), command="python benchmarks/epsilon.py", paddle=paddle.__version__
            )
            print(f"{name:26}{what:16}{size:9.1e} of the largest logit, {changed} of {len(ours)} answers change")


if __name__ == "__main__":
    sys.exit(main())
