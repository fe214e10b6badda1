"""paddle-vit eval, predict, export: what comes after training."""

import os
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path

from paddle_vit.commands.common import add_language, language_of
from paddle_vit.commands.weights import remarks
from paddle_vit.grader.messages import say

_PASSES = 20  # single images of which the latency is the median
_BATCH = 8  # for the throughput of a model without a recipe


def add_commands(subparsers):
    """Register the commands eval, predict and export."""
    parser = subparsers.add_parser(
        "eval",
        help="accuracy of a trained model on the test images, and its speed",
        description="Accuracy of a trained model on the test images of its data.",
        epilog="example: paddle-vit eval runs/vit_digits --classes --throughput",
    )
    _add_model(parser)
    parser.add_argument(
        "--data", metavar="NAME[=PATH]", help="other data of the same classes (default: those of the run)"
    )
    parser.add_argument("--classes", action="store_true", help="accuracy of each class too")
    parser.add_argument("--throughput", action="store_true", help="images/s, latency, memory, parameters and FLOPs too")
    parser.set_defaults(run=run, do=evaluate, command="eval")

    parser = subparsers.add_parser(
        "predict",
        help="what a trained model sees in your own images",
        description="The most probable classes of images, and for ViT and DeiT the picture of what the model looks at.",
        epilog="example: paddle-vit predict runs/vit_digits seven.jpg eight.jpg",
    )
    _add_model(parser)
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="a JPEG, a PNG, ...")
    parser.add_argument(
        "--out", metavar="DIR", help="folder for the pictures (default: predictions, beside the weights)"
    )
    parser.set_defaults(run=run, do=predict, command="predict")

    parser = subparsers.add_parser(
        "export",
        help="write a trained model as a program for paddle.inference",
        description="Write a trained model in Paddle's inference format, read it back and compare it with the model.",
        epilog="example: paddle-vit export runs/vit_digits --out exported",
    )
    _add_model(parser, own_code=False)
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for the program")
    parser.set_defaults(run=run, do=export, command="export")


def _add_model(parser, own_code=True):
    parser.add_argument(
        "source", metavar="RUN", help="folder of a run, such as runs/vit_digits; or a file with weights"
    )
    parser.add_argument(
        "--model", metavar="NAME", help="for a file of published weights: name of the model, as in timm"
    )
    if own_code:
        parser.add_argument("--code", metavar="PATH", nargs="+", help="your own model, which the run was trained with")
    add_language(parser)


def run(args):
    """Find the model that the arguments name, and do with it what they say.

    Returns:
        exit status: 0 done, 1 an exported program computes something else, 2 bad input, 130 stopped with Ctrl-C
    """
    from paddle_vit.runtime import PaddleMissing, require_paddle

    language = language_of(args)
    os.environ.setdefault("GLOG_minloglevel", "2")  # else Paddle tells of its own insides while it exports
    try:
        require_paddle()
    except PaddleMissing as error:
        return _fail(args, error, 2)
    from paddle_vit.models.weight_errors import WeightsError

    try:
        with _trained(args, language) as trained:
            return args.do(trained, args, language)
    except KeyboardInterrupt:
        print("stopped")
        return 130
    except WeightsError as error:
        of_run = args.model is None and error.parts[0][0] == "no_fit"
        hint = "\n  " + say("weights_of_run", language) if of_run else ""
        return _fail(args, error.text(language) + hint, 2)
    except (ValueError, OSError) as error:  # RecipeError
        return _fail(args, error, 2)


@contextmanager
def _trained(args, language):
    """The model of the arguments, as Trained; while it lasts the learner's code is in its place."""
    from paddle_vit.grader.handin import definitions_from_code
    from paddle_vit.runtime import copied_transposes
    from paddle_vit.training.config import RecipeError
    from paddle_vit.training.own_code import put_in
    from paddle_vit.training.predict import find_trained, load_trained

    found = find_trained(args.source, args.model)
    code = getattr(args, "code", None)
    if code and found.recipe is None:
        raise RecipeError("--code goes with a run, whose recipe says which lesson the code is of; --model has its own")
    own = definitions_from_code(found.recipe.lesson, code, language) if code else {}
    with put_in(own), nullcontext() if own else copied_transposes():
        model = own.get(found.recipe.model_class) if found.recipe else None
        trained = load_trained(found, getattr(args, "data", None), model)
        for remark in remarks(trained.loaded, language) if trained.loaded.resized else ():
            print(remark)
        yield trained


def evaluate(trained, args, language):
    """paddle-vit eval"""
    from paddle_vit.training.predict import held_out, score

    data = trained.data
    measured = []
    if args.throughput:  # first: reading the test images would count as memory
        from paddle_vit.training.throughput import measure

        batch_size = trained.found.recipe.batch_size if trained.found.recipe else _BATCH
        cost = measure(trained.model, [data.in_channels, *data.image_size], [batch_size], _PASSES)
        measured = list(_told(cost, language))
    if data.load is not None or not args.throughput:
        split = held_out(trained)
        scores = score(trained, split)
        name = args.data or trained.found.recipe.data
        line = say(
            "eval_accuracy", language, name=trained.found.name, data=name, count=len(split.labels), top1=scores.top1
        )
        print(line + ("" if scores.top5 is None else say("eval_top5", language, top5=scores.top5)))
        for number, (right, count) in enumerate(scores.by_class if args.classes else ()):
            accuracy = f"{right / count:7.2%}" if count else f"{'-':>7}"
            name = f"{number} {trained.labels.get(number, '')}".strip()
            print(say("eval_class", language, accuracy=accuracy, name=name, right=right, count=count))
    for line in measured:
        print(line)
    return 0


def _told(cost, language):
    """A Cost in words, line by line."""
    import paddle

    yield say("cost_parameters", language, parameters=cost.parameters)
    yield say("cost_flops", language, flops=cost.flops / 1e9, half=cost.flops / 2e9)
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    yield say("cost_device", language, device=paddle.get_device(), paddle=paddle.__version__, threads=threads)
    for size, rate in cost.images_per_second.items():
        yield say("cost_rate", language, size=size, rate=rate)
    yield say("cost_latency", language, median=1e3 * cost.latency, most=1e3 * cost.latency_95, passes=_PASSES)
    for key, memory in (("cost_memory", cost.memory), ("cost_gpu_memory", cost.gpu_memory)):
        if memory is not None:
            yield say(key, language, mebibytes=memory / 2**20)


def predict(trained, args, language):
    """paddle-vit predict. An image that cannot be read is named, and the others still get their answer."""
    from paddle_vit.training.config import RecipeError
    from paddle_vit.training.predict import prepare
    from paddle_vit.visualize.predictions import classes_picture, top_classes
    from paddle_vit.visualize.vit import attention_picture

    out = Path(args.out) if args.out else trained.found.folder / "predictions"
    taken, status = set(), 0
    for path in args.images:
        try:
            image = prepare(path, trained.found.recipe, trained.data, trained.normalize)
        except RecipeError as error:
            status = _fail(args, error, 2)
            continue
        print(path)
        for number, probability in top_classes(trained.model, image):
            name = trained.labels.get(number) or say("predicted_class", language, number=number)
            print(f"  {probability:6.1%}  {name}")
        try:
            out.mkdir(parents=True, exist_ok=True)
            stem = _new_name(Path(path).stem, taken)
            written = [out / f"{stem}_classes.png"]
            classes_picture(trained.model, image, trained.labels, path=written[0])
            if hasattr(trained.model, "encoder"):  # ViT and DeiT; Swin's windows have no picture of the whole image
                written.append(out / f"{stem}_attention.png")
                attention_picture(trained.model, image, path=written[1])
        except OSError as error:
            raise RecipeError(f"{out} cannot be written: {error.strerror}; choose another folder, --out DIR") from None
        print(f"  {', '.join(map(str, written))}")
    return status


def _new_name(stem, taken):
    """stem, or with a number behind it where another image has that name."""
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}_{number}"
    taken.add(name)
    return name


def export(trained, args, language):
    """paddle-vit export. It takes no code of the learner's: Paddle reads the source of what it exports, and definitions that
    were put together from files and notebooks have none of their own. The package's model gets their weights."""
    from paddle_vit.training.datasets import STATISTICS
    from paddle_vit.training.export import ExportError
    from paddle_vit.training.export import export as export_model

    data = trained.data
    shape = [data.in_channels, *map(int, data.image_size)]
    mean, deviation = (list(part[: data.in_channels]) for part in STATISTICS[trained.normalize])
    about = {
        "model": trained.found.name,
        "mean": mean,  # of images from 0 to 1: subtracted, then divided by the deviation
        "deviation": deviation,
        "classes": trained.labels or data.num_classes,
    }
    try:
        difference, files = export_model(trained.model, shape, args.out, about)
    except ExportError as error:
        return _fail(args, error, 1)
    told = dict(folder=args.out, files=", ".join(files), shape=[None, *shape], difference=difference)
    print(say("exported", language, **told))
    if trained.found.own_code:
        print(say("exported_own", language, source=args.source))
    return 0


def _fail(args, error, status):
    """Print an error; returns the exit status."""
    print(f"paddle-vit {args.command}: {error}", file=sys.stderr)
    return status
