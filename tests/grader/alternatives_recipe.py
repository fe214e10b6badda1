"""Right answers of another shape, lesson 2: recipe.py, labels, losses and images. As in alternatives.py."""

ALTERNATIVES = [
    (
        "smooth_labels",
        "one-hot and smoothing by Paddle, back to numpy",
        "from paddle.nn.functional import label_smooth, one_hot\n",
        """
        def smooth_labels(labels, num_classes, smoothing=0.1):
            targets = one_hot(paddle.to_tensor(labels), num_classes)
            return label_smooth(targets, epsilon=smoothing).numpy()
        """,
    ),
    (
        "smooth_labels",
        "filled, then the label written",
        "",
        """
        def smooth_labels(y, K, eps=0.1):
            targets = np.full((len(y), K), eps / K, dtype=np.float32)
            targets[np.arange(len(y)), y] = 1 - eps + eps / K
            return targets
        """,
    ),
    (
        "smooth_labels",
        "np.where on a comparison",
        "",
        """
        def smooth_labels(labels, num_classes, smoothing=0.1):
            hit = np.asarray(labels)[:, None] == np.arange(num_classes)
            low = smoothing / num_classes
            return np.where(hit, 1 - smoothing + low, low).astype("float32")
        """,
    ),
    (
        "smooth_labels",
        "np.add.at in a loop",
        "",
        """
        def smooth_labels(labels, num_classes, smoothing=0.1):
            targets = np.zeros((len(labels), num_classes), "float32")
            targets += smoothing / num_classes
            np.add.at(targets, (range(len(labels)), labels), 1.0 - smoothing)
            return targets
        """,
    ),
    (
        "soft_distillation_loss",
        "F.kl_div with batchmean",
        "",
        """
        def soft_distillation_loss(student_logits, teacher_logits, temperature=3.0):
            log_p = F.log_softmax(student_logits / temperature, axis=1)
            q = F.softmax(teacher_logits / temperature, axis=1)
            return F.kl_div(log_p, q, reduction="batchmean") * temperature * temperature
        """,
    ),
    (
        "soft_distillation_loss",
        "nn.KLDivLoss, sum over the batch divided",
        "import paddle.nn as nn\n",
        """
        def soft_distillation_loss(s, t, T=3.0):
            criterion = nn.KLDivLoss(reduction="sum")
            return criterion(F.log_softmax(s / T), F.softmax(t / T)) * (T * T / s.shape[0])
        """,
    ),
    (
        "soft_distillation_loss",
        "sample by sample, with a helper, cross-entropy minus entropy",
        """
        def probabilities(logits, temperature):
            e = (logits / temperature).exp()
            return e / e.sum(axis=-1, keepdim=True)
        """,
        """
        def soft_distillation_loss(student_logits, teacher_logits, temperature=3.0):
            total = 0.0
            with paddle.no_grad():
                teacher = probabilities(teacher_logits, temperature)
            for i in range(student_logits.shape[0]):
                student = probabilities(student_logits[i], temperature)
                cross = -(teacher[i] * paddle.log(student)).sum()
                entropy = -(teacher[i] * paddle.log(teacher[i])).sum()
                total = total + cross - entropy
            return total / student_logits.shape[0] * temperature**2
        """,
    ),
    (
        "soft_distillation_loss",
        "kl_div without reduction, mean of the sums",
        "",
        """
        def soft_distillation_loss(student_logits, teacher_logits, temperature=3.0):
            tau = float(temperature)
            p = F.softmax(teacher_logits.detach() / tau, axis=-1)
            loss = F.kl_div(F.log_softmax(student_logits / tau, axis=-1), p, reduction="none")
            return tau**2 * paddle.mean(paddle.sum(loss, axis=1))
        """,
    ),
    (
        "hard_distillation_loss",
        "one-hot labels as soft labels",
        "",
        """
        def hard_distillation_loss(student_logits, teacher_logits):
            labels = F.one_hot(paddle.argmax(teacher_logits, axis=1), student_logits.shape[1])
            return F.cross_entropy(input=student_logits, label=labels, soft_label=True)
        """,
    ),
    (
        "hard_distillation_loss",
        "log-softmax gathered by hand, after an unnecessary softmax of the teacher",
        "",
        """
        def hard_distillation_loss(student, teacher):
            labels = F.softmax(teacher, axis=-1).argmax(axis=-1)
            log_p = F.log_softmax(student, axis=-1)
            picked = [log_p[i, int(label)] for i, label in enumerate(labels)]
            return -paddle.stack(picked).mean()
        """,
    ),
    (
        "hard_distillation_loss",
        "nn.CrossEntropyLoss, the labels by numpy with an axis kept",
        "from paddle import nn\n",
        """
        def hard_distillation_loss(student_logits, teacher_logits):
            labels = np.argmax(teacher_logits.numpy(), axis=-1).reshape(-1, 1)
            return nn.CrossEntropyLoss()(student_logits, paddle.to_tensor(labels))
        """,
    ),
    (
        "hard_distillation_loss",
        "topk and nll_loss",
        "",
        """
        def hard_distillation_loss(student_logits, teacher_logits):
            _, labels = paddle.topk(teacher_logits, k=1, axis=-1)
            return F.nll_loss(F.log_softmax(student_logits, axis=-1), labels.squeeze(-1))
        """,
    ),
    (
        "distilled_loss",
        "F.cross_entropy with soft labels, heads by index",
        "",
        """
        def distilled_loss(outputs, targets, teacher_logits, kind="hard", alpha=0.5, temperature=3.0):
            base = F.cross_entropy(outputs[0], targets, soft_label=True)
            if kind == "hard":
                extra = hard_distillation_loss(outputs[1], teacher_logits)
            else:
                extra = soft_distillation_loss(outputs[1], teacher_logits, temperature=temperature)
            return base * (1 - alpha) + extra * alpha
        """,
    ),
    (
        "distilled_loss",
        "all written out, one pass over the samples",
        "",
        """
        def distilled_loss(outputs, targets, teacher, kind="hard", alpha=0.5, T=3.0):
            cls, dist = outputs
            losses = []
            for i in range(cls.shape[0]):
                ce = -(F.log_softmax(cls[i], axis=-1) * targets[i]).sum()
                if kind == "soft":
                    p = F.softmax(teacher[i] / T, axis=-1)
                    kd = (p * (p.log() - F.log_softmax(dist[i] / T, axis=-1))).sum() * T * T
                else:
                    kd = -F.log_softmax(dist[i], axis=-1)[int(teacher[i].argmax())]
                losses.append(ce + alpha * (kd - ce))
            return sum(losses) / len(losses)
        """,
    ),
    (
        "distilled_loss",
        "einsum and a table of kinds",
        "",
        """
        def distilled_loss(outputs, targets, teacher_logits, kind="hard", alpha=0.5, temperature=3.0):
            logits, distilled = outputs
            cross_entropy = -paddle.einsum("bk,bk->", targets, F.log_softmax(logits, -1)) / len(targets)
            kinds = {
                "hard": lambda: F.cross_entropy(distilled, teacher_logits.argmax(-1)),
                "soft": lambda: soft_distillation_loss(distilled, teacher_logits, temperature),
            }
            return paddle.add((1 - alpha) * cross_entropy, alpha * kinds[kind]())
        """,
    ),
    (
        "average_teachers",
        "softmax, mean, log",
        "",
        """
        def average_teachers(teacher_logits):
            return paddle.stack([F.softmax(logits, axis=-1) for logits in teacher_logits], axis=0).mean(axis=0).log()
        """,
    ),
    (
        "average_teachers",
        "a running sum without gradient",
        "",
        """
        def average_teachers(all_logits):
            with paddle.no_grad():
                total = paddle.zeros_like(all_logits[0])
                for logits in all_logits:
                    total = total + F.softmax(logits)
                return paddle.log(total / len(all_logits))
        """,
    ),
    (
        "average_teachers",
        "in numpy",
        "",
        """
        def average_teachers(teacher_logits):
            stacked = np.stack([logits.numpy() for logits in teacher_logits])
            e = np.exp(stacked - stacked.max(-1, keepdims=True))
            p = e / e.sum(-1, keepdims=True)
            return paddle.to_tensor(np.log(p.mean(0)))
        """,
    ),
    (
        "mixup",
        "image by image",
        "",
        """
        def mixup(images, targets, generator, alpha=0.8):
            share = generator.beta(alpha, alpha)
            mixed, labels = np.empty_like(images), np.empty_like(targets)
            B = len(images)
            for i in range(B):
                j = B - 1 - i
                mixed[i] = share * images[i] + (1 - share) * images[j]
                labels[i] = share * targets[i] + (1 - share) * targets[j]
            return mixed, labels
        """,
    ),
    (
        "mixup",
        "a helper, np.flip, from the partner on",
        """
        def blend(x, lam):
            partner = np.flip(x, axis=0)
            return (partner + np.float32(lam) * (x - partner)).astype(x.dtype)
        """,
        """
        def mixup(x, y, rng, a=0.8):
            lam = rng.beta(a=a, b=a)
            return blend(x, lam), blend(y, lam)
        """,
    ),
    (
        "mixup",
        "a copy changed in place",
        "",
        """
        def mixup(images, targets, generator, alpha=0.8):
            lam = generator.beta(alpha, alpha)
            order = np.arange(len(images))[::-1]
            results = []
            for array in (images, targets):
                mixed = array.copy()
                mixed *= lam
                mixed += array[order] * (1 - lam)
                results.append(mixed)
            return results
        """,
    ),
    (
        "cutmix_box",
        "np.clip",
        "",
        """
        def cutmix_box(height, width, lam, generator):
            ratio = np.sqrt(1 - lam)
            h, w = int(height * ratio), int(width * ratio)
            cy, cx = generator.integers(0, height), generator.integers(0, width)
            y, x = cy - h // 2, cx - w // 2
            y1, y2 = np.clip([y, y + h], 0, height)
            x1, x2 = np.clip([x, x + w], 0, width)
            return y1, y2, x1, x2
        """,
    ),
    (
        "cutmix_box",
        "a helper for one axis, a list returned",
        """
        def interval(size, lam, generator):
            length = math.floor(size * (1 - lam) ** 0.5)
            start = generator.integers(low=0, high=size, endpoint=False) - length // 2
            return [max(0, start), min(size, start + length)]
        """,
        """
        def cutmix_box(H, W, lam, rng):
            return interval(H, lam, rng) + interval(W, lam, rng)
        """,
    ),
    (
        "cutmix_box",
        "by conditions",
        "",
        """
        def cutmix_box(height, width, lam, generator):
            box_height = int(math.sqrt(1.0 - lam) * height)
            box_width = int(math.sqrt(1.0 - lam) * width)
            row = generator.integers(height)
            column = generator.integers(width)
            top, left = row - box_height // 2, column - box_width // 2
            bottom, right = row + (box_height + 1) // 2, column + (box_width + 1) // 2
            if top < 0:
                top = 0
            if left < 0:
                left = 0
            if bottom > height:
                bottom = height
            if right > width:
                right = width
            return int(top), int(bottom), int(left), int(right)
        """,
    ),
    (
        "cutmix",
        "a mask and np.where, the share from the mask",
        "",
        """
        def cutmix(images, targets, generator, alpha=1.0):
            H, W = images.shape[-2:]
            top, bottom, left, right = cutmix_box(H, W, generator.beta(alpha, alpha), generator)
            inside = np.zeros((H, W), dtype=bool)
            inside[top:bottom, left:right] = True
            pasted = float(inside.mean())
            mixed = np.where(inside, images[::-1], images)
            return mixed, (1 - pasted) * targets + pasted * targets[::-1]
        """,
    ),
    (
        "cutmix",
        "loops over samples and rows",
        "",
        """
        def cutmix(images, targets, generator, alpha=1.0):
            B, C, H, W = images.shape
            lam = generator.beta(alpha, alpha)
            y1, y2, x1, x2 = cutmix_box(H, W, lam, generator)
            mixed, labels = np.array(images), np.zeros_like(targets)
            share = 1 - (y2 - y1) * (x2 - x1) / (H * W)
            for i in range(B):
                for y in range(y1, y2):
                    mixed[i, :, y, x1:x2] = images[B - 1 - i, :, y, x1:x2]
                labels[i] = share * targets[i] + (1 - share) * targets[-1 - i]
            return mixed, labels
        """,
    ),
    (
        "cutmix",
        "the box drawn without the given function, keyword arguments",
        "",
        """
        def cutmix(x, y, rng, alpha=1.0):
            partners, height, width = np.flip(x, 0), x.shape[2], x.shape[3]
            lam = rng.beta(alpha, alpha)
            h, w = (int(side * math.sqrt(1 - lam)) for side in (height, width))
            top = rng.integers(height) - h // 2
            left = rng.integers(width) - w // 2
            rows = slice(max(top, 0), top + h)
            columns = slice(max(left, 0), left + w)
            mixed = x.copy()
            mixed[:, :, rows, columns] = partners[:, :, rows, columns]
            lam = 1 - mixed[0, 0, rows, columns].size / (height * width)
            return mixed, y * lam + y[::-1] * (1 - lam)
        """,
    ),
    (
        "random_erasing",
        "one way out, a copy always, np.round and np.log",
        "",
        """
        def random_erasing(image, generator, probability=0.25, area=(0.02, 1 / 3), ratio=(0.3, 1 / 0.3)):
            result = np.array(image)
            C, H, W = image.shape
            tries = 10 if generator.random() < probability else 0
            while tries > 0:
                tries -= 1
                pixels = H * W * generator.uniform(low=area[0], high=area[1])
                r = np.exp(generator.uniform(np.log(ratio[0]), np.log(ratio[1])))
                h, w = int(np.round(np.sqrt(pixels * r))), int(np.round(np.sqrt(pixels / r)))
                if h >= H or w >= W:
                    continue
                y = generator.integers(0, H - h, endpoint=True)
                x = generator.integers(0, W - w, endpoint=True)
                result[:, y : y + h, x : x + w] = generator.standard_normal(size=(C, h, w))
                break
            return result
        """,
    ),
    (
        "random_erasing",
        "a helper that finds the box, uniform and normal by other names",
        """
        def find_box(rows, columns, rng, area, ratio):
            for _ in range(10):
                share = area[0] + (area[1] - area[0]) * rng.random()
                r = math.e ** rng.uniform(math.log(ratio[0]), math.log(ratio[1]))
                box = round((share * rows * columns * r) ** 0.5), round((share * rows * columns / r) ** 0.5)
                if box[0] < rows and box[1] < columns:
                    return box
        """,
        """
        def random_erasing(image, rng, p=0.25, area=(0.02, 1 / 3), ratio=(0.3, 1 / 0.3)):
            if rng.uniform() >= p:
                return image.copy()
            channels, rows, columns = image.shape
            box = find_box(rows, columns, rng, area, ratio)
            if box is None:
                return image
            height, width = box
            top = int(rng.integers(rows - height + 1))
            left = int(rng.integers(columns - width + 1))
            inside = np.zeros(image.shape, dtype=bool)
            inside[:, top : top + height, left : left + width] = True
            out = image.copy()
            out[inside] = rng.normal(size=(channels, height, width)).ravel()
            return out
        """,
    ),
    (
        "rand_augment",
        "np.clip, and the operation by generator.choice",
        "",
        """
        def rand_augment(image, generator, num_operations=2, magnitude=9.0, deviation=0.5, probability=0.5, operations=tuple(OPERATIONS), fill=128):
            for _ in range(num_operations):
                name = str(generator.choice(operations))
                use = generator.uniform() < probability
                m = float(np.clip(generator.normal(loc=magnitude, scale=deviation), 0, 10))
                sign = 1 if generator.random() >= 0.5 else -1
                if use:
                    image = apply_operation(image=image, name=name, magnitude=m, sign=sign, fill=fill)
            return image
        """,
    ),
    (
        "rand_augment",
        "first all draws, then all operations",
        """
        def draw_one(rng, operations, magnitude, deviation):
            i, chance = rng.integers(0, len(operations)), rng.random()
            strength = magnitude + deviation * rng.standard_normal()
            return operations[i], chance, sorted((0.0, strength, 10.0))[1], (1, -1)[rng.random() < 0.5]
        """,
        """
        def rand_augment(picture, rng, n=2, magnitude=9.0, deviation=0.5, p=0.5, operations=tuple(OPERATIONS), fill=128):
            plan = [draw_one(rng, operations, magnitude, deviation) for _ in range(n)]
            out = picture.copy()
            for name, chance, strength, sign in plan:
                out = apply_operation(out, name, strength, sign, fill) if chance < p else out
            return out
        """,
    ),
]
