"""Pictures that a run leaves at its end, beside the learning curve."""

import numpy as np
import paddle

from paddle_vit.models import VisionTransformer

_MOST_CLASSES = 20  # in a confusion matrix that can be read
_MOST_IMAGES = 1000


def draw_pictures(out, model, split, num_classes, names=None):
    """confusion.png, for few classes, and for ViT and DeiT attention.png of the first test image.

    Args:
        out: folder of the run.
        model: the trained model.
        split: Split of test images; the first thousand are looked at.
        num_classes: K
        names: of the classes, or None.
    """
    from paddle_vit.visualize.training import confusion_picture  # late: matplotlib takes a second to load
    from paddle_vit.visualize.vit import attention_picture

    model.eval()
    if num_classes <= _MOST_CLASSES:
        count, predictions = min(len(split.labels), _MOST_IMAGES), []
        with paddle.no_grad():
            for start in range(0, count, 100):
                logits = model(paddle.to_tensor(split.images[start : min(start + 100, count)]))  # b K
                predictions.append(logits.argmax(axis=-1).numpy())
        confusion_picture(split.labels[:count], np.concatenate(predictions), names, out / "confusion.png")
    if isinstance(model, VisionTransformer):
        attention_picture(model, split.images[0:1][0], out / "attention.png")
