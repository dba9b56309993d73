"""The house style: looks, order, bands, titles, legends, colours, and saving in one place."""

import itertools
import pathlib
import re

import matplotlib
import numpy as np
import pytest
from matplotlib.animation import FuncAnimation
from matplotlib.colors import to_rgb
from PIL import Image

from dlcourse import figures
from dlcourse.analysis import draw_approximation, draw_bias_variance
from dlcourse.figures.legends import covers_data, meets
from dlcourse.tuning.figures import draw_efficiency

ROOT = pathlib.Path(__file__).parent.parent
X = np.linspace(-1, 1, 11)


def lightness(color) -> float:
    """CIE L* of a colour, which is all that remains of it in grey."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    luminance = float(np.dot(linear, [0.2126, 0.7152, 0.0722]))
    return 116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance


def test_twelve_looks_are_distinct_in_grey():
    looks = list(figures.looks(f"name {n}" for n in range(12)).values())
    assert len({look.marker for look in looks}) == 12
    assert len({look.color for look in looks}) == 12
    for one, other in itertools.combinations(looks, 2):
        if one.dash == other.dash:
            assert abs(lightness(one.color) - lightness(other.color)) > 12, (one, other)


def test_no_line_is_too_light_for_white_paper():
    assert max(map(lightness, figures.COLORS)) < 82


def test_looks_of_more_names_do_not_repeat():
    looks = figures.looks(f"name {n}" for n in range(48))
    assert len(set(looks.values())) == 48
    assert len({(look.marker, look.dash) for look in looks.values()}) == 48


def test_a_name_keeps_its_look_when_names_are_added():
    few, more = figures.looks(["a", "b", "a"]), figures.looks(["a", "b", "c"])
    assert few == {name: more[name] for name in ("a", "b")}


def test_natural_order_is_by_value():
    names = ["128 units", "2 units", "1 units", "8 units", "b", "a", "α = 0.5", "α = 0.25"]
    assert figures.natural(names) == [
        "1 units", "2 units", "8 units", "128 units", "a", "b", "α = 0.25", "α = 0.5",
    ]  # fmt: skip
    assert figures.natural(["1e-3", "1e-5", "0.1"]) == ["1e-5", "1e-3", "0.1"]


def band(panel) -> np.ndarray:
    return panel.collections[0].get_paths()[0].vertices[:, 1]


@pytest.mark.parametrize(
    ("mean", "signed", "lowest"), [(0.1, None, 0.0), (0.1, True, -0.2), (-0.1, None, -0.4)]
)
def test_a_band_ends_at_zero_unless_the_quantity_can_be_negative(mean, signed, lowest):
    _, ((panel,),) = figures.new()
    (look,) = figures.looks(["a"]).values()
    figures.line(panel, [1, 2], [mean, mean], look, spread=[0.3, 0.3], signed=signed)
    assert band(panel).min() == pytest.approx(lowest)
    assert band(panel).max() == pytest.approx(mean + 0.3)


def test_over_seeds_draws_mean_and_standard_deviation():
    _, ((panel,),) = figures.new()
    (look,) = figures.looks(["a"]).values()
    line = figures.over_seeds(panel, [1, 2], [[1.0, 3.0], [2.0, 2.0]], look)
    np.testing.assert_allclose(line.get_ydata(), [2, 2])
    assert band(panel).max() == pytest.approx(2 + np.sqrt(2))
    figures.over_seeds(panel, [1, 2], [[1.0], [2.0]], look)
    assert len(panel.collections) == 1


def test_a_long_line_has_few_markers():
    _, ((panel,),) = figures.new()
    (look,) = figures.looks(["a"]).values()
    line = figures.line(panel, np.arange(1000), np.zeros(1000), look)
    assert 1000 / line.get_markevery() <= figures.MARKS


@pytest.mark.parametrize("columns", [1, 3])
def test_titles_are_not_wider_than_the_figure_and_do_not_meet(columns):
    figure, panels = figures.new(1, columns)
    text = "a title of many words that is by far too long for one line above a panel " * 2
    figures.title(figure, text)
    for panel in panels.flat:
        figures.title(panel, text)
    figure.draw_without_rendering()
    boxes = [panel.title.get_window_extent() for panel in panels.flat]
    whole = figure._suptitle.get_window_extent()
    for box in (whole, *boxes):
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width
    for left, right in itertools.pairwise(boxes):
        assert left.x1 < right.x0
    assert panels[0, 0].get_title().split() == text.split()


def test_line_breaks_of_a_title_stay():
    assert figures.wrapped("one\ntwo", 5.0, 10) == "one\ntwo"
    assert figures.wrapped("one two", 0.4, 10) == "one\ntwo"
    assert figures.wrapped("of $a + b$ and", 0.4, 10) == "of\n$a + b$\nand"


def rising(panel) -> None:
    for name, look in figures.looks(["a line", "another line"]).items():
        figures.line(panel, [0, 1], [0, 1], look, name)


def test_a_legend_stays_inside_where_there_is_room():
    figure, ((panel,),) = figures.new()
    rising(panel)
    width = figure.get_figwidth()
    figures.legend(panel)
    assert figure.get_figwidth() == width
    box = panel.get_legend().get_window_extent()
    assert panel.bbox.contains(box.x0, box.y0)


def test_a_legend_that_would_cover_lines_goes_beside_the_panel():
    figure, (panels,) = figures.new(1, 2)
    rising(panels[0])
    for number, look in enumerate(figures.looks("abcdefgh").values()):
        figures.line(panels[1], np.arange(50), np.arange(50) % 7 + number, look, f"line {number}")
    width = figure.get_figwidth()
    figures.legend(*panels)
    assert figure.get_figwidth() > width
    figure.draw_without_rendering()
    for panel in panels:
        assert not covers_data(panel)
    assert panels[1].get_legend().get_window_extent().x0 >= panels[1].bbox.x1
    assert panels[1].get_legend().get_window_extent().x1 <= figure.bbox.width
    assert panels[0].get_legend().get_window_extent().x1 <= panels[0].bbox.x1


@pytest.mark.parametrize("place", ["right", "below"])
def test_one_legend_for_several_panels_names_each_line_once(place):
    figure, (panels,) = figures.new(1, 2)
    for panel in panels:
        rising(panel)
    figures.legend_beside(figure, *panels, place=place)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a line", "another line"]
    figure.draw_without_rendering()
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    assert not any(box.overlaps(panel.bbox) for panel in panels)


def test_a_line_crossing_a_legend_between_its_points_is_seen():
    class Box:
        x0, x1, y0, y1 = 4.0, 6.0, 4.0, 6.0

    assert meets(np.array([[0.0, 0.0], [10.0, 10.0]]), Box)
    assert meets(np.array([[5.0, 0.0], [5.0, 10.0]]), Box)
    assert meets(np.array([[5.0, 5.0]]), Box)
    assert not meets(np.array([[0.0, 5.0], [5.0, 10.0]]), Box)
    assert not meets(np.array([[7.0, 0.0], [7.0, 10.0]]), Box)
    assert not meets(np.zeros((0, 2)), Box)


def test_axes_are_zoomed_to_the_data_and_noise_is_not_magnified():
    _, ((panel,),) = figures.new()
    (look,) = figures.looks(["a"]).values()
    figures.line(panel, [1, 2, 3], [0.90, np.nan, 0.94], look)
    figures.zoom(panel)
    np.testing.assert_allclose(panel.get_ylim(), (0.898, 0.942))
    figures.zoom(panel, least=0.5)
    np.testing.assert_allclose(panel.get_ylim(), (0.46, 1.38))


def test_positive_is_red_and_negative_is_blue():
    colours = matplotlib.colormaps[figures.DIVERGING]
    for positive, negative in (
        (colours(0.95), colours(0.05)),
        (to_rgb(figures.POSITIVE), to_rgb(figures.NEGATIVE)),
    ):
        assert positive[0] > 2 * positive[2]
        assert negative[2] > 2 * negative[0]
    _, ((panel,),) = figures.new()
    shown = figures.signed_image(panel, np.array([[-1.0, 3.0]]))
    assert shown.get_clim() == (-3, 3)


def test_a_figure_is_saved_as_png_in_a_new_folder_and_emptied(tmp_path):
    figure, ((panel,),) = figures.new()
    panel.plot([1, 2])
    path = figures.save(figure, tmp_path / "new" / "network.2000")
    assert path == tmp_path / "new" / "network.2000.png"
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 100
    assert figure.axes == []


def test_an_animation_is_saved_as_gif(tmp_path):
    figure, ((panel,),) = figures.new(width=1, height=1)
    (line,) = panel.plot([0, 1], [0, 1])
    animation = FuncAnimation(figure, lambda frame: [line.set_ydata([0, frame])], frames=3)
    path = figures.save(animation, tmp_path / "moves")
    assert path.suffix == ".gif"
    with Image.open(path) as picture:
        assert picture.n_frames == 3
    assert figure.axes == []


def sources(*places: str) -> list[pathlib.Path]:
    found = []
    for place in places:
        path = ROOT / place
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return found


def test_a_text_is_saved_as_it_is(tmp_path):
    path = figures.save("Grüße\n", tmp_path / "new" / "words_1.5")
    assert path == tmp_path / "new" / "words_1.5.txt"
    assert path.read_text(encoding="utf-8") == "Grüße\n"


def test_figures_are_saved_in_one_place():
    """No other file calls `savefig`, nor saves an animation by itself."""
    for file in sources("dlcourse", "experiments"):
        if file != ROOT / "dlcourse" / "figures" / "saving.py":
            assert not re.search(r"\.savefig\(|writer=", file.read_text()), file


def test_colours_and_titles_are_those_of_the_house():
    """No colour cycle, no map of its own for signed values, no title that is not wrapped."""
    for file in sources("dlcourse/analysis/draw", "dlcourse/training/run/curves.py"):
        text = file.read_text()
        assert not re.search(r"[\"']C\d|\bbwr|RdBu|tab:", text), file
        assert "suptitle(" not in text, file


@pytest.mark.parametrize(
    "draw",
    [
        lambda: draw_efficiency(
            np.array([0.2, 0.3, 0.4, 0.5]), {4: np.array([0.3, 0.4, 0.45, 0.2])}, "Errors"
        ).axes[0],
        lambda: draw_bias_variance(
            {(size, 2): (np.array([0.3]), np.array([0.6])) for size in (30, 300)}, acceptable=0.4
        ).axes[0],
        lambda: draw_approximation(
            X, 0 * X, {2: {"tanh": [X / 2]}, 8: {"tanh": [X / 3]}}, [("tanh", 8)]
        ).axes[1],
    ],
    ids=["efficiency", "bias_variance", "approximation"],
)
def test_a_logarithmic_axis_within_a_decade_has_numbers(draw):
    panel = draw()
    panel.figure.draw_without_rendering()
    low, high = panel.get_ylim()
    ticks = panel.yaxis.get_ticklabels(which="both")
    assert any(tick.get_text() and low <= tick.get_position()[1] <= high for tick in ticks)
