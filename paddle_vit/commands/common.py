"""What several commands share: language, lesson, exercise, hand-in; and an error that is shown in one line."""

from paddle_vit.exercises import lesson_names, load_lesson
from paddle_vit.grader.collect import CannotRead, collect
from paddle_vit.grader.messages import say
from paddle_vit.grader.project import default_hand_in
from paddle_vit.language import chosen_language, locale_language


class Refused(Exception):
    """Input that a command cannot work with; shown without a traceback, exit status 2."""


def add_language(parser):
    parser.add_argument(
        "--lang",
        choices=["zh", "en"],
        help="language of what is shown (default: from the notebook, PADDLE_VIT_LANG or the locale)",
    )


def language_of(args, hand_in=None):
    """--lang, then PADDLE_VIT_LANG, then the notebook's language, then the locale."""
    if getattr(args, "lang", None):
        return args.lang
    if chosen_language():
        return chosen_language()
    if hand_in is not None:
        for language in ("zh", "en"):
            if any(unit.file.endswith(f".{language}.ipynb") for unit in hand_in.units):
                return language
    return locale_language()


def find_lesson(name):
    try:
        return load_lesson(name)
    except ValueError as error:
        raise Refused(error) from None


def find_exercise(target, args, lesson_name=None, here=None):
    """The (lesson, exercise) of a dotted path or number; over all lessons when none is named.

    Args:
        here: the lesson whose exercises are listed where nothing is like target; None for the first.

    Raises:
        Refused: there is none, with the nearest.
    """
    lessons = [find_lesson(lesson_name)] if lesson_name else [load_lesson(name) for name in lesson_names()]
    for lesson in lessons:
        try:
            return lesson, lesson.find(target)
        except ValueError:
            continue
    language, lesson = language_of(args), here or lessons[0]
    near = [name for lesson in lessons for name in lesson.nearest(target)]
    if near:
        lesson = next(lesson for lesson in lessons if lesson.nearest(target))
        near = say("no_exercise_near", language, names=", ".join(near))
    else:
        names = ", ".join(exercise.target for exercise in lesson.exercises)
        near = say("no_exercise_list", language, names=names)
    raise Refused(say("no_exercise", language, lesson=lesson.name, target=target, near=near))


def read_hand_in(lesson, paths, args):
    """The hand-in at these paths, or the learner's own files.

    Raises:
        Refused: there is nothing that can be read.
    """
    try:
        return collect(paths) if paths else default_hand_in(lesson)
    except CannotRead as error:
        raise Refused(say(error.key, language_of(args), **error.values)) from None
