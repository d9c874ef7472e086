"""What all benchmarks share: progress on stderr, one JSON object on stdout, percentiles, and the machine's name."""

import json
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

_PACKAGES = ("mutoscope", "sqlalchemy", "asyncpg", "fastapi", "uvicorn", "uvloop", "httptools", "httpx", "obstore")


def say(text: str) -> None:
    """Progress, for whoever waits."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def result(name: str, value: float, unit: str, floor: float, **more: Any) -> None:
    """The benchmark's last line. ``ratio`` is ``value / floor``, whichever way is good; ``more`` says the rest."""
    line = {
        "name": name,
        "value": _rounded(value),
        "unit": unit,
        "floor": _rounded(floor),
        "ratio": _ratio(value, floor),
    }
    line |= {key: _rounded(found) for key, found in more.items()} | {"machine": machine(), "versions": versions()}
    sys.stdout.write(json.dumps(line) + "\n")


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 of durations, in milliseconds."""
    ordered = sorted(seconds)
    return {f"p{percent}_ms": ordered[(len(ordered) - 1) * percent // 100] * 1000 for percent in (50, 95, 99)}


def middle(values: Sequence[float]) -> float:
    """The median, which one disturbed round does not move."""
    return float(median(values))


def machine() -> dict[str, Any]:
    """Enough to know whether two figures can be compared."""
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """The versions of what is on the measured path."""
    found: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _ratio(value: float, floor: float) -> float | None:
    return float(f"{value / floor:.3g}") if floor else None


def _rounded(value: Any) -> Any:
    """Four significant digits: the rest is noise."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value
