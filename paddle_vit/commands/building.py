"""build and doctor: for instructors, and for when something does not work."""

from paddle_vit.commands.common import Refused, add_language, find_lesson, language_of
from paddle_vit.commands.learning import keep_backup
from paddle_vit.exercises import lesson_names
from paddle_vit.grader.collect import CannotRead, collect_sources
from paddle_vit.grader.messages import say
from paddle_vit.grader.preflight import choose
from paddle_vit.grader.project import find_root, shown
from paddle_vit.grader.stubs import is_finished, stub_file


def add_commands(subparsers):
    parser = subparsers.add_parser("build", help="write the stubs of the lessons from the reference")
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
        for module in lesson.modules:
            path = root / "lessons" / lesson.name / (module.rsplit(".", 1)[1] + ".py")
            content = stub_file(lesson, module).encode()
            before = path.read_bytes() if path.exists() else None
            if before == content:
                print(say("unchanged", language, path=shown(path)))
                continue
            finished = finished_in(lesson, path, before) if before is not None else []
            if finished and not args.force:
                print(say("build_stopped", language, path=shown(path), names=", ".join(finished)))
                status = 1
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if finished:
                print(say("backup", language, backup=shown(keep_backup(path, before))))
            path.write_bytes(content)
            print(say("built", language, path=shown(path)))
    return status


def finished_in(lesson, path, content):
    """Targets that a learner has filled in, or all when the file cannot be read: then nothing may be lost."""
    try:
        hand_in = collect_sources([(str(path), content.decode("utf-8-sig"))])
    except (CannotRead, UnicodeDecodeError):
        return [path.name] if content.strip() else []
    if hand_in.problems:
        return [path.name]
    chosen = [(exercise, choose(exercise, hand_in)[0]) for exercise in lesson.exercises]
    return [exercise.target for exercise, found in chosen if found is not None and is_finished(exercise, found.node)]


def run_doctor(args):
    from paddle_vit.grader.isolate import can_fork, describe
    from paddle_vit.grader.report import console
    from paddle_vit.runtime import NO_PADDLE, PaddleMissing, environment, require_paddle

    language = language_of(args)
    out = console()
    for name, text in environment().items():
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
