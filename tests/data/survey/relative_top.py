from . import fine
from .fine import Outer
from ..above import y
