from ...fine import Outer
from .... import beyond
