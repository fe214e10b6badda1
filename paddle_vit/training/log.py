"""What a training run shows while it goes on and leaves in its folder: progress, metrics, a log in words, learning curve."""

import importlib.util
import json
import time
from datetime import datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from paddle_vit.runtime import environment


class Stopped(KeyboardInterrupt):
    """Ctrl-C during a run; the message says what is left of it."""

    def _render_traceback_(self):
        """What a notebook shows: the message, and not where the loop happened to be."""
        return [str(self)]


class RunLog:
    """A context manager around the epochs of a run.

    On a terminal it draws a progress bar; everywhere it prints a line for each look at the test images, unless quiet.
    Each epoch is a line of metrics.jsonl as soon as it is over, so that an interrupted run keeps what it measured; where
    VisualDL is installed, its curves grow in the folder visualdl. log.txt tells in words what was done, with what, and how
    long it took; a run that goes on writes below what stands there.
    However the run ends, learning_curve.png shows what is in the history. Ctrl-C becomes Stopped.

    problems: files that could not be written, each with the reason
    """

    def __init__(self, out, epochs, total_steps, quiet):
        self.out, self.epochs, self.total_steps = out, epochs, total_steps
        self.history, self.problems, self.elapsed, self.row = [], [], 0.0, None
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
        self.metrics.writelines(json.dumps(row) + "\n" for row in self.history)
        self.words = open(self.out / "log.txt", "a" if self.elapsed else "w", encoding="utf-8")
        self.curves = _visualdl(self.out / "visualdl")
        self.write("went on" if self.elapsed else "began")
        for name, value in environment().items():
            self.words.write(f"    {name}: {value}\n")
        self.task = self.bar.add_task("", total=self.total_steps)
        self.bar.start()
        self.start = time.perf_counter() - self.elapsed
        self.epoch_start = time.perf_counter()
        return self

    def state(self):
        """All that restore needs, in the middle of an epoch too: numbers, lists and dicts."""
        running = None
        if self.row is not None:
            running = dict(row=self.row, seen=self.seen, loss_sum=self.loss_sum, right=self.right)
        return dict(history=self.history, elapsed=time.perf_counter() - self.start, running=running)

    def restore(self, state):
        """Go on where another run stopped; called before the run begins."""
        self.history, self.elapsed = state["history"], state["elapsed"]
        if state["running"] is not None:
            self.row, self.seen, self.loss_sum, self.right = (
                state["running"][key] for key in ("row", "seen", "loss_sum", "right")
            )
            self.seen_before = self.seen

    def start_epoch(self, epoch):
        """Begin with an epoch, if it is not the one that restore brought back."""
        if self.row is not None and self.row["epoch"] == epoch:
            return
        self.epoch_start = time.perf_counter()
        self.row = {"epoch": epoch}
        self.seen, self.loss_sum, self.right, self.seen_before = 0, 0.0, 0.0, 0

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
            images_per_second=round((self.seen - self.seen_before) / (now - self.epoch_start), 1),
        )
        self.bar.update(self.task, completed=step, description=self.summary(self.row))

    def end_epoch(self, test_accuracy=None, **others):
        """Write the epoch down; test_accuracy, and others beside it, where the test images were looked at."""
        if test_accuracy is not None:
            self.row.update(test_accuracy=test_accuracy, **others)
        self.history.append(self.row)
        self.metrics.write(json.dumps(self.row) + "\n")
        self.metrics.flush()
        row, self.row = self.row, None
        if self.curves is not None:
            for name, value in row.items():
                self.curves.add_scalar(tag=name, step=row["epoch"], value=value)
        self.write(self.summary(row) + "".join(f"  {name} {row[name]:.2%}" for name in row if name.startswith("test_")))
        if test_accuracy is not None:
            elapsed = time.perf_counter() - self.start
            left = elapsed / row["step"] * (self.total_steps - row["step"])
            self.console.print(f"{self.summary(row)}  test {test_accuracy:6.2%}  {left:3.0f} s left")

    def __exit__(self, kind, error, traceback):
        self.bar.stop()
        self.metrics.close()
        how = (
            "finished" if kind is None else "was stopped" if issubclass(kind, KeyboardInterrupt) else f"failed: {error}"
        )
        self.write(f"{how} after {time.perf_counter() - self.start:.0f} s in all")
        self.words.close()
        if self.curves is not None:
            self.curves.close()
        if self.history:
            from paddle_vit.visualize.training import learning_curve  # late: matplotlib takes a second to load

            learning_curve(self.history, self.out / "learning_curve.png")
        if kind is KeyboardInterrupt:
            done = f"{len(self.history)} of {self.epochs} epochs"
            if (self.out / "last.safetensors").exists():
                raise Stopped(f"stopped after {done}: what was measured is in {self.out}, --resume goes on") from None
            raise Stopped(f"stopped after {done}: what was measured is in {self.out}") from None

    def write(self, text):
        """A line of log.txt, with the time."""
        self.words.write(f"{datetime.now().isoformat(' ', 'seconds')}  {text}\n")
        self.words.flush()

    def problem(self, name, error):
        """A file could not be written: say so, and go on."""
        self.problems.append(f"{name}: {error}")
        self.write(f"{name} could not be written: {error}")
        self.console.print(f"{name} could not be written ({error}); an older one stays. The run goes on")

    def summary(self, row):
        """An epoch in one line."""
        return (
            f"epoch {row['epoch']:{len(str(self.epochs))}}/{self.epochs}  loss {row['loss']:.3f}  "
            f"train {row['train_accuracy']:6.2%}  {row['images_per_second']:,.0f} images/s"
        )


def _visualdl(folder):
    """A writer of VisualDL's curves; None where it is not installed."""
    if importlib.util.find_spec("visualdl") is None:
        return None
    from visualdl import LogWriter

    return LogWriter(logdir=str(folder))
