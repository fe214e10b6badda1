"""paddle-vit train: run a recipe, with the reference model or the learner's own code."""

import sys
from pathlib import Path

from paddle_vit.commands.common import add_language, language_of
from paddle_vit.grader.messages import say


def add_train(subparsers):
    """Register the command train."""
    parser = subparsers.add_parser(
        "train",
        usage="paddle-vit train RECIPE [key=value ...] [--code PATH ...] [--out DIR] [--resume] [--show]",
        help="train a model, the reference or your own code",
        description="Train a model by a recipe and test it; metrics, weights and a learning curve go into a folder.",
        epilog="example: paddle-vit train vit_digits epochs=20 depth=2 --code lessons/vit. In several processes: "
        "python -m paddle.distributed.launch --nproc_per_node 2 python -m paddle_vit train vit_digits (the same result up to "
        "rounding, dropout and batch norms apart; only the first one prints)",
    )
    parser.add_argument("recipe", metavar="RECIPE", help="name of a recipe, such as vit_digits, or a YAML file")
    parser.add_argument("changes", metavar="key=value", nargs="*", help="settings that differ from the recipe's")
    parser.add_argument("--code", metavar="PATH", nargs="+", help="train your own model: files, a folder or a notebook")
    parser.add_argument("--out", metavar="DIR", help="folder for the results (default: runs/RECIPE)")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in DIR")
    parser.add_argument(
        "--show", action="store_true", help="print the whole recipe as YAML and what follows from it, and do nothing"
    )
    add_language(parser)
    parser.set_defaults(run=run)
    _take_changes_anywhere(parser)


def _take_changes_anywhere(parser):
    """Let key=value stand behind the options too, where argparse gives up on it."""
    parse = parser.parse_known_args

    def parse_known_args(arguments=None, namespace=None):
        args, rest = parse(arguments, namespace)
        late = [text for text in rest if "=" in text and not text.startswith("-")]
        after_code = [text for text in args.code or [] if "=" in text and not Path(text).exists()]
        args.changes = [*args.changes, *after_code, *late]
        args.code = [text for text in args.code or [] if text not in after_code]
        return args, [text for text in rest if text not in late]

    parser.parse_known_args = parse_known_args


def run(args):
    """Do what the arguments say.

    Returns:
        exit status: 0 trained, 1 the loss is not finite or a file could not be written, 2 bad input, 130 stopped with
            Ctrl-C
    """
    from paddle_vit.runtime import PaddleMissing, require_paddle
    from paddle_vit.training.config import RecipeError, load_recipe, parse_changes

    language = language_of(args)
    try:
        recipe = load_recipe(args.recipe, **parse_changes(args.changes))
        require_paddle()
        own = _learners_code(args.code, recipe, language) if args.code else {}
        if args.show:
            return _show(recipe, own)
        from paddle_vit.training.engine import train

        result = train(recipe, own.get(recipe.model_class), code=own, out=args.out, resume=args.resume)
    except (RecipeError, PaddleMissing, OSError) as error:
        return _fail(error, 2)
    except FloatingPointError as error:
        return _fail(error, 1)
    except KeyboardInterrupt as stopped:  # the engine's own says what is kept
        print(str(stopped) or "stopped")
        return 130
    print(say("trained", language, accuracy=f"{result.test_accuracy:.2%}", out=result.out))
    for problem in result.problems:
        _fail(problem, 1)
    return 1 if result.problems else 0


def _show(recipe, own):
    import paddle_vit.training.step  # noqa: F401  (put_in looks for the learner's training step there)
    from paddle_vit.training.own_code import put_in
    from paddle_vit.training.show import show

    with put_in(own):
        text = show(recipe, own.get(recipe.model_class))
    if not sys.stdout.isatty():  # a YAML file is UTF-8, whatever the system writes elsewhere
        sys.stdout.reconfigure(encoding="utf-8")
    print(text, end="")
    return 0


def _learners_code(paths, recipe, language):
    """The learner's functions and classes, by name.

    Raises:
        RecipeError: the code cannot be used; the message says why.
    """
    from paddle_vit.grader.handin import definitions_from_code
    from paddle_vit.training.config import RecipeError

    try:
        return definitions_from_code(recipe.lesson, paths, language)
    except ValueError as error:
        raise RecipeError(error) from error


def _fail(error, status):
    """Print the error in one line; returns the exit status."""
    print(f"paddle-vit train: {' '.join(str(error).split())}", file=sys.stderr)
    return status
