"""Where a learner's files are, and what is remembered of them between two commands."""

import hashlib
import json
import os
import tempfile
from pathlib import Path

from paddle_vit.grader.collect import CannotRead, collect
from paddle_vit.grader.preflight import choose
from paddle_vit.grader.stubs import is_finished


def find_root():
    """The project's folder: the nearest above here with lessons/, else where the package stands; None without one."""
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (folder / "lessons").is_dir():
            return folder
    return None


def shown(path):
    """A path as the user would write it: relative to here where it is below."""
    path = Path(path).resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def default_hand_in(lesson):
    """The learner's own files of a lesson: its folder, or that one of its notebooks with more finished exercises.

    Raises:
        CannotRead: there is no project here.
    """
    root = find_root()
    folder = root / "lessons" / lesson.name if root else None
    if folder is None or not folder.is_dir():
        raise CannotRead("no_lesson_files", lesson=lesson.name)
    candidates = [sorted(folder.glob("*.py"))] + [
        [path] for path in sorted(root.glob(f"notebooks/{lesson.name}.*.ipynb"))
    ]
    best, most, problem = None, -1, None
    for paths in filter(None, candidates):
        try:
            hand_in = collect(map(shown, paths))
        except CannotRead as error:  # a damaged notebook is no reason not to grade the other files
            problem = error
            continue
        finished = finished_count(lesson, hand_in)
        if finished > most:
            best, most = hand_in, finished
    if best is None:
        raise problem or CannotRead("empty_folder", path=shown(folder))
    return best


def is_learners_own(lesson, hand_in):
    """Whether a hand-in is the learner's own file or notebook in the project, and not somebody's elsewhere."""
    root = find_root()
    if root is None:
        return False
    files = {Path(unit.file).resolve() for unit in hand_in.units}
    folder = (root / "lessons" / lesson.name).resolve()
    notebooks = {path.resolve() for path in root.glob(f"notebooks/{lesson.name}.*.ipynb")}
    return all(file.parent == folder or file in notebooks for file in files)


def finished_count(lesson, hand_in):
    """How many exercises have been begun."""
    chosen = [(exercise, choose(exercise, hand_in)[0]) for exercise in lesson.exercises]
    return sum(definition is not None and is_finished(exercise, definition.node) for exercise, definition in chosen)


class Progress:
    """What was graded last, and how many hints were read, in .paddle_vit/progress.json of the project's folder."""

    def __init__(self, root=None):
        root = root or find_root()
        self.path = root / ".paddle_vit" / "progress.json" if root else None
        self.exercises = {}  # target -> {"state", "of" (a hash of the definition), "hints"}
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))["exercises"]
            self.exercises = {target: entry for target, entry in found.items() if isinstance(entry, dict)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # nothing yet, or damaged: it is only a memory

    def entry(self, target):
        return self.exercises.setdefault(target, {"state": "not_started", "of": "", "hints": 0})

    def record(self, report, hand_in):
        """Remember a report's verdicts."""
        for exercise, verdict in zip(report.lesson.exercises, report.verdicts, strict=True):
            if report.only not in (None, exercise) or verdict.state == "missing":
                continue  # of a cell that was not run again after a restart nothing new is known
            entry = self.entry(exercise.target)
            entry["state"], entry["of"] = verdict.state, fingerprint(exercise, hand_in)
        self.save()

    def state(self, exercise, hand_in):
        """What is known of an exercise now: its state when it was graded as it stands, else not_started or None."""
        chosen = choose(exercise, hand_in)[0] if hand_in else None
        if chosen is None or not is_finished(exercise, chosen.node):
            return "not_started"
        entry = self.entry(exercise.target)
        return entry.get("state") if entry.get("of") == fingerprint(exercise, hand_in) else None

    def save(self):
        """Write atomically; a folder that cannot be written costs the memory, nothing else."""
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent)
            with open(handle, "w", encoding="utf-8") as file:
                json.dump({"exercises": self.exercises}, file, indent=1)
            os.replace(name, self.path)
        except OSError:
            pass


def fingerprint(exercise, hand_in):
    """A hash of everything that a hand-in gives for an exercise."""
    chosen = choose(exercise, hand_in)[0]
    if chosen is None:
        return ""
    import ast

    return hashlib.sha256(ast.dump(chosen.node).encode()).hexdigest()[:16]
