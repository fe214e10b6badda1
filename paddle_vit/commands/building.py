"""build and doctor: for instructors, and for when something does not work."""

from paddle_vit.commands.common import Refused, add_language, find_lesson, language_of
from paddle_vit.commands.learning import keep_backup
from paddle_vit.exercises import LANGUAGES, lesson_names
from paddle_vit.grader.collect import CannotRead, collect_sources
from paddle_vit.grader.messages import say
from paddle_vit.grader.notebooks import LessonError, notebook_file, notebook_path, own_cells, text_path
from paddle_vit.grader.preflight import choose
from paddle_vit.grader.project import find_root, shown
from paddle_vit.grader.stubs import is_finished, stub_file


def add_commands(subparsers):
    parser = subparsers.add_parser("build", help="write the stubs and notebooks of the lessons")
    parser.add_argument("lessons", metavar="LESSON", nargs="*", help="default: all")
    parser.add_argument("--force", action="store_true", help="overwrite finished exercises too, keeping a backup")
    add_language(parser)
    parser.set_defaults(run=run_build)

    parser = subparsers.add_parser("doctor", help="what this machine has, and what would help")
    add_language(parser)
    parser.set_defaults(run=run_doctor)


def run_build(args):
    language = language_of(args)
    root = find_root()
    if root is None:
        raise Refused(say("no_lesson_files", language, lesson=(args.lessons or lesson_names())[0]))
    status = 0
    for lesson in [find_lesson(name) for name in args.lessons or lesson_names()]:
        try:
            files = built_files(lesson, root)
        except (LessonError, OSError) as error:
            raise Refused(error) from None
        for path, text in files.items():
            status |= write(lesson, path, text.encode(), args.force, language)
    return status


def built_files(lesson, root):
    """Path -> text of every file that is generated for a lesson: stubs, and a notebook in each language it has a text in.

    Raises:
        LessonError, OSError: a text that cannot be made into a notebook, or no demonstrations for it.
    """
    folder = root / "lessons" / lesson.name
    files = {folder / (module.rsplit(".", 1)[1] + ".py"): stub_file(lesson, module) for module in lesson.modules}
    for language in filter(lambda language: text_path(root, lesson, language).exists(), LANGUAGES):
        files[notebook_path(root, lesson, language)] = notebook_file(lesson, language, root)
    return files


def write(lesson, path, content, force, language):
    """Write a generated file unless that would cost a learner something. Returns the exit status."""
    before = path.read_bytes() if path.exists() else None
    if before == content:
        print(say("unchanged", language, path=shown(path)))
        return 0
    own = learners_work(lesson, path, before) if before is not None else []
    if own and not force:
        print(say("build_stopped", language, path=shown(path), names=", ".join(own)))
        return 1
    path.parent.mkdir(parents=True, exist_ok=True)
    if own:
        print(say("backup", language, backup=shown(keep_backup(path, before))))
    path.write_bytes(content)
    print(say("built", language, path=shown(path)))
    return 0


def learners_work(lesson, path, content):
    """Targets that a learner has filled in and cells that are their own; or the file, where it cannot be read."""
    try:
        hand_in = collect_sources([(str(path), content.decode("utf-8-sig"))])
        own = [f"cell {number}" for number in own_cells(content)] if path.suffix == ".ipynb" else []
    except (CannotRead, ValueError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        return [path.name] if content.strip() else []
    if hand_in.problems:
        return [path.name]
    chosen = [(exercise, choose(exercise, hand_in)[0]) for exercise in lesson.exercises]
    targets = [exercise.target for exercise, found in chosen if found is not None and is_finished(exercise, found.node)]
    return targets + own


def run_doctor(args):
    from paddle_vit.grader.isolate import can_fork, describe
    from paddle_vit.grader.report import console
    from paddle_vit.runtime import NO_PADDLE, PaddleMissing, environment, require_paddle, settings

    language = language_of(args)
    out = console()
    for name, text in {**environment(), **settings()}.items():
        out.print(f"{name + ':':<16}{text}", markup=False)
    protections = [name for name, holds in describe().items() if holds]
    out.print(f"{'Isolation:':<16}{', '.join(protections) or say('no_isolation', language)}", markup=False)
    if not can_fork():
        out.print(say("no_fork", language), markup=False)
    try:
        paddle = require_paddle()
    except PaddleMissing:
        out.print(NO_PADDLE, markup=False)
        return 2
    except Exception as error:
        out.print(say("paddle_broken", language, error=f"{type(error).__name__}: {error}"), markup=False)
        return 2
    total = (paddle.ones([2, 3]) @ paddle.ones([3, 2])).sum().item()
    out.print(
        say("paddle_works" if total == 12 else "paddle_wrong", language, device=paddle.get_device()), markup=False
    )
    return 0 if total == 12 else 2
