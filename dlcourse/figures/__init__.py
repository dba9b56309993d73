"""The house style of figures, and the only place that saves them.

Every figure of the project is made by `new`, takes its colours from `looks` or `DIVERGING`, its
titles and legends from here, and is written by `save`. matplotlib is imported when first needed.
"""

from dlcourse.figures.images import DIVERGING as DIVERGING
from dlcourse.figures.images import NEGATIVE as NEGATIVE
from dlcourse.figures.images import POSITIVE as POSITIVE
from dlcourse.figures.images import image as image
from dlcourse.figures.images import signed_image as signed_image
from dlcourse.figures.layout import new as new
from dlcourse.figures.layout import style as style
from dlcourse.figures.layout import title as title
from dlcourse.figures.layout import wrapped as wrapped
from dlcourse.figures.legends import legend as legend
from dlcourse.figures.legends import legend_beside as legend_beside
from dlcourse.figures.legends import legend_columns as legend_columns
from dlcourse.figures.lines import MARKS as MARKS
from dlcourse.figures.lines import line as line
from dlcourse.figures.lines import over_seeds as over_seeds
from dlcourse.figures.lines import zoom as zoom
from dlcourse.figures.looks import COLORS as COLORS
from dlcourse.figures.looks import Look as Look
from dlcourse.figures.looks import looks as looks
from dlcourse.figures.looks import natural as natural
from dlcourse.figures.saving import save as save
