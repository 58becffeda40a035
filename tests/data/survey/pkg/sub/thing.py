from .. import plain
from ..plain import f
from ... import fine
import os, sys, os
