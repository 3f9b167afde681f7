"""``python -m tests.browser_found``: there is a Chromium for the browser tests, or it is installed, or that is said."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""Without a screen, and without asking anybody outside."""


def chromium() -> str | None:
    """The path of a Chromium on this machine: ``CHROMIUM``, or one of the usual names."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


def main() -> int:
    """0 when there is one, else after installing it; 1 with one clear line."""
    if chromium():
        return 0
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Chromium …", flush=True)
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
        subprocess.run(install, check=False, stdout=subprocess.DEVNULL)
    if chromium():
        return 0
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        if os.path.exists(playwright.chromium.executable_path):
            return 0
    print("The browser tests need Chromium: apt-get install chromium, or set CHROMIUM to one.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
