"""The process that runs a learner's code where fork is missing: it starts cold and is told its job on stdin."""

import os

os.environ["CUDA_VISIBLE_DEVICES"] = ""

from paddle_vit.grader import isolate, wire  # noqa: E402


def main():
    from paddle_vit.grader.grade import warm
    from paddle_vit.grader.judge import trial_from_job

    warm()
    isolate.serve(lambda job: trial_from_job(wire.decode(job)).answer())


if __name__ == "__main__":
    main()
