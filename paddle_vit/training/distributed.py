"""Training in several processes, which come to the weights that one would, up to rounding.

    python -m paddle.distributed.launch --nproc_per_node 2 python -m paddle_vit train vit_digits

Each process has the whole model and computes the gradient of its share of every batch; then the gradients are summed, and
all make the same update. Layers that look at several images, such as batch norms, see a process's share alone, and what
they remember of it is process 0's in tests and files.

paddle.DataParallel is not used: it takes the mean over processes, which is wrong where their shares differ, in the last batch
of most epochs.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paddle

from paddle_vit.training.config import RecipeError
from paddle_vit.training.log import RunLog


def join():
    """Meet the other processes of this run, which the launcher tells of in the environment.

    Returns:
        Processes

    Raises:
        RecipeError: they cannot be met.
    """
    told = os.environ.get("PADDLE_TRAINERS_NUM", "1")
    if told == "1":
        return ALONE
    try:
        processes = Processes(int(os.environ["PADDLE_TRAINER_ID"]), int(told))
        if not paddle.distributed.is_initialized():
            paddle.distributed.init_parallel_env()
    except (KeyError, ValueError, AssertionError, RuntimeError) as error:
        raise RecipeError(
            f"PADDLE_TRAINERS_NUM={told} promises other processes, but they cannot be met ({type(error).__name__}: "
            f"{' '.join(str(error).split())}): start them with python -m paddle.distributed.launch, or unset it"
        ) from error
    return processes


@dataclass(frozen=True)
class Processes:
    """The processes of a run, seen from one of them. Where it is the only one, each method gives back what it got."""

    rank: int = 0  # of this one, from 0
    count: int = 1

    @property
    def first(self):
        """Whether this is the process that writes and talks."""
        return self.rank == 0

    def places(self, total):
        """Which images of a batch of so many this process computes: as many as each of the others, but for one or two.

        They are pairs from both ends of the batch, since mixup and cutmix mix the first image with the last, the second with
        the one before the last: the pairs of all processes are those of the whole batch. Where there are fewer pairs than
        processes, some compute an image that counts nothing: all have to take part in the sum.
        """
        front = self._front(total)
        return np.unique([*front, *(total - 1 - place for place in front)] or [0]).astype(int)

    def share(self, total):
        """How much of a batch of so many images this process's count, from 0 to 1."""
        front = self._front(total)
        return len(self.places(total)) / total if front else 0.0

    def _front(self, total):
        pairs = (total + 1) // 2
        return range(*(pairs * rank // self.count for rank in (self.rank, self.rank + 1)))

    def sum(self, *numbers):
        """Sums over the processes, the same everywhere to the last bit, as a list."""
        if self.count == 1:
            return list(numbers)
        sums = paddle.to_tensor(numbers, dtype="float64")
        paddle.distributed.all_reduce(sums)
        return sums.tolist()

    def sum_gradients(self, parameters):
        """Replace each gradient by its sum over the processes, in one message.

        A parameter that has no gradient anywhere keeps none; else a process without one counts as zeros.
        """
        trained = [parameter for parameter in parameters if not parameter.stop_gradient]
        gradients = [parameter.grad for parameter in trained]
        there = paddle.to_tensor([gradient is not None for gradient in gradients], dtype="float32")
        flat = [
            paddle.zeros([parameter.size]) if gradient is None else gradient.astype("float32").flatten()
            for parameter, gradient in zip(trained, gradients, strict=True)
        ]
        message = paddle.concat([there, *flat])
        paddle.distributed.all_reduce(message)
        there, *sums = message.split([len(trained), *(parameter.size for parameter in trained)])
        for parameter, found, total in zip(trained, there.tolist(), sums, strict=True):
            if found:
                parameter.grad = total.reshape(parameter.shape).astype(parameter.dtype)

    def agree(self, *states):
        """Let all processes have the numbers of process 0 in these dicts of tensors, in place."""
        if self.count == 1:
            return
        with paddle.no_grad():
            for state in states:
                for tensor in state.values():
                    paddle.distributed.broadcast(tensor, src=0)

    def check_step(self, step):
        """Raise a RecipeError unless all processes are at the same step."""
        if self.sum(step)[0] != step * self.count:
            raise RecipeError(
                "not all processes found the same checkpoint: out must be one folder that all of them see"
            )

    def scaler(self, scaler, model):
        """The GradScaler for a training step, which also sums the gradients."""
        return scaler if self.count == 1 else SummingScaler(scaler, self, model.parameters())

    def log(self, out, epochs, total_steps, quiet):
        """The RunLog of this process."""
        return (RunLog if self.first else VanishingLog)(out, epochs, total_steps, quiet)


ALONE = Processes()


class SummingScaler:
    """A GradScaler that first sums the gradients over the processes.

    A training step calls unscale_ just where they must be summed: once for a batch, when all its parts went backward, and
    before the gradients are clipped. Where one process has an infinite gradient the sum is infinite, and so all of them
    leave out the same update.
    """

    def __init__(self, scaler, processes, parameters):
        self.scaler, self.processes, self.parameters = scaler, processes, parameters

    def unscale_(self, optimizer):
        self.processes.sum_gradients(self.parameters)
        self.scaler.unscale_(optimizer)

    def __getattr__(self, name):
        return getattr(self.scaler, name)


class VanishingLog(RunLog):
    """The log of all processes but the first: it has the same history, and its files go away at the end."""

    def __enter__(self):
        self.out = Path(tempfile.mkdtemp(prefix="paddle-vit-log-"))
        return super().__enter__()

    def __exit__(self, *how):
        try:
            super().__exit__(*how)
        finally:
            shutil.rmtree(self.out, ignore_errors=True)
