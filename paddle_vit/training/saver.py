"""When a run writes which of its files; checkpoint.py knows how."""

import json
import time

from paddle_vit.training.checkpoint import load_checkpoint, save_checkpoint, save_weights
from paddle_vit.training.config import settings_of

_SHARE = 1 / 50  # of the time that writing checkpoints may take


class Saver:
    """Writes the checkpoints and weights of one run. A file that cannot be written is told, and the run goes on.

    Of several processes one writes, and all read.
    """

    def __init__(self, out, log, recipe, model, optimizer, averages, scaler, names=lambda: None, writes=True):
        self.out, self.log, self.recipe, self.model, self.writes = out, log, recipe, model, writes
        self.labels = dict(enumerate(names() or [])) or None  # of the classes
        settings = {"recipe": recipe.name, "model": type(model).__name__, **settings_of(recipe)}
        settings = json.loads(json.dumps(settings))  # as they come back: lists for tuples
        self.state = (model, optimizer, averages, scaler, settings)
        self.due = time.perf_counter() + recipe.checkpoint_seconds

    def restore(self):
        """Where the last checkpoint stands, with the model, optimizer and log brought there; None where there is none.

        Raises:
            RecipeError: it is of another run, or damaged.
        """
        path = self.out / "last.safetensors"
        if not path.exists():
            return None
        progress = load_checkpoint(path, *self.state)
        self.log.restore(progress["log"])
        return progress["at"]

    def step(self, at, now):
        """After a step: a checkpoint, if it is time or now is true."""
        if now or time.perf_counter() >= self.due:
            self._checkpoint("last", at)

    def tested(self, accuracy, best):
        """After a test, with the weights that were tested in the model: keep them. Returns the best accuracy so far."""
        self._write("weights", lambda path: save_weights(self.model, path, self.labels))
        if accuracy > best:
            self._write("best", lambda path: save_weights(self.model, path, self.labels))
        return max(accuracy, best)

    def epoch(self, at, epoch):
        """After an epoch: a checkpoint that is kept every so often; the last one always."""
        last = epoch == self.recipe.epochs
        if self.recipe.save_every and (epoch % self.recipe.save_every == 0 or last):
            self._checkpoint(f"epoch_{epoch:04d}", at)
        self.step(at, now=last)

    def _checkpoint(self, name, at):
        start = time.perf_counter()
        progress = dict(at=at, log=self.log.state())
        self._write(name, lambda path: save_checkpoint(path, *self.state, progress))
        end = time.perf_counter()
        self.due = end + max(self.recipe.checkpoint_seconds, (end - start) / _SHARE)

    def _write(self, name, write):
        if not self.writes:
            return
        path = self.out / f"{name}.safetensors"
        try:
            write(path)
        except OSError as error:
            self.log.problem(path.name, error)
