"""Pretrained weights in and out, in the layout of Hugging Face folders."""

from dlcourse.hub.features import with_features as with_features
from dlcourse.hub.packages import folder as folder
from dlcourse.hub.pretrained import Pretrained as Pretrained
from dlcourse.hub.pretrained import read as read
from dlcourse.hub.pretrained import write as write
from dlcourse.hub.starting import Encoder as Encoder
from dlcourse.hub.starting import encoder as encoder
