"""The command: `timespan 1h 30m` prints the seconds."""

import sys

from timespan.parsing import parse


def main() -> int:
    try:
        seconds = parse(" ".join(sys.argv[1:]))
    except ValueError as error:
        print(f"timespan: {error}", file=sys.stderr)
        return 2
    print(f"{seconds:g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
