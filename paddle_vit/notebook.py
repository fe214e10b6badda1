"""What a notebook's first cell imports: check what was just run, hints, solutions, and training with a live curve.

    from paddle_vit.notebook import check, hint, solution, start, train
    start("vit", "zh")

Checks run in a grader process beside the kernel, see grader/server.py. Only the standard library is imported until a
function is called, so that start() can say what is missing.
"""

import html
import importlib
import importlib.util
import os
import re
import sys
import time
import types
from pathlib import Path

AI_STUDIO = "/home/aistudio"
LIBRARIES = f"{AI_STUDIO}/external-libraries"  # where packages outlive a restart on AI Studio

NEEDED = ["numpy", "matplotlib", "yaml", "rich", "safetensors"]
NEEDED_BY_RICH = ["markdown_it", "mdurl", "pygments"]
PIP_NAMES = {"numpy": '"numpy<2.4"', "yaml": "PyYAML", "markdown_it": "markdown-it-py"}

COLOURS = {"green": "#1a9850", "red": "#e0443e", "yellow": "#c08000", "dim": "#808080"}  # on white and on black


class _Brief(BaseException):
    """Shown in a notebook as its message, without a traceback. The cell has failed all the same: "Run all" stops."""

    def _render_traceback_(self):
        return [str(self)]


class Refused(_Brief, Exception):
    """Something has to be done first; the message says what."""


class Stopped(_Brief, KeyboardInterrupt):
    """A check was interrupted."""


class _Session:
    """What start() was told, the grader, and what is known of the exercises."""

    lesson, language, language_is_ours, grader = None, None, False, None
    states = {}  # target -> state at its last check, here or in an earlier session


_session = _Session()


def start(lesson, language):
    """Prepare a notebook: look for what is missing, and start the grader in the background.

    Args:
        lesson: "vit".
        language: "zh" or "en", where PADDLE_VIT_LANG does not say another.

    Raises:
        Refused: a package is missing; the message is the line that installs it.
    """
    from paddle_vit.language import chosen_language

    if chosen_language() is None or _session.language_is_ours:
        os.environ["PADDLE_VIT_LANG"], _session.language_is_ours = language, True  # the pictures follow it
    _session.language = os.environ["PADDLE_VIT_LANG"]
    if os.path.isdir(LIBRARIES) and LIBRARIES not in sys.path:
        sys.path.append(LIBRARIES)
    importlib.invalidate_caches()  # something may just have been installed
    _look_for_packages()
    from paddle_vit.commands.common import find_lesson
    from paddle_vit.runtime import environment

    lesson = _refusing(find_lesson, lesson)
    _use(lesson)
    shell = _shell()
    if shell is not None:
        shell.display_formatter.formatters["image/png"].for_type_by_name("matplotlib.figure", "Figure", _png)
    values = dict(title=lesson.title[_session.language], folder=Path(__file__).parent)
    print(_say("notebook_ready", paddle=environment()["PaddlePaddle"], **values))
    print(_say("notebook_use", target=lesson.exercises[0].target))


def check(target=None, lesson=None):
    """Check one exercise as it was last run here, or with "all" the whole lesson and the model made of it.

    Args:
        target: "Attention.forward", "1.9" or "all".
        lesson: where the notebook's own is not meant.

    Raises:
        Refused: there is no such exercise, or the grader does not run.
        Stopped: interrupted.
    """
    shell, caller = _shell(), sys._getframe(1).f_globals
    lesson, exercise = _find(target, lesson)
    exercises = [exercise] if exercise else lesson.exercises
    from paddle_vit.grader.project import find_root
    from paddle_vit.grader.server import GraderDied
    from paddle_vit.grader.session import session_units

    history = list(shell.history_manager.input_hist_raw) if shell else []
    namespace = shell.user_ns if shell else caller
    units = session_units({one.target for one in exercises}, history, namespace, _session.language)
    request = dict(lesson=lesson.name, target=exercise.target if exercise else None, language=_session.language)
    root = find_root()
    try:
        answer = _session.grader.ask(units=units, root=str(root) if root else None, **request)
    except GraderDied as error:
        raise Refused(_say("notebook_broken", reason=error)) from None
    except KeyboardInterrupt:
        raise Stopped(_say("notebook_stopped")) from None
    if "problem" in answer:
        raise Refused(_say("notebook_broken", reason=answer["problem"]))
    report = answer["report"]
    # A cell that was not run again after a restart takes nothing away
    known = {entry["target"]: entry["state"] for entry in report["exercises"] if entry["state"] != "missing"}
    _session.states.update(known)
    parts = [part for entry in report["exercises"] for part in _exercise(entry, alone=exercise is not None)]
    _show(parts + _conclusion(lesson, report, alone=exercise is not None))


def hint(target=None, lesson=None):
    """The next hint for an exercise."""
    from paddle_vit.commands.learning import next_hint

    exercise = _find(target, lesson)[1]
    _show([("", next_hint(exercise, _session.language, "notebook_last_hint", "notebook_more_hints"))])


def solution(target=None, reveal=False, lesson=None):
    """The reference's definition: once the exercise is passed, or with reveal=True."""
    import textwrap

    from paddle_vit.commands.learning import without_docstring
    from paddle_vit.grader.stubs import solution_definition

    exercise = _find(target, lesson)[1]
    if not reveal and _session.states.get(exercise.target) != "passed":
        raise Refused(_say("notebook_locked", target=exercise.target))
    code = textwrap.dedent(without_docstring(solution_definition(exercise))).rstrip()
    _display({"text/plain": code, "text/markdown": f"```python\n{code}\n```"})


def train(recipe, model=None, *, teacher=None, code=(), out=None, **changes):
    """paddle_vit.train with a learning curve that grows while it runs; outside a notebook just that.

    Arguments, result and exceptions: see paddle_vit.training.engine.train.
    """
    from paddle_vit.training import engine

    if _shell() is None:
        return engine.train(recipe, model, teacher=teacher, code=code, out=out, **changes)
    recipe = engine.load_recipe(recipe, **changes)
    out = Path(out or Path("runs") / recipe.name)
    curve = _Curve(recipe.epochs, out.name)
    try:
        given = dict(teacher=teacher, code=code)
        return engine.train(recipe, model, **given, out=out, quiet=True, on_epoch=curve.update)
    finally:
        curve.finish(out / "learning_curve.png")


def published(model, path, *, allow=()):
    """Load published weights into a model, the learner's own, and say what was loaded.

    Args:
        model, path, allow: see paddle_vit.models.weights.load_weights.

    Returns:
        its Loaded; None where there is no such file, so that cells which need the weights can do without

    Raises:
        Refused: the file is no file of weights or does not fit the model, which is then as it was.
    """
    from paddle_vit.commands.common import language_of
    from paddle_vit.commands.weights import remarks
    from paddle_vit.grader.messages import FILE_KINDS
    from paddle_vit.models.weight_errors import WeightsError
    from paddle_vit.models.weights import load_weights

    if _session.language is None:
        _session.language = language_of(None)
    try:
        loaded = load_weights(model, path, allow=allow)
    except FileNotFoundError:
        print(_say("published_none", path=Path(path).absolute()))
        return None
    except WeightsError as error:
        raise Refused(_say("published_refused", reason=error.text(_session.language))) from None
    taken = [parameter for name, parameter in model.state_dict().items() if name not in loaded.fresh]
    kind, count = FILE_KINDS[loaded.kind][_session.language], sum(int(parameter.size) for parameter in taken)
    first = _say("published", file=Path(path).name, kind=kind, count=count)
    print("\n".join([first, *remarks(loaded, _session.language)]))
    return loaded


# --- the session ------------------------------------------------------------------------------------------------------


def _say(key, **values):
    from paddle_vit.grader.messages import say

    return say(key, _session.language, **values)


def _shell():
    """IPython's shell in this process, or None."""
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


def _refusing(function, *arguments):
    """Call it, with the command line's way of refusing turned into the notebook's."""
    from paddle_vit.commands import common

    try:
        return function(*arguments)
    except common.Refused as error:
        raise Refused(str(error)) from None


def _find(target, lesson_name):
    """(lesson, exercise), None for "all"; the grader is then running, even if start() was forgotten."""
    from paddle_vit.commands.common import find_exercise, find_lesson, language_of
    from paddle_vit.exercises import lesson_names

    if _session.language is None:
        _session.language = language_of(None)
    if not isinstance(target, str):  # 1.10 without quotes is 1.1
        raise Refused(_say("notebook_quotes", target=target))
    if target == "all":
        own = _session.lesson.name if _session.lesson else lesson_names()[0]
        lesson, exercise = _refusing(find_lesson, lesson_name or own), None
    else:
        args = types.SimpleNamespace(lang=_session.language)
        lesson, exercise = _refusing(find_exercise, target, args, lesson_name, _session.lesson)
    if _session.grader is None:
        _use(lesson)
    return lesson, exercise


def _use(lesson):
    """Make this the notebook's lesson, with a grader that is warm for it and what is known of its exercises."""
    from paddle_vit.grader.project import Progress
    from paddle_vit.grader.server import Grader

    grader = _session.grader
    if grader is None or grader.lesson != lesson.name or grader.process.poll() is not None:
        if grader is not None:
            grader.end()
        _session.grader = Grader(lesson.name)
    _session.lesson = lesson
    known = {target: entry.get("state") for target, entry in Progress().exercises.items()}
    _session.states = {**known, **_session.states}


def _look_for_packages():
    from paddle_vit.runtime import NO_PADDLE

    missing = [name for name in [*NEEDED, *NEEDED_BY_RICH, "paddle"] if importlib.util.find_spec(name) is None]
    wanted = NEEDED + NEEDED_BY_RICH if "rich" in missing else NEEDED
    packages = [PIP_NAMES.get(name, name) for name in wanted if name in missing]
    pip = "%pip install"
    if os.environ.get("WEBIDE_PLATFORM") == "AIStudio" or os.path.isdir(AI_STUDIO):
        # Without --no-deps pip puts a second numpy beside the one that Paddle was built with; matplotlib needs more
        # packages than can be named here.
        pip = f"!pip install{'' if 'matplotlib' in missing else ' --no-deps'} -t {LIBRARIES}"
    elif "paddle" in missing:
        packages.append('"paddlepaddle>=2.6.2"')
    advice = [_say("notebook_needs", command=f"{pip} {' '.join(packages)}")] if packages else []
    if "paddle" in missing:
        advice.append(NO_PADDLE)
    if advice:
        raise Refused("\n\n".join(advice))


# --- what is shown ----------------------------------------------------------------------------------------------------


def _exercise(entry, alone):
    """(style, text) parts for one exercise of a report; the first of them is a line."""
    from paddle_vit.grader.messages import STATES
    from paddle_vit.grader.report import MARKS

    state = entry["state"]
    mark, style = MARKS[state]
    points, said = f"{entry['score']}/{entry['points']}", STATES[state][_session.language]
    parts = [(style, f"{mark} {entry['id']} {entry['target']}  {points}  {said}  {entry['title']}")]
    if entry["message"] and (alone or state != "missing"):
        parts.append(("", entry["message"]))
    if alone and state in ("missing", "not_started"):
        parts.append(("", _say(f"notebook_{state}")))
    if alone and state != "passed":
        parts.append(("", _say("notebook_hint", target=entry["target"])))
    return parts


def _conclusion(lesson, report, alone):
    """What stands below: after one exercise how far the lesson is, after all the whole model and the score."""
    from paddle_vit.grader.report import MARKS

    if not alone:
        mark, style = MARKS[report["capstone"]["state"]]
        line = f"{mark} {_say('capstone')}{report['capstone']['message']}"
        return [(style, line), ("bold", _say("score", score=report["score"], points=report["points"]))]
    total = len(lesson.exercises)
    passed = sum(_session.states.get(exercise.target) == "passed" for exercise in lesson.exercises)
    if report["exercises"][0]["state"] == "missing":  # known from before a restart, and not to be had now
        passed = min(passed, total - 1)
    line = _say("watch_bar", passed=passed, total=total)
    return [("dim", line if passed < total else _say("notebook_all_passed", total=total))]


def _show(parts):
    """Parts as (style, text): in colour where there is a notebook, as text everywhere."""
    plain, rows = [], []
    for style, text in parts:
        plain.append(text if style else re.sub("^", "    ", text, flags=re.M))
        css = f"color: {COLOURS.get(style, 'inherit')}; font-weight: bold" if style else "margin-left: 2em"
        rows.append(f'<div style="white-space: pre-wrap; line-height: 1.5; {css}">{html.escape(text)}</div>')
    _display({"text/plain": "\n".join(plain), "text/html": "".join(rows)})


def _display(bundle):
    if _shell() is None:
        print(bundle["text/plain"])
    else:
        from IPython.display import display

        display(bundle, raw=True)


def _png(figure):
    import io

    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=100)
    return data.getvalue()


class _Curve:
    """A line of text and a learning curve in a notebook, renewed while a run goes on."""

    def __init__(self, epochs, name):
        from IPython.display import display

        from paddle_vit.visualize.training import learning_curve  # loads matplotlib, before the clock runs

        self.draw, self.epochs, self.name, self.history = learning_curve, epochs, name, []
        self.text, self.picture = (display({"text/plain": ""}, raw=True, display_id=True) for _ in range(2))
        self.next_text = time.perf_counter()
        self.next_picture = self.next_text + 2.0

    def update(self, history):
        """After every epoch: the text twice a second, the curve every two seconds, less often where drawing is slow."""
        self.history, now = history, time.perf_counter()
        if now >= self.next_text:
            self._write()
            self.next_text = now + 0.5
        if now >= self.next_picture:
            self._show(_png(self.draw(history)))
            taken = time.perf_counter() - now
            self.next_picture = now + max(2.0, 15 * taken)  # drawing costs under a tenth of the run

    def finish(self, path):
        """Show the run as it ended, with the curve that it has left at this path."""
        if self.history:
            self._write()
            self._show(path.read_bytes())

    def _write(self):
        row = self.history[-1]
        left = row["seconds"] / row["epoch"] * (self.epochs - row["epoch"])
        tested = [one["test_accuracy"] for one in self.history if "test_accuracy" in one]
        values = dict(epoch=row["epoch"], epochs=self.epochs, loss=row["loss"], train=row["train_accuracy"], left=left)
        line = _say("notebook_epoch", **values, test=f"{tested[-1]:.1%}" if tested else "-")
        self.text.update({"text/plain": f"{self.name}  {line}"}, raw=True)

    def _show(self, png):
        size = {"image/png": {"width": 900}}  # whatever its resolution
        self.picture.update({"image/png": png, "text/plain": ""}, metadata=size, raw=True)
