"""Data sets: bundled ones, generated ones, and TFDS sets read from ArrayRecord files."""

from dlcourse.data import augment as augment
from dlcourse.data import generated as generated
from dlcourse.data import memory as memory
from dlcourse.data.dataset import Dataset as Dataset
from dlcourse.data.dataset import Source as Source
from dlcourse.data.episodes import episodes as episodes
from dlcourse.data.gates import GATES as GATES
from dlcourse.data.gates import gates as gates
from dlcourse.data.gates import separable as separable
from dlcourse.data.images import images as images
from dlcourse.data.imbalance import long_tailed as long_tailed
from dlcourse.data.masks import check_masks as check_masks
from dlcourse.data.noise import with_wrong_labels as with_wrong_labels
from dlcourse.data.photographs import photograph as photograph
from dlcourse.data.photographs import tiles as tiles
from dlcourse.data.scenes import digit_scenes as digit_scenes
from dlcourse.data.segmentation import IGNORE as IGNORE
from dlcourse.data.segmentation import segmentation as segmentation
from dlcourse.data.series import Series as Series
from dlcourse.data.series import series as series
from dlcourse.data.series import windows as windows
from dlcourse.data.tables import table as table
from dlcourse.data.text import Text as Text
from dlcourse.data.text import characters as characters
from dlcourse.data.text import text as text
from dlcourse.data.tokenizer import Tokenizer as Tokenizer
