"""Wrong answers without a name, lesson 3: the training step. As in wrong_answers.py."""

WRONG_ANSWERS = [
    (
        "clip_gradients",
        "half of them",
        """
        def clip_gradients(parameters, max_norm):
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            norm = paddle.stack([gradient.norm() for gradient in gradients]).norm()
            if norm > max_norm:
                for gradient in gradients[::2]:
                    gradient.set_value(gradient * (max_norm / norm))
            return norm
        """,
    ),
    (
        "clip_gradients",
        "the mean of the squares",
        """
        def clip_gradients(parameters, max_norm):
            flat = paddle.concat([p.grad.flatten() for p in parameters if p.grad is not None])
            norm = (flat ** 2).mean().sqrt()
            if norm > max_norm:
                for p in parameters:
                    if p.grad is not None:
                        p.grad.set_value(p.grad * (max_norm / norm))
            return norm
        """,
    ),
    (
        "clip_gradients",
        "measured again after every gradient",
        """
        def clip_gradients(parameters, max_norm):
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            norm = paddle.stack([gradient.norm() for gradient in gradients]).norm()
            for gradient in gradients:
                now = paddle.stack([one.norm() for one in gradients]).norm()
                if now > max_norm:
                    gradient.set_value(gradient * (max_norm / now))
            return norm
        """,
    ),
    (
        "clip_gradients",
        "the sum of absolute values",
        """
        def clip_gradients(parameters, max_norm):
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            norm = sum(gradient.abs().sum() for gradient in gradients)
            if norm > max_norm:
                for gradient in gradients:
                    gradient.set_value(gradient * (max_norm / norm))
            return norm
        """,
    ),
    (
        "clip_gradients",
        "with an axis of 1",
        """
        def clip_gradients(parameters, max_norm):
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            norm = paddle.stack([gradient.norm() for gradient in gradients]).norm()
            if norm > max_norm:
                for gradient in gradients:
                    gradient.set_value(gradient * (max_norm / norm))
            return norm.reshape([1])
        """,
    ),
    (
        "clip_gradients",
        "a large number added to the norm",
        """
        def clip_gradients(parameters, max_norm):
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            norm = paddle.stack([gradient.norm() for gradient in gradients]).norm()
            if norm > max_norm:
                for gradient in gradients:
                    gradient.set_value(gradient * (max_norm / (norm + 0.01)))
            return norm
        """,
    ),
    *(
        (
            "train_step",
            name,
            f"""
            def train_step(model, images, targets, optimizer, criterion=F.cross_entropy, *, precision="float32",
                           scaler=NO_SCALING, max_norm=math.inf, share=1.0, update=True):
                with autocast(precision):
                    outputs = model(images)
                    loss = criterion(outputs, targets)
                logits = outputs if isinstance(outputs, paddle.Tensor) else (outputs[0] + outputs[1]) / 2
                {"; ".join(lines)}
                return loss.detach(), logits.detach()
            """,
        )
        for name, lines in {
            "updated without asking, cleared when asked": [
                "scaler.scale(loss * share).backward()",
                "scaler.unscale_(optimizer)",
                "clip_gradients(model.parameters(), max_norm)",
                "scaler.step(optimizer)",
                "scaler.update()",
                "update and optimizer.clear_grad()",
            ],
            "the scaler updated before its step": [
                "scaler.scale(loss * share).backward()",
                "update and (scaler.unscale_(optimizer), clip_gradients(model.parameters(), max_norm), scaler.update(), "
                "scaler.step(optimizer), optimizer.clear_grad())",
            ],
            "neither share nor scaler": [
                "loss.backward()",
                "update and (clip_gradients(model.parameters(), max_norm), optimizer.step(), optimizer.clear_grad())",
            ],
            "the scaler updated after every part": [
                "scaler.scale(loss * share).backward()",
                "update and (scaler.unscale_(optimizer), clip_gradients(model.parameters(), max_norm), "
                "scaler.step(optimizer), optimizer.clear_grad())",
                "scaler.update()",
            ],
            "gradients unscaled by hand, a second time": [
                "scaler.scale(loss * share).backward()",
                "update and (scaler.unscale_(optimizer), [p.grad.scale_(1 / getattr(scaler, 'factor', 1.0)) for p in "
                "model.parameters() if p.grad is not None], clip_gradients(model.parameters(), max_norm), "
                "scaler.step(optimizer), scaler.update(), optimizer.clear_grad())",
            ],
            "the first head's gradients clipped": [
                "scaler.scale(loss * share).backward()",
                "update and (scaler.unscale_(optimizer), clip_gradients(model.parameters()[:2], max_norm), "
                "scaler.step(optimizer), scaler.update(), optimizer.clear_grad())",
            ],
        }.items()
    ),
    (
        "train_step",
        "evaluated",
        """
        def train_step(model, images, targets, optimizer, criterion=F.cross_entropy, *, precision="float32",
                       scaler=NO_SCALING, max_norm=math.inf, share=1.0, update=True):
            model.eval()
            with autocast(precision):
                outputs = model(images)
                loss = criterion(outputs, targets)
            scaler.scale(loss * share).backward()
            if update:
                scaler.unscale_(optimizer)
                clip_gradients(model.parameters(), max_norm)
                scaler.step(optimizer)
                scaler.update()
                optimizer.clear_grad()
            logits = outputs if isinstance(outputs, paddle.Tensor) else (outputs[0] + outputs[1]) / 2
            return loss.detach(), logits.detach()
        """,
    ),
    (
        "train_step",
        "the forward pass outside of autocast",
        """
        def train_step(model, images, targets, optimizer, criterion=F.cross_entropy, *, precision="float32",
                       scaler=NO_SCALING, max_norm=math.inf, share=1.0, update=True):
            outputs = model(images)
            with autocast("bfloat16" if precision == "float32" else "float32"):
                logits = model(images)
            with autocast(precision):
                loss = criterion(outputs, targets)
            scaler.scale(loss * share).backward()
            if update:
                scaler.unscale_(optimizer)
                clip_gradients(model.parameters(), max_norm)
                scaler.step(optimizer)
                scaler.update()
                optimizer.clear_grad()
            logits = outputs if isinstance(outputs, paddle.Tensor) else (outputs[0] + outputs[1]) / 2
            return loss.detach(), logits.detach()
        """,
    ),
    (
        "train_step",
        "the loss of the mean of two outputs",
        """
        def train_step(model, images, targets, optimizer, criterion=F.cross_entropy, *, precision="float32",
                       scaler=NO_SCALING, max_norm=math.inf, share=1.0, update=True):
            with autocast(precision):
                outputs = model(images)
                logits = outputs if isinstance(outputs, paddle.Tensor) else (outputs[0] + outputs[1]) / 2
                loss = criterion(logits if criterion is F.cross_entropy else (logits, logits), targets)
            scaler.scale(loss * share).backward()
            if update:
                scaler.unscale_(optimizer)
                clip_gradients(model.parameters(), max_norm)
                scaler.step(optimizer)
                scaler.update()
                optimizer.clear_grad()
            return loss.detach(), logits.detach()
        """,
    ),
    (
        "accuracy",
        "the largest k for all",
        """
        def accuracy(logits, labels, topk=(1,)):
            _, best = logits.topk(max(topk), axis=1)
            hits = best == labels.unsqueeze(1)
            return [hits.astype("int64").sum().item() / labels.shape[0] for k in topk]
        """,
    ),
    (
        "accuracy",
        "one rank too many",
        """
        def accuracy(logits, labels, topk=(1,)):
            _, best = logits.topk(min(max(topk) + 1, logits.shape[1]), axis=1)
            hits = best == labels.unsqueeze(1)
            return [hits[:, :k + 1].astype("int64").sum().item() / labels.shape[0] for k in topk]
        """,
    ),
    (
        "accuracy",
        "sorted upwards, the last places read from the wrong end",
        """
        def accuracy(logits, labels, topk=(1,)):
            order = logits.argsort(axis=1)
            hits = order == labels.unsqueeze(1)
            return [hits[:, -1 - k:-1].astype("int64").sum().item() / labels.shape[0] for k in topk]
        """,
    ),
    (
        "accuracy",
        "whole division",
        """
        def accuracy(logits, labels, topk=(1,)):
            _, best = logits.topk(max(topk), axis=1)
            hits = best == labels.unsqueeze(1)
            return [hits[:, :k].astype("int64").sum().item() // labels.shape[0] for k in topk]
        """,
    ),
]
