"""Results of the long benchmarks, kept beside them as JSON: what was measured, with what, and one row a run."""

import json
import statistics
from pathlib import Path

from paddle_vit.training.checkpoint import write_atomically

FOLDER = Path(__file__).parent


def read(name):
    """What is stored under this name: a dict with rows; without rows where there is nothing yet."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"rows": []}


def add(name, row, keys, **about):
    """Store a row in the place of an older one with the same keys; about says once how the rows were measured."""
    stored = read(name)
    rows = [old for old in stored["rows"] if any(old[key] != row[key] for key in keys)] + [row]
    rows.sort(key=lambda row: [row[key] for key in keys])
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    about = "".join(f' "{key}": {json.dumps(value)},\n' for key, value in about.items())
    write_atomically(FOLDER / f"{name}.json", f'{{\n{about} "rows": [\n{lines}\n ]\n}}\n'.encode())


def mean_and_spread(accuracies):
    """Mean and standard deviation (of a sample) as text, in percent."""
    spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
    return f"{100 * statistics.mean(accuracies):5.2f} ± {100 * spread:.2f}"
