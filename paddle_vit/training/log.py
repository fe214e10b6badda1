"""What a training run shows while it goes on and leaves in its folder: progress, metrics, learning curve."""

import json
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Stopped(KeyboardInterrupt):
    """Ctrl-C during a run; the message says what is left of it."""

    def _render_traceback_(self):
        """What a notebook shows: the message, and not where the loop happened to be."""
        return [str(self)]


class RunLog:
    """A context manager around the epochs of a run.

    On a terminal it draws a progress bar; everywhere it prints a line for each look at the test images, unless quiet.
    Each epoch is a line of metrics.jsonl as soon as it is over, so that an interrupted run keeps what it measured.
    However the run ends, learning_curve.png shows what is in the history. Ctrl-C becomes Stopped.
    """

    def __init__(self, out, epochs, total_steps, quiet):
        self.out, self.epochs, self.total_steps = out, epochs, total_steps
        self.history = []
        # force_jupyter: rich's own output for notebooks wants ipywidgets; plain lines do well there
        self.console = Console(quiet=quiet, force_jupyter=False, highlight=False, soft_wrap=True)
        self.bar = Progress(
            BarColumn(bar_width=16),
            TextColumn("{task.description} "),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=self.console,
            disable=quiet or not self.console.is_terminal,
            refresh_per_second=4,
            transient=True,
        )

    def __enter__(self):
        self.metrics = open(self.out / "metrics.jsonl", "w", encoding="utf-8")
        self.task = self.bar.add_task("", total=self.total_steps)
        self.bar.start()
        self.start = time.perf_counter()
        return self

    def start_epoch(self, epoch):
        self.epoch_start = time.perf_counter()
        self.row = {"epoch": epoch}
        self.seen, self.loss_sum, self.right = 0, 0.0, 0.0

    def step(self, step, learning_rate, num_images, loss, accuracy):
        """Count one batch: loss and accuracy are its means."""
        now = time.perf_counter()
        self.seen += num_images
        self.loss_sum += loss * num_images
        self.right += accuracy * num_images
        self.row.update(
            step=step,
            seconds=round(now - self.start, 3),
            learning_rate=learning_rate,
            loss=self.loss_sum / self.seen,
            train_accuracy=self.right / self.seen,
            images_per_second=round(self.seen / (now - self.epoch_start), 1),
        )
        self.bar.update(self.task, completed=step, description=self.summary())

    def end_epoch(self, test_accuracy=None, **others):
        """Write the epoch down; test_accuracy, and others beside it, where the test images were looked at."""
        if test_accuracy is not None:
            self.row.update(test_accuracy=test_accuracy, **others)
        self.history.append(self.row)
        self.metrics.write(json.dumps(self.row) + "\n")
        self.metrics.flush()
        if test_accuracy is not None:
            elapsed = time.perf_counter() - self.start
            left = elapsed / self.row["step"] * (self.total_steps - self.row["step"])
            self.console.print(f"{self.summary()}  test {test_accuracy:6.2%}  {left:3.0f} s left")

    def __exit__(self, kind, error, traceback):
        self.bar.stop()
        self.metrics.close()
        if self.history:
            from paddle_vit.visualize.training import learning_curve  # late: matplotlib takes a second to load

            learning_curve(self.history, self.out / "learning_curve.png")
        if kind is KeyboardInterrupt:
            done = f"{len(self.history)} of {self.epochs} epochs"
            raise Stopped(f"stopped after {done}: what was measured is in {self.out}") from None

    def summary(self):
        """The running epoch in one line."""
        row = self.row
        return (
            f"epoch {row['epoch']:{len(str(self.epochs))}}/{self.epochs}  loss {row['loss']:.3f}  "
            f"train {row['train_accuracy']:6.2%}  {row['images_per_second']:,.0f} images/s"
        )
