"""The experiments at a glance: `python -m dlcourse`."""

import ast
import pathlib
import sys

EXPERIMENTS = pathlib.Path(__file__).resolve().parents[1] / "experiments"


def described(place: pathlib.Path) -> dict[str, dict[str, str]]:
    """By family and path from `place`: the first line of the docstring of each experiment file."""
    found: dict[str, dict[str, str]] = {}
    for file in sorted(place.glob("*/*.py")):
        docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
        if docstring:
            name = file.relative_to(place).as_posix()
            found.setdefault(file.parent.name, {})[name] = docstring.splitlines()[0]
    return found


def main() -> int:
    """Prints the table; 2 where there are no experiments, as in an installed package."""
    import rich
    from rich.table import Table

    if not EXPERIMENTS.is_dir():
        print(
            f"error: There is no folder {EXPERIMENTS}. Clone the repository: its experiments are "
            "files to run and to copy.",
            file=sys.stderr,
        )
        return 2
    table = Table("experiment", "what it shows", box=None, pad_edge=False)
    for family, experiments in described(EXPERIMENTS).items():
        table.add_section()
        table.add_row(f"[bold]{family}[/bold]")
        for path, line in experiments.items():
            table.add_row(path, line)
    rich.print(table)
    # Not `print`: rich ends quietly where the reader has gone, as `| head` does.
    rich.print("\nRun one: python experiments/foundations/mnist_mlp.py    (--help: its options)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
