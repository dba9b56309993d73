"""Learners that trained together, compared: `m/n` is the metric m of the learner n."""

from collections.abc import Mapping, Sequence
from typing import Any


def draw_comparison(
    rows: Sequence[Mapping[str, Any]], metrics: Sequence[str], split: str = "validation"
) -> Any:
    """One panel a metric, one line a learner, over the steps of training.

    Args:
        rows: what a run logged, `training.Result.folder.rows`; over several seeds the means.
        metrics: which metrics, without the learner's name.
        split: which split they were measured on.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5 * len(metrics), 3.8), layout="constrained")
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    styles = ("-", "--", ":", "-.")  # lines that lie on each other stay apart
    rows = [row for row in rows if row["split"] == split]
    for metric, panel in zip(metrics, panels, strict=True):
        keys = sorted(key for key in rows[-1] if key.startswith(metric + "/"))
        for i, key in enumerate(keys):
            points = [(row["step"], _mean(row[key])) for row in rows]
            label = key.removeprefix(metric + "/").replace("_", " ")
            panel.plot(*zip(*points, strict=True), styles[i % 4], label=label)
        panel.set(xlabel="step", title=f"{metric}, {split}")
        panel.grid(alpha=0.3)
    panels[0].legend(fontsize=8)
    return figure


def _mean(value: Any) -> Any:
    return value["mean"] if isinstance(value, Mapping) else value
