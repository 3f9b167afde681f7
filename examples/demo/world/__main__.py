"""``python -m examples.demo.world``: serve until Ctrl-C."""

import signal
import sys
import threading

from examples.demo.world import settings
from examples.demo.world.seed import seed
from examples.demo.world.server import World
from examples.demo.world.store import Store


def main() -> int:
    """Serve; 0 after SIGINT or SIGTERM, 1 with one clear line when the port is taken."""
    settings.database().parent.mkdir(parents=True, exist_ok=True)
    store = Store(settings.database())
    seed(store)
    try:
        world = World(settings.port(), store, settings.latency())
    except OSError as error:
        print(f"The demo world cannot listen on port {settings.port()}: {error.strerror}.", file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        # shutdown() waits for the loop, which runs in this thread: so from another one.
        signal.signal(number, lambda *_: threading.Thread(target=world.shutdown).start())
    print(f"The demo world is at http://127.0.0.1:{world.server_port}/", flush=True)
    world.serve_forever(poll_interval=0.1)
    world.server_close()
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
