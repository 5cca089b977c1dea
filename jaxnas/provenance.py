"""The provenance of numbers: versions, machine, commit."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that numbers depend on."""
    packages = ("jaxnas", "jax", "jaxlib", "flax", "optax", "numpy")
    return {"python": platform.python_version(), **{package: metadata.version(package) for package in packages}}


def machine() -> dict:
    """Returns the properties of the machine that numbers depend on: platform, device, and vector features.

    The vector features are those that XLA compiles for.
    """
    import jax

    features = []
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        flags = next(
            (line for line in cpuinfo.read_text(encoding="utf-8").splitlines() if line.startswith("flags")), ""
        )
        features = sorted(flag for flag in flags.split() if flag.startswith(("avx", "fma", "sse", "amx")))
    device = jax.devices()[0]
    return {
        "platform": device.platform,
        "device": device.device_kind,
        "architecture": platform.machine(),
        "features": features,
    }


def git_commit() -> str | None:
    """Returns the commit of the checkout that contains this package; None outside a checkout.

    It ends in `+changes` if the checkout has uncommitted changes.
    """
    here = Path(__file__).resolve().parent

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + (
            "+changes" if git("status", "--porcelain", "--untracked-files=no", ".") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return None
