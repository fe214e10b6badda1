"""What the settings of paddle_vit.runtime are worth: each alone taken away, and all, against none.

    python benchmarks/runtime.py [--rounds 5] [--only swin]

Measured: the CPU time (user and system) of a forward pass in evaluation without gradients, and of a training step
(forward, backward, AdamW), on one thread; and the largest memory of the process (resident). Every line of a table is a
process of its own, all lines in turn in every round; a process calls twice to warm up and takes the median of the
calls that follow, the table the median over the rounds. Machines are noisy: look at the last column, how many times
faster than without any setting, not at the milliseconds. Settings that do not apply here, or that the environment
holds already, are named first and have no line of their own.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

from paddle_vit import runtime

SETTINGS = {"MKL": runtime.use_avx2, "Allocator": runtime.keep_freed_memory, "Stride kernel": runtime.copied_transposes}
JOBS = [  # model, what, images in a batch, calls
    ("vit_base_patch16_224", "forward", 1, 10),
    ("vit_base_patch16_224", "training", 2, 4),
    ("vit_tiny_patch16_224", "forward", 8, 10),
    ("vit_tiny_patch16_224", "training", 8, 5),
    ("swin_tiny_patch4_window7_224", "forward", 8, 3),
    ("swin_tiny_patch4_window7_224", "training", 8, 3),
]


def measure(wanted, model, what, batch, calls):
    """In a process without settings: make the wanted ones, then print milliseconds, MB and Paddle's version as JSON."""
    del os.environ[runtime.SWITCH]
    for name in {"MKL", "Allocator"} & set(wanted):
        SETTINGS[name]()
    paddle = runtime.require_paddle()
    from paddle_vit.models import create_model

    def forward():
        with paddle.no_grad():
            network(images).numpy()

    def training():
        loss = paddle.nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        loss.item()

    paddle.set_device("cpu")
    network = create_model(model)
    images, labels = paddle.randn([batch, 3, 224, 224]), paddle.arange(batch)
    if what == "forward":
        network.eval()
        call = forward
    else:
        optimizer = paddle.optimizer.AdamW(1e-4, parameters=network.parameters())
        call = training

    def timed():
        start = time.process_time()
        call()
        return 1000.0 * (time.process_time() - start)

    def median():
        timed(), timed()
        return statistics.median(timed() for _ in range(calls))

    if "Stride kernel" in wanted:
        with runtime.copied_transposes():
            milliseconds = median()
    else:
        milliseconds = median()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    print(json.dumps([milliseconds, memory, paddle.__version__]))


def run(wanted, job):
    """measure in a process of its own: milliseconds, MB, Paddle's version."""
    prepared_here = {"OMP_NUM_THREADS": "1", runtime.SWITCH: "0"}
    env = {**os.environ, **prepared_here}
    if runtime.settings()["MKL"].startswith("on"):
        del env[runtime.MKL]  # set by this process, not by the user
    command = [sys.executable, __file__, "--measure", json.dumps([wanted, *job])]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def variants():
    """Name -> settings that are made; those that apply here."""
    here = [name for name in SETTINGS if runtime.settings()[name].startswith("on")]
    without_one = {f"without {name}": [other for other in here if other != name] for name in here}
    return {"all settings": here, **(without_one if len(here) > 1 else {}), "none": []}


def processor():
    """The name of the processor, where Linux tells it."""
    try:
        with open(runtime.CPUINFO) as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
    except OSError:
        return "unknown"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="only models with this in their name")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        return measure(*json.loads(args.measure))

    print(f"processor: {processor()}, {os.cpu_count()} cores; one thread; {args.rounds} rounds, medians")
    for name in SETTINGS:
        print(f"{name}: {runtime.settings()[name]}")
    for job in [job for job in JOBS if args.only in job[0]]:
        seen = {name: [] for name in variants()}
        for _ in range(args.rounds):
            for name, wanted in variants().items():
                seen[name].append(run(wanted, job))
        medians = {name: [statistics.median(row[i] for row in rows) for i in (0, 1)] for name, rows in seen.items()}
        base = medians["none"][0]
        model, what, batch, _ = job
        print(f"\n{model}, {what}, batch {batch}, Paddle {seen['none'][0][2]}")
        print(f"{'':<24}{'ms':>8}{'MB':>8}{'x none':>9}")
        for name, (milliseconds, memory) in medians.items():
            print(f"{name:<24}{milliseconds:>8.0f}{memory:>8.0f}{base / milliseconds:>9.2f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
