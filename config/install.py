"""Makes ``.venv`` and installs what a lock file names, with nothing but Python: ``python3 config/install.py LOCK``.

Skips what is there already. Every failure is one clear line.
"""

import hashlib
import ssl
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV_LOCK = ROOT / "requirements-uv.txt"


def main(lock: Path) -> None:
    """Bring ``.venv`` to what ``lock`` says."""
    if sys.version_info < (3, 11):  # noqa: UP036 (it is run by whatever Python there is)
        fail(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    wanted = hashlib.sha256(lock.read_bytes() + UV_LOCK.read_bytes()).hexdigest()
    stamp = VENV / f".installed-{lock.stem}"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    if not PYTHON.exists():
        run([sys.executable, "-m", "venv", str(VENV)], "Cannot make .venv: apt-get install python3-venv")
    print(f"Installing {lock.name} …", flush=True)
    pip = [str(PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    run([*pip, "--require-hashes", "-r", str(UV_LOCK)], f"Cannot install {UV_LOCK.name}: see above.")
    uv = [str(PYTHON), "-m", "uv", "--quiet", "pip", "install", "--require-hashes", "--python", str(PYTHON)]
    if machine_has_certificates():
        uv.append("--system-certs")
    run([*uv, "-r", str(lock)], f"Cannot install {lock.name}: is the lock whole, and can the package index be reached?")
    stamp.write_text(wanted)


def machine_has_certificates() -> bool:
    """Whether the machine says whom to trust: uv asks only its own list otherwise, and misses a company's proxy."""
    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile) or (paths.capath is not None and any(Path(paths.capath).iterdir()))


def run(command: list[str], complaint: str) -> None:
    """Run ``command``; when it fails, say ``complaint`` and stop."""
    if subprocess.run(command, cwd=ROOT, check=False).returncode:  # noqa: S603 (our own words)
        fail(complaint)


def fail(complaint: str) -> None:
    """One clear line, and out."""
    sys.exit(complaint)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
