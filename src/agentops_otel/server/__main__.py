"""`python -m agentops_otel.server`: the box without the command line, for who works on it."""

from __future__ import annotations

import argparse
import sys

from .up import DEFAULT_GRPC_PORT, DEFAULT_PORT, CannotStart, Options, Running, run


def main() -> int:
    """Run a box and print its address."""
    parser = argparse.ArgumentParser(prog="python -m agentops_otel.server")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--grpc-port", type=int, default=DEFAULT_GRPC_PORT)
    parser.add_argument("--db")
    parser.add_argument("--no-auth", action="store_true")
    given = parser.parse_args()

    def ready(running: Running) -> None:
        sys.stdout.write(f"{running.url}\n")
        sys.stdout.flush()

    options = Options(host=given.host, port=given.port, grpc_port=given.grpc_port, db=given.db, auth=not given.no_auth)
    try:
        run(options, ready)
    except CannotStart as error:
        sys.stdout.write(f"{error}\n")
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
