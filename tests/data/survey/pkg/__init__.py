"""A package."""
from . import sub
from .sub import thing
