"""The cluster for tests, and the reads over it."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest

import sandbar_tool as sandbar
from sandbar_tool import objects
from sandbar_tool.host import host
from sandbar_tool.testing import Cluster


def pod(name: str, app: str = "web", node: str = "n", namespace: str = "team-a") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": app}, "annotations": {"example.com/a": "1"}, "managedFields": []},
        "spec": {"nodeName": node, "containers": [{"name": "a", "image": "i"}, {"name": "b"}]},
    }


def names(page: sandbar.Page[Any]) -> str:
    return "".join(item["metadata"]["name"] for item in page.items)


@pytest.fixture(autouse=True)
def pods(cluster: Cluster) -> None:
    cluster.add(pod("a"), pod("b", node="m"), pod("c", app="db"), pod("d", namespace="team-b"))


@pytest.mark.parametrize(
    ("labels", "found"),
    [("app=web", "ab"), ("app==web", "ab"), ("app!=web", "c"), ("app in (web, db),app!=db", "ab"), ("app notin (web)", "c"), ("app", "abc"), ("!app", "")],
)
def test_label_selectors_choose(labels: str, found: str) -> None:
    assert names(sandbar.list("pods", namespace="team-a", labels=labels)) == found


def test_scopes_field_selectors_and_pages_choose() -> None:
    assert names(sandbar.list("pods")) == "abcd"
    assert names(sandbar.list("pods", field_selector="spec.nodeName=n,metadata.name!=a")) == "cd"
    first = sandbar.list("pods", limit=3)
    assert (names(first), first.continue_, first.remaining) == ("abc", "3", 1)
    assert names(sandbar.list("pods", limit=3, after=first.continue_)) == "d"
    assert [names(page) for page in sandbar.pages("pods", limit=3)] == ["abc", "d"]
    assert [each["metadata"]["name"] for each in sandbar.all("pods", limit=1)] == ["a", "b", "c", "d"]


def test_a_list_is_read_up_to_a_number_and_what_is_missing_is_said(cluster: Cluster) -> None:
    def read(objects: int) -> tuple[str, str | None, list[str]]:
        page = sandbar.list_up_to("pods", objects, limit=3)
        return names(page), page.continue_, page.warnings

    assert read(100) == read(4) == ("abcd", None, [])
    assert read(2) == ("ab", "2", ["only the first 2 objects were read, and there are more"])
    assert read(0) == ("a", "1", ["only the first 1 objects were read, and there are more"])


@pytest.mark.parametrize(("code", "after"), [("exhausted", "3"), ("expired", None)])
def test_what_was_read_before_an_error_is_kept(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, code: str, after: str | None) -> None:
    list_objects = type(host()).list_objects

    def ends(self: Any, query: Any) -> Any:
        if query.after:
            raise sandbar.HostError(code, "no more")
        return list_objects(self, query)

    monkeypatch.setattr(type(host()), "list_objects", ends)
    page = sandbar.list_up_to("pods", 100, limit=3)
    assert (names(page), page.continue_, page.warnings) == ("abc", after, ["only the first 3 objects could be read: no more"])


def test_only_the_fields_that_were_asked_for_are_handed_over() -> None:
    fields = ["metadata.name", 'metadata.annotations["example.com/a"]', "spec.containers.name", "spec.containers.image", "status.phase"]
    assert sandbar.get("pods", "a", namespace="team-a", fields=fields) == {
        "metadata": {"name": "a", "annotations": {"example.com/a": "1"}},
        "spec": {"containers": [{"name": "a", "image": "i"}, {"name": "b"}]},
    }
    assert "managedFields" not in sandbar.get("pods", "a", namespace="team-a")["metadata"]


@dataclass
class Container:
    name: str
    image: str | None = None


@dataclass
class Metadata:
    name: str
    creation_timestamp: datetime | None = None


@dataclass
class Spec:
    node_name: str
    containers: list[Container] = field(default_factory=list)
    nodeSelector: dict[str, str] = field(default_factory=dict)


@dataclass
class Pod:
    metadata: Metadata
    spec: Spec
    status: Annotated[dict[str, Any] | None, "All of it."] = None


def test_a_type_says_which_fields_are_read_and_is_what_they_become(cluster: Cluster) -> None:
    cluster.add({**pod("new"), "metadata": {"name": "new", "namespace": "team-c", "creationTimestamp": "2026-01-01T00:00:00Z"}})
    assert objects.paths(Pod) == (
        "metadata.name",
        "metadata.creationTimestamp",
        "spec.nodeName",
        "spec.containers.name",
        "spec.containers.image",
        "spec.nodeSelector",
        "status",
    )
    a = Pod(Metadata("a"), Spec("n", [Container("a", "i"), Container("b")]))
    assert sandbar.get("pods", "a", Pod, namespace="team-a") == a
    assert sandbar.list("pods", of=Pod, limit=1) == sandbar.Page([a], "1", 4)
    assert [each.metadata.creation_timestamp for each in sandbar.all("pods", Pod, namespace="team-c")] == [datetime(2026, 1, 1, tzinfo=UTC)]
    assert sandbar.list_up_to("pods", 1, of=Pod).items == [a]
    cluster.add({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "odd", "namespace": "team-d"}, "spec": {}})
    with pytest.raises(TypeError, match="pods.spec has no `nodeName`: give `node_name` a default"):
        sandbar.list("pods", of=Pod, namespace="team-d")


def test_reads_side_by_side_have_their_own_answers(cluster: Cluster) -> None:
    cluster.log("team-a", "a", "1\n2\n3\n").fails("nodes", "denied")
    found = sandbar.get_many([("pods", "a", {"namespace": "team-a", "fields": ["metadata.name"]}), ("pods", "z", {"namespace": "team-a"})])
    assert found[0] == {"metadata": {"name": "a"}}
    with pytest.raises(sandbar.HostError, match='pods "z" not found'):
        found[1]
    codes = [each.code if isinstance(each, sandbar.HostError) else names(each) for each in sandbar.list_many(["pods", "nodes", ("widgets.a", {})])]
    assert codes == ["abcd", "denied", "not-served"]
    logs = sandbar.tail_many([("a", "team-a", {"tail_lines": 2}), ("b", "team-a")])
    assert (logs[0].text, logs[0].older, len(logs)) == ("2\n3\n", True, 2)
    assert sandbar.tail("a", "team-a", matching="[13]").text == "1\n3\n"
    assert cluster.asked[:2] == ["get pods a", "get pods z"]


def test_a_table_has_rows_with_cells() -> None:
    table = sandbar.table("pods", limit=1)
    assert (table.columns[0].name, table.rows[0].cells["Name"], table.rows[0].metadata["namespace"]) == ("Name", "a", "team-a")


def test_what_is_not_there_is_told_as_a_host_does() -> None:
    for read, code in [
        (lambda: sandbar.get("pods", "z", namespace="team-a"), "not-found"),
        (lambda: sandbar.list("widgets.example.com"), "not-served"),
        (lambda: sandbar.list("events"), "invalid"),
        (lambda: sandbar.list("pods", after="x"), "invalid"),
        (lambda: sandbar.tail("a", "team-a"), "not-found"),
    ]:
        with pytest.raises(sandbar.HostError) as error:
            read()
        assert error.value.code == code


def test_a_component_reads_within_its_rules(cluster: Cluster) -> None:
    component = sandbar.Component(rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": ["a"]}])

    @component.tool()
    def read(name: str) -> str:
        """Reads."""
        return str(sandbar.get("pods", name, namespace="team-a")["metadata"]["name"])

    @component.tool()
    def more(what: str) -> str:
        """Reads more."""
        return str({"list": lambda: sandbar.list("pods"), "health": sandbar.health, "caller": sandbar.caller}[what]())

    assert cluster.call(component, "read", {"name": "a"}) == "a"
    with pytest.raises(sandbar.HostError, match="the component does not ask to get pods"):
        cluster.call(component, "read", {"name": "b"})
    with pytest.raises(sandbar.HostError, match="the component does not ask to list pods"):
        cluster.call(component, "more", {"what": "list"})
    with pytest.raises(RuntimeError, match="the component does not import `health`: name it in `uses`"):
        cluster.call(component, "more", {"what": "health"})
    component.uses = frozenset(["health", "caller"])
    assert "v1.37.2" in cluster.call(component, "more", {"what": "health"})
    assert "ann" in cluster.caller("ann", "admins").call(component, "more", {"what": "caller"})


def test_the_call_has_settings_a_time_and_progress(cluster: Cluster) -> None:
    cluster.setting("threshold", 5).at(datetime(2026, 11, 30, tzinfo=UTC))
    assert (sandbar.setting("threshold", 3), sandbar.setting("other", 3), sandbar.setting("other")) == (5, 3, None)
    assert sandbar.now() == datetime(2026, 11, 30, tzinfo=UTC)
    sandbar.progress(1, 4, "team-a")
    sandbar.progress(2)
    assert cluster.said == ["1/4 team-a", "2"]
    assert sandbar.remaining() > 60


def test_kinds_are_those_of_the_objects(cluster: Cluster) -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "oxen.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"plural": "oxen", "kind": "Ox", "shortNames": ["ox"]},
            "scope": "Namespaced",
            "versions": [{"name": "v1alpha1"}, {"name": "v1"}],
        },
    }
    ox = {"apiVersion": "example.com/v1", "kind": "Ox", "metadata": {"name": "o", "namespace": "a"}}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicyList", "items": [
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "a"}},
    ]}  # fmt: skip
    cluster.add(definition, ox, policy)
    assert names(sandbar.list("oxen.example.com", namespace="a")) == "o"
    assert names(sandbar.list("networkpolicies.v1.networking.k8s.io")) == "p"
    assert [kind.resource for kind in sandbar.kinds()][0] == "pods"
    assert names(sandbar.list("customresourcedefinitions.apiextensions.k8s.io", cluster=True)) == "oxen.example.com"


def test_objects_come_from_files(cluster: Cluster, tmp_path: Path) -> None:
    yaml, json = tmp_path / "a.yaml", tmp_path / "b.json"
    yaml.write_text("# one\n---\n{apiVersion: v1, kind: Node, metadata: {name: n}}\n---\n{apiVersion: v1, kind: Node, metadata: {name: m}}\n")
    json.write_text('[{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "o"}}]')
    cluster.load(yaml).load(json)
    assert names(sandbar.list("nodes", cluster=True)) == "nmo"
    with pytest.raises(ValueError, match="an object without kind and metadata"):
        cluster.add({"apiVersion": "v1"})


def test_outside_of_a_test_nothing_answers() -> None:
    from contextvars import Context

    with pytest.raises(RuntimeError, match="outside of a component, call the tool through sandbar_tool.testing.Cluster"):
        Context().run(sandbar.list, "pods")


def test_what_is_logged_is_there_for_a_test(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("tool").warning("slow")
    assert caplog.messages == ["slow"]
