"""The tool that the README shows."""

import re
from pathlib import Path
from typing import Any

from sandbar_tool.testing import Cluster


def test_the_tool_of_the_readme_answers(cluster: Cluster, tmp_path: Path, monkeypatch: Any) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.S)
    (tmp_path / "readme_tool.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    from readme_tool import component  # type: ignore[import-not-found]

    cluster.add({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "team-a"}, "spec": {"replicas": 3}})
    assert cluster.call(component, "list_deployments") == {"items": [{"name": "web", "namespace": "team-a", "replicas": 3}]}
    described = component.manifest()["tools"][0]["inputSchema"]["properties"]["namespace"]
    assert described == {"type": "string", "description": "All namespaces if absent."}
