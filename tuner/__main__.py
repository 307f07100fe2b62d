"""Run the command line as ``python -m tuner``."""

from tuner.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
