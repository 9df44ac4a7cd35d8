"""A tool that uses every function of the package, and fails in every way. What it answers is the same in JavaScript."""

import logging
from dataclasses import dataclass
from typing import Literal

import sandbar_tool as sandbar

COUNT = 0


@dataclass
class Settings:
    greeting: str | None = None


component = sandbar.Component(
    rules=[{"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]}],
    settings=Settings,
    uses=["discovery", "health"],
)


def deeper(pod: dict[str, dict[str, str]]) -> str:
    return pod["spec"]["nodeName"]


@component.tool()
def everything(which: Literal["reads", "many", "context", "meant", "fault", "cause", "denied", "unused", "long"]) -> dict[str, object]:
    """Does one thing."""
    pod, namespace = "coder-6d5f8b7c9-cwtch", "team-a"
    match which:
        case "reads":
            table = sandbar.table("pods", namespace=namespace, limit=1)
            names = [each["metadata"]["name"] for each in sandbar.all("pods", limit=5, fields=["metadata.name"])]
            log = sandbar.tail(pod, namespace, tail_lines=1)
            return {
                "get": sandbar.get("pods", pod, namespace=namespace, fields=["metadata.name"]),
                "all": len(names) > 10,
                "column": table.columns[0].name,
                "cell": table.rows[0].cells["Name"],
                "lines": log.text.count("\n"),
                "older": log.older,
                "kinds": [kind.resource for kind in sandbar.kinds()],
                "ready": sandbar.health()["ready"],
            }
        case "many":
            objects = sandbar.get_many([("pods", pod, {"namespace": namespace, "fields": ["metadata.name"]}), ("pods", "none", {"namespace": namespace})])
            lists = sandbar.list_many([("pods", {"namespace": namespace, "limit": 1, "fields": ["metadata.name"]}), "secrets"])
            logs = sandbar.tail_many([(pod, namespace, {"tail_lines": 1}), ("none", namespace)])
            return {
                "get": [objects[0], *[each.code for each in objects if isinstance(each, sandbar.HostError)]],
                "list": [len(lists[0].items), *[each.code for each in lists if isinstance(each, sandbar.HostError)]],
                "log": [logs[0].text.count("\n"), *[each.code for each in logs if isinstance(each, sandbar.HostError)]],
            }
        case "context":
            global COUNT
            COUNT += 1
            logging.getLogger("tool").warning("a line of %s", "the tool")
            sandbar.progress(1, 2, "half")
            return {
                "now": sandbar.now().strftime("%Y-%m-%dT%H:%M:%S"),
                "set": sandbar.setting("greeting"),
                "unset": sandbar.setting("other", "default"),
                "remaining": sandbar.remaining() > 0,
                "calls": COUNT,
            }
        case "meant":
            raise sandbar.ToolError("there is no such word", hint="say another")
        case "fault":
            return {"node": deeper({})}
        case "cause":
            try:
                sandbar.get("pods", "none", namespace=namespace)
            except sandbar.HostError as error:
                raise RuntimeError("it was there") from error
        case "denied":
            sandbar.list("secrets")
        case "unused":
            sandbar.caller()
        case "long":
            raise RuntimeError("x" * 1000)
    return {}
