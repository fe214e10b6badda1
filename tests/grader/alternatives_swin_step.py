"""Right answers of another shape, lesson 3: the training step. As in alternatives.py."""

ALTERNATIVES = [
    (
        "clip_gradients",
        "Paddle's own",
        "",
        """
        def clip_gradients(parameters, max_norm):
            return paddle.nn.utils.clip_grad_norm_(parameters, max_norm)
        """,
    ),
    (
        "clip_gradients",
        "squares added in a loop, a new tensor for each gradient",
        "",
        """
        def clip_gradients(params, max_norm):
            with_grad = [p for p in params if p.grad is not None]
            total = paddle.zeros([])
            for p in with_grad:
                total = total + (p.grad ** 2).sum()
            total = paddle.sqrt(total)
            if total.item() > max_norm:
                for p in with_grad:
                    p.grad = p.grad * (max_norm / total)
            return total
        """,
    ),
    (
        "clip_gradients",
        "one long vector, a factor of at most 1, a number returned",
        "",
        """
        def clip_gradients(parameters, max_norm):
            flat = paddle.concat([p.grad.flatten() for p in parameters if p.grad is not None])
            norm = float(paddle.linalg.norm(flat))
            factor = min(1.0, max_norm / (norm + 1e-6))
            with paddle.no_grad():
                for p in parameters:
                    if p.grad is not None:
                        p.grad.scale_(factor)
            return norm
        """,
    ),
    (
        "train_step",
        "Paddle's own clipping and autocast, one criterion after the other",
        "from paddle.amp import auto_cast\n",
        """
        def train_step(model, images, targets, optimizer, criterion=F.cross_entropy, *, precision='float32',
                       scaler=NO_SCALING, max_norm=math.inf, share=1.0, update=True):
            with auto_cast(enable=precision in ('float16', 'bfloat16'),
                           dtype='float16' if precision == 'float32' else precision, level='O1'):
                outputs = model(images)
                loss = criterion(outputs, targets)
            scaled = scaler.scale(share * loss)
            scaled.backward()
            if isinstance(outputs, (tuple, list)):
                logits = 0.5 * (outputs[0] + outputs[1])
            else:
                logits = outputs
            loss, logits = loss.detach(), logits.detach()
            if not update:
                return loss, logits
            scaler.unscale_(optimizer)
            if max_norm < math.inf:
                paddle.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            scaler.step(optimizer)
            optimizer.clear_grad()
            scaler.update()
            return loss, logits
        """,
    ),
    (
        "train_step",
        "the share after the scaling, results as a list",
        "",
        """
        def train_step(net, x, y, opt, criterion=F.cross_entropy, *, precision="float32", scaler=NO_SCALING,
                       max_norm=math.inf, share=1.0, update=True):
            with autocast(precision):
                out = net(x)
                loss = criterion(out, y)
                (scaler.scale(loss) * share).backward()
            with paddle.no_grad():
                logits = out if not isinstance(out, tuple) else paddle.stack(list(out)).mean(axis=0)
            if update:
                scaler.unscale_(opt)
                clip_gradients([p for p in net.parameters() if not p.stop_gradient], max_norm)
                scaler.step(opt)
                scaler.update()
                net.clear_gradients()
            return [loss.detach(), logits.detach()]
        """,
    ),
    (
        "train_step",
        "the scaler's minimize instead of its step and update",
        "",
        """
        def train_step(model, images, targets, optimizer, criterion=F.cross_entropy, *, precision="float32",
                       scaler=NO_SCALING, max_norm=math.inf, share=1.0, update=True):
            with autocast(precision):
                outputs = model(images)
                loss = criterion(outputs, targets)
            scaled = scaler.scale(loss * share)
            scaled.backward()
            logits = outputs if isinstance(outputs, paddle.Tensor) else sum(outputs) / 2
            if update:
                scaler.unscale_(optimizer)
                clip_gradients(model.parameters(), max_norm)
                scaler.minimize(optimizer, scaled)
                optimizer.clear_grad()
            return loss.detach(), logits.detach()
        """,
    ),
    (
        "train_step",
        "a helper for the update, gradients cleared to None",
        """
        def _update(model, optimizer, scaler, max_norm):
            scaler.unscale_(optimizer)
            clip_gradients(model.parameters(), max_norm)
            scaler.step(optimizer)
            scaler.update()
            optimizer.clear_grad(set_to_zero=False)
        """,
        """
        def train_step(model, images, targets, optimizer, criterion=F.cross_entropy, *, precision="float32",
                       scaler=NO_SCALING, max_norm=math.inf, share=1.0, update=True):
            with paddle.amp.auto_cast(precision != "float32", dtype=precision if precision != "float32" else "bfloat16"):
                outputs = model(images)
                loss = criterion(outputs, targets)
            paddle.autograd.backward([scaler.scale(loss * share)])
            if update:
                _update(model, optimizer, scaler, max_norm)
            if not paddle.is_tensor(outputs):
                outputs = sum(outputs) / len(outputs)
            return loss.detach(), outputs.detach()
        """,
    ),
    (
        "accuracy",
        "argsort, a loop",
        "",
        """
        def accuracy(logits, labels, topk=(1,)):
            order = logits.argsort(axis=-1, descending=True)
            results = []
            for k in topk:
                right = (order[:, :k] == labels.reshape([-1, 1])).astype('float32').sum()
                results.append(float(right) / len(labels))
            return results
        """,
    ),
    (
        "accuracy",
        "numpy, the rank of the label",
        "import numpy as np\n",
        """
        def accuracy(output, target, topk=(1,)):
            scores, truth = output.numpy(), target.numpy()
            own = np.take_along_axis(scores, truth[:, None], axis=1)
            rank = (scores > own).sum(axis=1)
            return tuple((rank < k).mean() for k in topk)
        """,
    ),
    (
        "accuracy",
        "as in timm, transposed",
        "",
        """
        def accuracy(output, target, topk=(1,)):
            maxk = min(max(topk), output.shape[1])
            _, pred = output.topk(maxk, 1, True, True)
            pred = pred.t()
            correct = pred.equal(target.reshape([1, -1]).expand_as(pred))
            return [correct[:min(k, maxk)].reshape([-1]).astype('float32').sum(0).item() / target.shape[0] for k in topk]
        """,
    ),
    (
        "accuracy",
        "Paddle's own, k by k",
        "",
        """
        def accuracy(logits, labels, topk=(1,)):
            check_topk(topk, logits.shape[1])
            return [float(paddle.metric.accuracy(F.softmax(logits), labels.unsqueeze(1), k=k)) for k in topk]
        """,
    ),
]
