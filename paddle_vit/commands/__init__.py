"""paddle-vit ...: one file a group of commands. Nothing here loads Paddle before a command needs it."""

import argparse
import os
import sys

from paddle_vit import __version__


def run(arguments=None):
    """Parse the command line and do what it says.

    Returns:
        exit status
    """
    from paddle_vit.commands.common import Refused

    args = parser().parse_args(arguments)
    if getattr(args, "lang", None):
        os.environ["PADDLE_VIT_LANG"] = args.lang  # for the pictures
    try:
        return args.run(args)
    except Refused as error:
        print(f"paddle-vit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `paddle-vit grade vit | head`
        sys.stderr.close()
        return 1


def parser():
    """The parser of all commands."""
    from paddle_vit.commands import building, evaluating, grading, learning, tour, training, weights

    parser = argparse.ArgumentParser(
        prog="paddle-vit",
        description="Vision transformers in PaddlePaddle, to understand by writing them.",
        epilog="start with: paddle-vit tour",
    )
    parser.add_argument("--version", action="version", version=f"paddle-vit {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    tour.add_commands(subparsers)
    grading.add_commands(subparsers)
    learning.add_commands(subparsers)
    training.add_train(subparsers)
    evaluating.add_commands(subparsers)
    weights.add_weights(subparsers)
    building.add_commands(subparsers)
    return parser
