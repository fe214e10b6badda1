"""Judge one exercise: run the learner's definition apart, compare what is seen, and say what is wrong with it."""

import ast
import os
import re
import sys
import time
import types
from dataclasses import dataclass
from pathlib import Path

from paddle_vit.exercises import Lesson, load_lesson
from paddle_vit.grader import wire
from paddle_vit.grader.collect import HandIn, from_units
from paddle_vit.grader.compare import compare
from paddle_vit.grader.graft import graft, joined, load_reference, names_read
from paddle_vit.grader.isolate import can_fork, run_command, run_forked
from paddle_vit.grader.messages import say
from paddle_vit.grader.mistakes import name_mistake
from paddle_vit.grader.observe import case_seed, fixed_dropout, holds, observe, observe_error, start_threads
from paddle_vit.grader.preflight import Verdict, choose, constructors, whole_hand_in
from paddle_vit.grader.stubs import left_raise


@dataclass
class Trial:
    """One exercise, or with exercise None the capstone, of one hand-in."""

    lesson: Lesson
    exercise: object
    hand_in: HandIn
    seed: int
    language: str

    def __post_init__(self):
        code = self.lesson.code
        if self.exercise is None:
            self.cases, self.modules, self.seconds = code.CAPSTONE, self.lesson.modules, 30.0
            self.definitions = whole_hand_in(self.lesson, self.hand_in)
        else:
            rules = [code.PROPERTIES[rule.name] for rule in self.exercise.properties]
            self.cases = [*code.CASES[self.exercise.target], *rules]
            self.modules, self.seconds = [self.exercise.module], self.exercise.seconds
            self.definitions = {self.exercise.module: [choose(self.exercise, self.hand_in)[0]]}
        self.constructors = constructors(self.lesson, self.hand_in) if self.exercise else []

    def run(self):
        """Run the learner's code in a process of its own and judge what comes back."""
        start = time.perf_counter()
        verdict = self._run()
        verdict.seconds = round(time.perf_counter() - start, 3)
        return verdict

    def _run(self):
        if can_fork():
            expected = None

            def meanwhile():
                nonlocal expected
                expected = self.expected()

            outcome = run_forked(self.answer, seconds=self.seconds, memory=2**30, meanwhile=meanwhile)
        else:
            target = self.exercise.target if self.exercise else None
            units = [[unit.name, unit.text, unit.file] for unit in self.hand_in.units]
            job = dict(lesson=self.lesson.name, target=target, seed=self.seed, units=units)
            command = [sys.executable, "-m", "paddle_vit.grader.child"]
            path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
            # a cold start imports Paddle first
            outcome = run_command(
                command, wire.encode(job), seconds=self.seconds + 20, env={**os.environ, "PYTHONPATH": path}
            )
            expected = self.expected()
        printed = self._printed(outcome.printed)
        if outcome.status == "timeout":
            return Verdict("timeout", self._say("timeout", seconds=self.seconds) + printed)
        if outcome.status != "finished":
            return Verdict("error", self._say(outcome.status, ending=outcome.ending) + printed)
        try:
            verdict = self.compare(expected, wire.decode(outcome.data))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):  # bytes that are no observations
            return Verdict("error", self._say("damaged") + printed)
        if verdict.state != "passed":
            verdict.message += printed + self._changed()
        return verdict

    def answer(self):
        """Everything that is seen of the learner's code, as bytes. For a child process only."""
        names = {unit.name for unit in self.hand_in.units}

        def where(trace):
            place = None
            while trace is not None:
                if trace.tb_frame.f_code.co_filename in names:
                    place = dict(unit=trace.tb_frame.f_code.co_filename, line=trace.tb_lineno)
                trace = trace.tb_next
            return place

        for unit in self.hand_in.units:  # helper modules beside the hand-in; last in line, so that they hide nothing
            folder = os.path.dirname(os.path.abspath(unit.file))
            if folder not in sys.path:
                sys.path.append(folder)
        sys.argv = ["hand-in"]
        start_threads()
        return wire.encode(self._observe(self.graft, where))

    def graft(self):
        """The reference with the learner's definitions in it; the names of several modules as one namespace."""
        return _together(
            graft(load_reference(name), self.definitions[name], self.hand_in.statements, self.constructors)
            for name in self.modules
        )

    def expected(self):
        """What the reference gives on the same cases."""
        return self._observe(lambda: _together(load_reference(name).execute() for name in self.modules))

    def _observe(self, load, where=None):
        with fixed_dropout():
            try:
                module = load()
            except BaseException as error:
                return [observe_error(error, where)] * len(self.cases)
            seen = []
            for place, case in enumerate(self.cases):
                seen.append(observe(case, module, case_seed(self.seed, place), where=where))
                if seen[-1]["error"] and seen[-1]["error"]["type"] == "MemoryError":
                    return seen + seen[-1:] * (len(self.cases) - len(seen))  # filling the memory again takes seconds
            return seen

    def compare(self, expected, actual):
        """The verdict on observations.

        Raises:
            ValueError: actual holds something else.
        """
        if not isinstance(actual, list) or len(actual) != len(self.cases):
            raise ValueError("not as many observations as cases")
        differences = {}
        for place, (case, one, other) in enumerate(zip(self.cases, expected, actual, strict=True)):
            difference = compare(one, other) if case.holds is None else None
            if difference:
                differences[place] = difference
        broken = [
            place
            for place, (case, seen) in enumerate(zip(self.cases, actual, strict=True))
            if case.holds is not None and not holds(case, seen)
        ]
        if not differences and not broken:
            return Verdict("passed", self._say("capstone_passed") if self.exercise is None else "")
        place, difference = next(iter(differences.items()), (broken[0] if broken else None, None))
        mistake = None
        if self.exercise is not None:
            mistake = name_mistake(self.exercise, self.cases, actual, place, difference, broken, self.seed)
        error = actual[place]["error"] if difference is None or difference.key == "raised" else None
        lines = (
            [self._raised(error)] if error else [self._difference(difference, self.cases[place])] if difference else []
        )
        lines += self._clue(mistake, error, differences, broken)
        lines.append(self._case(self.cases[place]))
        return Verdict("error" if error else "wrong", "\n".join(lines), mistake.name if mistake else None)

    def _clue(self, mistake, error, differences, broken):
        """What may lead to the fault: the known mistake, else where the fault cannot be, else a rule that is broken."""
        if mistake:
            return [self._say("mistake_raised" if error else "mistake", says=mistake.says[self.language])]
        if error:
            return []
        if not differences:
            return [self._rule(broken[0], "property_broken")]
        if next(iter(differences.values())).key not in ("values", "number", "not_finite", "gradient", "initial_values"):
            return []  # parameters, types and shapes speak for themselves
        failing = {self.cases[place].train for place in differences if not self.cases[place].initial}
        drops = any("drop" in name for case in self.cases for name in case.options)
        if len(failing) == 1 and drops and self._right_in_the_other_mode(differences):
            return [self._say("only_in_training" if failing == {True} else "only_in_evaluation")]
        return [self._rule(broken[0], "property")] if broken else []

    def _right_in_the_other_mode(self, differences):
        """Whether a case that fails is right in the other mode, all else being equal."""
        failing = [self.cases[place] for place in differences]
        passing = [case for place, case in enumerate(self.cases) if case.holds is None and place not in differences]
        return any(
            one.run is other.run and one.options == other.options and one.train != other.train
            for one in failing
            for other in passing
        )

    # --- words --------------------------------------------------------------------------------------------------------

    def _say(self, key, **values):
        return say(key, self.language, **values)

    def _difference(self, difference, case):
        values = dict(difference.values)
        if difference.key == "values" and case.shows:
            return self._say("statistic", what=case.shows[values["where"][0]][self.language], **values)
        if "place" in values and difference.key != "input_changed":
            values["place"] = self._say("place", place=values["place"]) if values["place"] else ""
        said = self._say(difference.key, **values)
        if difference.key == "values" and self.exercise and self.exercise.target.endswith("__init__"):
            return self._say("with_your_layers") + said  # a constructor itself returns no values
        return said

    def _rule(self, place, key):
        if self.exercise is None:
            return self._say("capstone_step")
        rule = self.exercise.properties[place - len(self.cases)]  # properties stand after the cases
        return self._say(key, says=rule.says[self.language])

    def _raised(self, error):
        if error["type"] == "NotImplementedError" and self.exercise:
            line = left_raise(self.definitions[self.exercise.module][0].node)
            if line:
                return self._say("left_raise", line=line)
        absent = re.search(r"object has no attribute '(\w+)'", error["message"])
        if error["type"] == "AttributeError" and not error["where"] and absent:
            return self._say("attribute_missing", name=absent[1])  # the reference's forward asks for it
        where, place = self._say("raised_elsewhere"), error["where"]
        if place:
            text = self.hand_in.text_at(place["unit"], place["line"])
            where = self._say("where", unit=place["unit"], line=place["line"], text=text)
        message = f": {error['message']}" if error["message"] else ""
        return self._say("raised", type=error["type"], message=message, where=where)

    def _case(self, case):
        mode = ""  # plain functions know no mode
        if any(one.train for one in self.cases):
            mode = self._say("mode_train" if case.train else "mode_eval")
        conditions = ", ".join(filter(None, [case.describe(), mode]))
        return self._say("case" if conditions else "case_seed", case=conditions, seed=self.seed)

    def _printed(self, printed):
        printed = printed.strip()
        if not printed:
            return ""
        return "\n" + self._say("printed", printed=printed[:500] + (" ..." if len(printed) > 500 else ""))

    def _changed(self):
        """A remark on what the learner changed outside of the exercise, where the definition uses it."""
        if self.exercise is None:
            return ""
        reference = load_reference(self.exercise.module)
        node = self.definitions[self.exercise.module][0].node
        used = names_read(node) | {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
        exercises = {exercise.target for exercise in self.lesson.exercises}
        names = [
            target
            for target, given in self.hand_in.definitions.items()
            if target in reference.definitions
            and target not in exercises
            and target.split(".")[-1] in used
            and ast.dump(given[-1].node) != ast.dump(reference.definitions[target])
        ]
        return "\n" + self._say("changed", names=", ".join(names)) if names else ""


def run_once(lesson):
    """Run the reference as a whole, forward and backward: what is slow at first use is then done."""
    with fixed_dropout():
        module = _together(load_reference(name).execute() for name in lesson.modules)
        observe(lesson.code.CAPSTONE[0], module, seed=0)


def trial_from_job(job):
    """The Trial that another process described, see Trial.run."""
    lesson = load_lesson(job["lesson"])
    exercise = lesson.find(job["target"]) if job["target"] else None
    return Trial(lesson, exercise, from_units(job["units"]), job["seed"], "en")


def _together(modules):
    modules = list(modules)
    if len(modules) == 1:
        return modules[0]
    return types.SimpleNamespace(**joined(modules))
