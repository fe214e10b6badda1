"""Wrong answers without a name, lesson 2: recipe.py, labels, losses and images. As in wrong_answers.py."""

WRONG_ANSWERS = [
    (
        "smooth_labels",
        "a tensor returned",
        """
        def smooth_labels(labels, num_classes, smoothing=0.1):
            return F.label_smooth(F.one_hot(paddle.to_tensor(labels), num_classes), epsilon=smoothing)
        """,
    ),
    (
        "smooth_labels",
        "softmax of the one-hot labels",
        """
        def smooth_labels(labels, num_classes, smoothing=0.1):
            one_hot = np.eye(num_classes, dtype="float32")[labels]
            e = np.exp(one_hot * (1.0 - smoothing))
            return e / e.sum(axis=1, keepdims=True)
        """,
    ),
    (
        "smooth_labels",
        "smoothed between samples of the batch",
        """
        def smooth_labels(labels, num_classes, smoothing=0.1):
            one_hot = np.eye(num_classes, dtype="float32")[labels]
            return one_hot * (1.0 - smoothing) + smoothing * one_hot.mean(axis=0)
        """,
    ),
    (
        "soft_distillation_loss",
        "right for the default temperature only",
        """
        def soft_distillation_loss(student_logits, teacher_logits, temperature=3.0):
            s, t = F.log_softmax(student_logits / 3.0, axis=-1), F.softmax(teacher_logits / 3.0, axis=-1)
            return F.kl_div(s, t, reduction="batchmean") * 9.0
        """,
    ),
    (
        "soft_distillation_loss",
        "probabilities divided by the temperature, not logits",
        """
        def soft_distillation_loss(student_logits, teacher_logits, temperature=3.0):
            s = F.softmax(student_logits, axis=-1) / temperature
            t = F.softmax(teacher_logits, axis=-1) / temperature
            return (t * (t / s).log()).sum(axis=-1).mean() * temperature**2
        """,
    ),
    (
        "soft_distillation_loss",
        "the right value without a gradient",
        """
        def soft_distillation_loss(student_logits, teacher_logits, temperature=3.0):
            s, t = F.log_softmax(student_logits / temperature, -1), F.softmax(teacher_logits / temperature, -1)
            return F.kl_div(s, t, reduction="batchmean").detach() * temperature**2
        """,
    ),
    (
        "soft_distillation_loss",
        "symmetric",
        """
        def soft_distillation_loss(student_logits, teacher_logits, temperature=3.0):
            s, t = F.softmax(student_logits / temperature, -1), F.softmax(teacher_logits / temperature, -1)
            both = (t * (t / s).log()).sum(-1) + (s * (s / t).log()).sum(-1)
            return both.mean() / 2 * temperature**2
        """,
    ),
    (
        "hard_distillation_loss",
        "mean squared error to the one-hot choice",
        """
        def hard_distillation_loss(student_logits, teacher_logits):
            labels = F.one_hot(teacher_logits.argmax(axis=-1), student_logits.shape[-1])
            return F.mse_loss(F.softmax(student_logits, axis=-1), labels)
        """,
    ),
    (
        "hard_distillation_loss",
        "a teacher so sure that it is nearly hard",
        """
        def hard_distillation_loss(student_logits, teacher_logits):
            return F.cross_entropy(student_logits, F.softmax(teacher_logits * 4.0, axis=-1), soft_label=True)
        """,
    ),
    (
        "hard_distillation_loss",
        "only where student and teacher differ",
        """
        def hard_distillation_loss(student_logits, teacher_logits):
            labels = teacher_logits.argmax(axis=-1)
            losses = F.cross_entropy(student_logits, labels, reduction="none").squeeze()
            return (losses * (student_logits.argmax(axis=-1) != labels).astype("float32")).mean()
        """,
    ),
    (
        "distilled_loss",
        "student and teacher exchanged in the distillation",
        """
        def distilled_loss(outputs, targets, teacher_logits, kind="hard", alpha=0.5, temperature=3.0):
            logits, distilled = outputs
            if kind == "soft":
                distillation = soft_distillation_loss(teacher_logits, distilled, temperature)
            else:
                distillation = hard_distillation_loss(teacher_logits, distilled)
            return (1 - alpha) * soft_cross_entropy(logits, targets) + alpha * distillation
        """,
    ),
    (
        "distilled_loss",
        "right for hard distillation with alpha a half",
        """
        def distilled_loss(outputs, targets, teacher_logits, kind="hard", alpha=0.5, temperature=3.0):
            return (soft_cross_entropy(outputs[0], targets) + hard_distillation_loss(outputs[1], teacher_logits)) / 2
        """,
    ),
    (
        "distilled_loss",
        "the distillation divided by the batch once more",
        """
        def distilled_loss(outputs, targets, teacher_logits, kind="hard", alpha=0.5, temperature=3.0):
            logits, distilled = outputs
            if kind == "soft":
                extra = soft_distillation_loss(distilled, teacher_logits, temperature) / distilled.shape[0]
            else:
                extra = hard_distillation_loss(distilled, teacher_logits) / distilled.shape[0]
            return (1 - alpha) * soft_cross_entropy(logits, targets) + alpha * extra
        """,
    ),
    (
        "average_teachers",
        "log-softmax of the mean of the logits",
        """
        def average_teachers(teacher_logits):
            return F.log_softmax(sum(teacher_logits) / len(teacher_logits), axis=-1)
        """,
    ),
    (
        "average_teachers",
        "the surest teacher of each class",
        """
        def average_teachers(teacher_logits):
            return paddle.stack([F.log_softmax(logits, axis=-1) for logits in teacher_logits]).max(axis=0)
        """,
    ),
    (
        "average_teachers",
        "right for two teachers",
        """
        def average_teachers(teacher_logits):
            one, other = teacher_logits[0], teacher_logits[-1]
            return ((F.softmax(one, axis=-1) + F.softmax(other, axis=-1)) / 2).log()
        """,
    ),
    (
        "mixup",
        "neighbours in pairs, right for a batch of two",
        """
        def mixup(images, targets, generator, alpha=0.8):
            lam = generator.beta(alpha, alpha)
            order = [i ^ 1 if i ^ 1 < len(images) else i for i in range(len(images))]
            return images * lam + images[order] * (1 - lam), targets * lam + targets[order] * (1 - lam)
        """,
    ),
    (
        "mixup",
        "the first half with the second half of an even batch",
        """
        def mixup(images, targets, generator, alpha=0.8):
            lam, half = generator.beta(alpha, alpha), len(images) // 2
            order = np.arange(len(images))
            order[:half], order[-half:] = order[-half:][::-1].copy(), order[:half].copy()
            return images * lam + images[order] * (1 - lam), targets * lam + targets[order] * (1 - lam)
        """,
    ),
    (
        "mixup",
        "another lam for the targets",
        """
        def mixup(images, targets, generator, alpha=0.8):
            lam, share = generator.beta(alpha, alpha), generator.beta(alpha, alpha)
            return images * lam + images[::-1] * (1 - lam), targets * share + targets[::-1] * (1 - share)
        """,
    ),
    (
        "mixup",
        "a generator of its own",
        """
        def mixup(images, targets, generator, alpha=0.8):
            lam = np.random.default_rng(0).beta(alpha, alpha)
            return images * lam + images[::-1] * (1 - lam), targets * lam + targets[::-1] * (1 - lam)
        """,
    ),
    (
        "cutmix_box",
        "right without clipping: pushed back into the image",
        """
        def cutmix_box(height, width, lam, generator):
            h, w = int(height * math.sqrt(1 - lam)), int(width * math.sqrt(1 - lam))
            top = min(max(int(generator.integers(height)) - h // 2, 0), height - h)
            left = min(max(int(generator.integers(width)) - w // 2, 0), width - w)
            return top, top + h, left, left + w
        """,
    ),
    (
        "cutmix_box",
        "square",
        """
        def cutmix_box(height, width, lam, generator):
            side = int(math.sqrt(height * width * (1 - lam)))
            top = int(generator.integers(height)) - side // 2
            left = int(generator.integers(width)) - side // 2
            return max(top, 0), min(top + side, height), max(left, 0), min(left + side, width)
        """,
    ),
    (
        "cutmix_box",
        "numbers that are not whole",
        """
        def cutmix_box(height, width, lam, generator):
            h, w = height * math.sqrt(1 - lam), width * math.sqrt(1 - lam)
            top, left = generator.integers(height) - h / 2, generator.integers(width) - w / 2
            return max(top, 0), min(top + h, height), max(left, 0), min(left + w, width)
        """,
    ),
    (
        "cutmix_box",
        "whole numbers as floats, which no slice takes",
        """
        def cutmix_box(height, width, lam, generator):
            h, w = height * math.sqrt(1 - lam) // 1, width * math.sqrt(1 - lam) // 1
            top, left = generator.integers(height) - h // 2, generator.integers(width) - w // 2
            return float(max(top, 0)), float(min(top + h, height)), float(max(left, 0)), float(min(left + w, width))
        """,
    ),
    (
        "cutmix",
        "a box for each image",
        """
        def cutmix(images, targets, generator, alpha=1.0):
            height, width = images.shape[2:]
            mixed, labels = images.copy(), targets.copy()
            for i in range(len(images)):
                lam = generator.beta(alpha, alpha)
                top, bottom, left, right = cutmix_box(height, width, lam, generator)
                mixed[i, :, top:bottom, left:right] = images[-1 - i, :, top:bottom, left:right]
                lam = 1 - (bottom - top) * (right - left) / (height * width)
                labels[i] = targets[i] * lam + targets[-1 - i] * (1 - lam)
            return mixed, labels
        """,
    ),
    (
        "cutmix",
        "pasted in turn into the same array, so the second half gets its own box back",
        """
        def cutmix(images, targets, generator, alpha=1.0):
            height, width = images.shape[2:]
            top, bottom, left, right = cutmix_box(height, width, generator.beta(alpha, alpha), generator)
            mixed = images.copy()
            for i in range(len(mixed)):
                mixed[i, :, top:bottom, left:right] = mixed[-1 - i, :, top:bottom, left:right]
            lam = 1 - (bottom - top) * (right - left) / (height * width)
            return mixed, targets * lam + targets[::-1] * (1 - lam)
        """,
    ),
    (
        "cutmix",
        "the rest pasted, the box kept",
        """
        def cutmix(images, targets, generator, alpha=1.0):
            height, width = images.shape[2:]
            top, bottom, left, right = cutmix_box(height, width, generator.beta(alpha, alpha), generator)
            mixed = images[::-1].copy()
            mixed[:, :, top:bottom, left:right] = images[:, :, top:bottom, left:right]
            lam = 1 - (bottom - top) * (right - left) / (height * width)
            return mixed, targets * lam + targets[::-1] * (1 - lam)
        """,
    ),
    (
        "random_erasing",
        "the last box pressed into the image when none fits",
        """
        def random_erasing(image, generator, probability=0.25, area=(0.02, 1 / 3), ratio=(0.3, 1 / 0.3)):
            if generator.random() >= probability:
                return image
            channels, rows, columns = image.shape
            for _ in range(10):
                size = generator.uniform(*area) * rows * columns
                aspect = math.exp(generator.uniform(math.log(ratio[0]), math.log(ratio[1])))
                height, width = round(math.sqrt(size * aspect)), round(math.sqrt(size / aspect))
                if height < rows and width < columns:
                    break
            height, width = min(height, rows - 1), min(width, columns - 1)
            top, left = generator.integers(rows - height + 1), generator.integers(columns - width + 1)
            erased = image.copy()
            noise = generator.standard_normal((channels, height, width))
            erased[:, top : top + height, left : left + width] = noise
            return erased
        """,
    ),
    (
        "random_erasing",
        "a box of the right size at the upper left",
        """
        def random_erasing(image, generator, probability=0.25, area=(0.02, 1 / 3), ratio=(0.3, 1 / 0.3)):
            erased = image.copy()
            if generator.random() < probability:
                channels, rows, columns = image.shape
                for _ in range(10):
                    size = generator.uniform(*area) * rows * columns
                    aspect = math.exp(generator.uniform(math.log(ratio[0]), math.log(ratio[1])))
                    height, width = round(math.sqrt(size * aspect)), round(math.sqrt(size / aspect))
                    if height < rows and width < columns:
                        erased[:, :height, :width] = generator.standard_normal((channels, height, width))
                        break
            return erased
        """,
    ),
    (
        "random_erasing",
        "defaults for the arguments area and ratio",
        """
        def random_erasing(image, generator, probability=0.25, area=(0.02, 1 / 3), ratio=(0.3, 1 / 0.3)):
            if generator.random() >= probability:
                return image
            channels, rows, columns = image.shape
            for _ in range(10):
                size = generator.uniform(0.02, 1 / 3) * rows * columns
                aspect = math.exp(generator.uniform(math.log(0.3), math.log(1 / 0.3)))
                height, width = round(math.sqrt(size * aspect)), round(math.sqrt(size / aspect))
                if height < rows and width < columns:
                    top, left = generator.integers(rows - height + 1), generator.integers(columns - width + 1)
                    erased = image.copy()
                    erased[:, top : top + height, left : left + width] = generator.standard_normal(
                        (channels, height, width)
                    )
                    return erased
            return image
        """,
    ),
    (
        "rand_augment",
        "a magnitude out of bounds replaced by the middle one",
        """
        def rand_augment(image, generator, num_operations=2, magnitude=9.0, deviation=0.5, probability=0.5, operations=tuple(OPERATIONS), fill=128):
            for _ in range(num_operations):
                name = operations[generator.integers(len(operations))]
                applied = generator.random() < probability
                strength = generator.normal(magnitude, deviation)
                if not 0 <= strength <= 10:
                    strength = magnitude
                sign = -1 if generator.random() < 0.5 else 1
                if applied:
                    image = apply_operation(image, name, strength, sign, fill=fill)
            return image
        """,
    ),
    (
        "rand_augment",
        "always two operations",
        """
        def rand_augment(image, generator, num_operations=2, magnitude=9.0, deviation=0.5, probability=0.5, operations=tuple(OPERATIONS), fill=128):
            for _ in range(2):
                name = operations[generator.integers(len(operations))]
                applied = generator.random() < probability
                strength = float(np.clip(generator.normal(magnitude, deviation), 0, 10))
                sign = -1 if generator.random() < 0.5 else 1
                if applied:
                    image = apply_operation(image, name, strength, sign, fill=fill)
            return image
        """,
    ),
    (
        "rand_augment",
        "one chance for the whole image",
        """
        def rand_augment(image, generator, num_operations=2, magnitude=9.0, deviation=0.5, probability=0.5, operations=tuple(OPERATIONS), fill=128):
            applied = generator.random() < probability
            for _ in range(num_operations):
                name = operations[generator.integers(len(operations))]
                strength = min(max(generator.normal(magnitude, deviation), 0.0), 10.0)
                sign = -1 if generator.random() < 0.5 else 1
                if applied:
                    image = apply_operation(image, name, strength, sign, fill=fill)
            return image
        """,
    ),
]
