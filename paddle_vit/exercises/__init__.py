"""What the exercises of a lesson are: text from LESSON.yaml (read without Paddle), cases from LESSON.py.

A lesson is a pair of files of one name. The YAML file holds all that is said, in Chinese and English: titles, the one
line in the stub, hints, known mistakes. The Python file holds all that is run: CASES, PROPERTIES and CAPSTONE, by the
names that the YAML file gives.
"""

import difflib
import functools
import importlib
from dataclasses import dataclass, field
from pathlib import Path

LANGUAGES = ("zh", "en")
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people really give, as edits of the reference."""

    name: str
    edits: tuple  # (old, new) texts, applied in turn; each old then stands exactly once in the definition's body
    says: dict  # language -> what went wrong, one or two sentences


@dataclass(frozen=True)
class Property:
    """Something that holds for every right answer, whatever the reference says."""

    name: str
    says: dict  # language -> the rule, as a sentence


@dataclass(frozen=True, eq=False)
class Exercise:
    """One definition that a learner writes."""

    lesson: str
    id: str  # "1.4": lesson, place in the lesson
    target: str  # dotted path: "Attention.forward", "sincos_1d"
    module: str  # where the reference stands
    title: dict
    todo: dict  # the one line in the stub
    points: int
    hints: tuple  # of dicts, from a question to nearly the answer
    mistakes: tuple
    properties: tuple
    given: tuple = ()  # attributes that a constructor's stub keeps
    seconds: float = 10.0  # time limit


@dataclass(frozen=True, eq=False)
class Lesson:
    name: str
    number: int
    title: dict
    exercises: tuple

    @property
    def modules(self):
        """Modules with exercises, in order, without repetition."""
        return list(dict.fromkeys(exercise.module for exercise in self.exercises))

    def find(self, target):
        """The exercise of this dotted path or number.

        Raises:
            ValueError: there is none.
        """
        for exercise in self.exercises:
            if target in (exercise.target, exercise.id):
                return exercise
        raise ValueError(f"lesson {self.name} has no exercise {target!r}")

    def nearest(self, target):
        """Targets that look like this one, best first; may be empty."""
        return difflib.get_close_matches(target, [exercise.target for exercise in self.exercises], n=3, cutoff=0.5)

    @functools.cached_property
    def code(self):
        """The module with CASES, PROPERTIES and CAPSTONE. Imports Paddle."""
        return importlib.import_module(f"paddle_vit.exercises.{self.name}")


@dataclass(frozen=True)
class Case:
    """A small program that is run twice: with the reference, and with the learner's definition in its place.

    run(module, draw, **options) builds layers and inputs with draw, from which parameters and inputs come the same in
    both runs, and returns what is to be compared.
    """

    run: callable
    options: dict = field(default_factory=dict)
    train: bool = False
    initial: bool = False  # compare the initial values of parameters, before draw fills them
    real_dropout: bool = False  # properties only: random dropout instead of the fixed stand-in
    shows: tuple = ()  # where run returns an array of statistics: what each is, as dicts of languages
    holds: callable = None  # properties only: holds(outputs) with numpy arrays is true for a right answer

    def describe(self):
        """The options as Python would write them, for the message after a failure."""
        parts = [f"{name}={value!r}" for name, value in self.options.items()]
        return ", ".join(parts)


def lesson_names():
    """Names of all lessons, in the order of the course."""
    return [lesson.name for lesson in sorted(map(load_lesson, _stems()), key=lambda lesson: lesson.number)]


def _stems():
    return [path.stem for path in _FOLDER.glob("*.yaml")]


@functools.cache
def load_lesson(name):
    """Read a lesson's declaration.

    Raises:
        ValueError: there is no such lesson.
    """
    import yaml

    if name not in _stems():
        raise ValueError(f"there is no lesson {name!r}: choose one of {', '.join(sorted(_stems()))}")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    declared = yaml.load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), Loader=loader)
    number = declared["number"]
    exercises = tuple(
        _exercise(name, f"{number}.{place}", entry) for place, entry in enumerate(declared["exercises"], start=1)
    )
    return Lesson(name, number, declared["title"], exercises)


def _exercise(lesson, id, entry):
    mistakes = tuple(
        Mistake(
            mistake["name"],
            tuple((edit["old"], edit["new"]) for edit in mistake.get("edits", [mistake])),
            mistake["says"],
        )
        for mistake in entry["mistakes"]
    )
    properties = tuple(Property(entry["name"], entry["says"]) for entry in entry["properties"])
    simple = {key: entry[key] for key in ("target", "module", "title", "todo", "points")}
    optional = {key: entry[key] for key in ("seconds",) if key in entry}
    return Exercise(
        lesson=lesson,
        id=id,
        hints=tuple(entry["hints"]),
        mistakes=mistakes,
        properties=properties,
        given=tuple(entry.get("given", ())),
        **simple,
        **optional,
    )
