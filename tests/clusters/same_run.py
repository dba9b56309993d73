"""Whether two run folders hold the same run, up to rounding: python same_run.py ONE OTHER."""

import json
import math
import pathlib
import sys


def rows(folder: str) -> list[dict]:
    lines = (pathlib.Path(folder) / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def main() -> None:
    one, other = rows(sys.argv[1]), rows(sys.argv[2])
    assert len(one) == len(other), (len(one), len(other))
    for left, right in zip(one, other, strict=True):
        assert left.keys() == right.keys()
        for name in left:
            same = left[name] == right[name]
            close = same or math.isclose(left[name], right[name], rel_tol=1e-4)
            assert close, (name, left, right)
    print(f"the same {len(one)} rows, up to step {one[-1]['step']}")


if __name__ == "__main__":
    main()
