"""The tool over the objects of fixture.yaml, without a component: the fixture `cluster` plays the host."""

import pytest
import sandbar_tool as sandbar
from sandbar_tool.testing import Cluster

from tool import component


@pytest.fixture(autouse=True)
def objects(cluster: Cluster) -> None:
    cluster.load("fixture.yaml")


def test_containers_that_were_restarted_often_are_listed(cluster: Cluster) -> None:
    assert cluster.call(component, "my_tool") == {
        "items": [
            {"namespace": "team-a", "pod": "calm", "container": "app", "restarts": 4},
            {"namespace": "team-b", "pod": "wild", "container": "app", "restarts": 5},
        ]
    }


def test_the_operator_says_how_many_are_many(cluster: Cluster) -> None:
    cluster.setting("threshold", 5)
    answer = cluster.call(component, "my_tool")
    assert [item["pod"] for item in answer["items"]] == ["wild"]


def test_a_namespace_narrows_it(cluster: Cluster) -> None:
    answer = cluster.call(component, "my_tool", {"namespace": "team-a"})
    assert [item["pod"] for item in answer["items"]] == ["calm"]


def test_what_the_host_refuses_is_told_as_it_is(cluster: Cluster) -> None:
    cluster.fails("pods", "throttled", "the API server asks to wait")
    with pytest.raises(sandbar.ToolError, match="the API server asks to wait"):
        cluster.call(component, "my_tool")
