"""The bars of issue 7 on this machine: counts, prices of networks without a row, the time that `networks=all` takes.

Run `python scripts/benchmark_zoo.py --json FILE [--target amd_cpu] [--tables-dir DIR]`. Leave DIR without a table of
probes to have it measured and timed too.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "data" / "zoo_reference.csv"
SIZE_PX = 224
BARS = {"seconds": 900.0, "median_error_pct": 5.0, "p90_error_pct": 12.0}


def main() -> int:
    """Measure the bars and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--target", default="amd_cpu")
    parser.add_argument("--tables-dir", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        tables = arguments.tables_dir or Path(scratch) / "tables"
        counts = _profile(Path(scratch) / "counts.json", "networks=all", "counts_only=true")
        start = time.monotonic()
        words = (f"+target={arguments.target}", "networks=all", f"tables_dir={tables}")
        found = _profile(Path(scratch) / "all.json", *words)
        seconds = time.monotonic() - start
    result = {"bars": BARS, **_counted(counts), **_priced(found), "seconds": seconds}
    result["kept"] = {name: result[name] <= bar for name, bar in BARS.items()}
    arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps({name: value for name, value in result.items() if name != "networks"}, indent=2) + "\n")
    return 0


def _profile(path: Path, *words: str) -> dict[str, Any]:
    subprocess.run([sys.executable, "-m", "nas.profile", *words, f"json={path}"], check=True)  # noqa: S603 - ours
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _counted(counts: dict[str, Any]) -> dict[str, Any]:
    """How many of the reference's counts are met exactly; nothing where the reference is not at hand."""
    if not REFERENCE.exists():
        return {"counts": "no reference file"}
    with REFERENCE.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["params_exact"] and row["name"] in counts]
    wrong = [row["name"] for row in rows if not _exact(counts[row["name"]], row)]
    return {"members": len(counts), "counts_compared": len(rows), "counts_wrong": wrong}


def _exact(found: dict[str, int], row: dict[str, str]) -> bool:
    return (found["params"], found["macs"]) == (int(row["params_exact"]), int(row["macs_conv_linear_224"]))


def _priced(found: dict[str, Any]) -> dict[str, Any]:
    """Errors of the predictions at 224 px."""
    rows = [row for row in found["networks"] if row["size_px"] == SIZE_PX]
    errors = {row["name"]: row["error_pct"] for row in rows if row["error_pct"] is not None}
    size = np.abs(list(errors.values()))
    return {
        "networks_at_224_px": len(rows),
        "predicted_and_measured": len(errors),
        "median_error_pct": float(np.median(size)),
        "p90_error_pct": float(np.quantile(size, 0.9)),
        "worst": max(errors, key=lambda name: abs(errors[name])),
        "table_seconds": found["table_s"],
        "probes_mape_pct": found["probes_mape_pct"],
        "noise_pct": found["noise_pct"],
        "networks": dict(sorted(errors.items(), key=lambda item: item[1])),
    }


if __name__ == "__main__":
    raise SystemExit(main())
