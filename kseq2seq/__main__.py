"""The command line, as ``python -m kseq2seq``."""

from kseq2seq.cli import main

if __name__ == "__main__":
    main()
