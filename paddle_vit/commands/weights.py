"""paddle-vit weights: look whether a published file fits a model, and convert it."""

import sys
from pathlib import Path

from paddle_vit.commands.common import add_language, language_of
from paddle_vit.grader.messages import FILE_KINDS, say


def add_weights(subparsers):
    """Register the command weights."""
    parser = subparsers.add_parser(
        "weights",
        help="read published weights into a model, and convert them to safetensors",
        description="Read published weights, of timm, transformers, the authors, PaddleClas, PaddleViT or your own, into a "
        "model with the head that the file has. Nothing in the file is executed.",
        epilog="example: paddle-vit weights ViT-B_16-224.npz --model vit_base_patch16_224 --out vit_b16.safetensors",
    )
    parser.add_argument("file", metavar="FILE", help=".safetensors, .npz, .pth, .bin or .pdparams")
    parser.add_argument("--model", metavar="NAME", required=True, help="name of a model, as in timm")
    parser.add_argument("--out", metavar="FILE", help="write the weights under this package's names, as safetensors")
    parser.add_argument(
        "--allow",
        metavar="PATTERN",
        action="append",
        default=[],
        help="names that may be missing or left over, such as 'head_distill.*'; may be given several times",
    )
    add_language(parser)
    parser.set_defaults(run=run)


def run(args):
    """Do what the arguments say.

    Returns:
        exit status: 0 all weights found their place, 2 bad input
    """
    from paddle_vit.runtime import PaddleMissing, require_paddle

    language = language_of(args)
    try:
        require_paddle()
    except PaddleMissing as error:
        return _fail(error)
    from paddle_vit.models import create_model
    from paddle_vit.models.weight_errors import WeightsError
    from paddle_vit.models.weights import head_arguments, load_weights
    from paddle_vit.training.checkpoint import save_weights

    try:
        check_out(args, language)
        head = head_arguments(args.file)
        if args.model.startswith("vit_"):  # only ViT was pre-trained with a hidden layer in its head
            model = create_model(args.model, **head)
        else:
            model = create_model(args.model, num_classes=head["num_classes"])
        loaded = load_weights(model, args.file, allow=args.allow)
        if args.out:
            save_weights(model, args.out, loaded.labels)
    except FileNotFoundError:
        return _fail(say("no_such_file", language, path=args.file))
    except WeightsError as error:
        return _fail(error.text(language))
    except (ValueError, OSError) as error:
        return _fail(error)
    classes = say("weights_classes" if head["num_classes"] else "weights_no_head", language, count=head["num_classes"])
    count = sum(parameter.size for parameter in model.parameters())
    told = dict(model=args.model, parameters=f"{int(count):,}", file=Path(args.file).name)
    print(say("weights_loaded", language, kind=FILE_KINDS[loaded.kind][language], classes=classes, **told))
    for remark in remarks(loaded, language):
        print(remark)
    if args.out:
        print(say("weights_written", language, out=args.out))
    return 0


def check_out(args, language):
    """Raise a ValueError, before anything is read, unless --out can be written and takes nothing away."""
    if not args.out:
        return
    out = Path(args.out)
    if out.suffix != ".safetensors":
        raise ValueError(say("weights_out_suffix", language, out=out))
    if not out.parent.is_dir():
        raise ValueError(say("weights_out_folder", language, folder=out.parent))
    if out.is_dir():
        raise ValueError(say("weights_out_is_folder", language, out=out))
    if out.exists() and Path(args.file).exists() and out.samefile(args.file):
        raise ValueError(say("weights_out_same", language, out=out))


def _fail(text):
    print(f"paddle-vit weights: {text}", file=sys.stderr)
    return 2


def remarks(loaded, language):
    """What load_weights did beside loading, a line each; the notebook says it too."""
    from paddle_vit.models.weight_checks import together

    parts = [("weights_resized", loaded.resized), ("weights_fresh", loaded.fresh), ("weights_unused", loaded.unused)]
    lines = [say(key, language, names=", ".join(together(names))) for key, names in parts if names]
    if loaded.labels:
        first = [f"{number} {name}" for number, name in sorted(loaded.labels.items())[:3]]
        lines.append(say("weights_labels", language, names="; ".join(first) + "; ..."))
    return lines
