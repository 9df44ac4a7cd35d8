"""Write tools for Sandbar, an MCP server for Kubernetes, in Python: a function, its annotations, and a few words for the model.

Meant to be read as `import sandbar_tool as sandbar`: `sandbar.list("pods")`.
"""

from .answers import Count, Page, Schema, Told
from .component import Component, Message, PolicyRule
from .context import caller, now, progress, remaining, setting, settings
from .errors import HostError, ToolError
from .host import Column, Excerpt, Kind, User
from .kubernetes import age, quantity, time
from .objects import Metadata
from .read import Answers, Row, Table, all, get, get_many, health, kinds, list, list_many, list_up_to, pages, table, tail, tail_many

__all__ = [
    "Answers",
    "Column",
    "Component",
    "Count",
    "Excerpt",
    "HostError",
    "Kind",
    "Message",
    "Metadata",
    "Page",
    "PolicyRule",
    "Row",
    "Schema",
    "Table",
    "Told",
    "ToolError",
    "User",
    "age",
    "all",
    "caller",
    "get",
    "get_many",
    "health",
    "kinds",
    "list",
    "list_many",
    "list_up_to",
    "now",
    "pages",
    "progress",
    "quantity",
    "remaining",
    "setting",
    "settings",
    "table",
    "tail",
    "tail_many",
    "time",
]
