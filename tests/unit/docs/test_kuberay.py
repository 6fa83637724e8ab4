"""The job for Kubernetes: its fields are those of KubeRay, its command is ours, its volumes are mounted."""

import shlex
from pathlib import Path

import pytest

from tubelet.cli.parser import make_parser

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

MANIFEST = Path(__file__).parents[3] / "examples" / "kuberay.yaml"

# Of ray.io/v1 and core/v1, as far as the manifest may use them.
SCHEMA = {
    "": {"apiVersion", "kind", "metadata", "spec"},
    "spec": {"entrypoint", "shutdownAfterJobFinishes", "backoffLimit", "rayClusterSpec"},
    "spec.rayClusterSpec": {"enableInTreeAutoscaling", "headGroupSpec", "workerGroupSpecs"},
    "spec.rayClusterSpec.headGroupSpec": {"rayStartParams", "template"},
    "spec.rayClusterSpec.workerGroupSpecs": {
        "groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template",
    },
    "template.spec": {"containers", "volumes"},
    "containers": {"name", "image", "envFrom", "resources", "volumeMounts"},
}  # fmt: skip


@pytest.fixture
def job():
    return yaml.safe_load(MANIFEST.read_text())


def pods(job):
    cluster = job["spec"]["rayClusterSpec"]
    return [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


def test_its_fields_are_those_of_kuberay(job):
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    assert set(job) == SCHEMA[""] and set(job["spec"]) <= SCHEMA["spec"]
    assert set(cluster) <= SCHEMA["spec.rayClusterSpec"]
    assert set(cluster["headGroupSpec"]) == SCHEMA["spec.rayClusterSpec.headGroupSpec"]
    for group in cluster["workerGroupSpecs"]:
        assert set(group) == SCHEMA["spec.rayClusterSpec.workerGroupSpecs"]
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for pod in pods(job):
        assert set(pod) == SCHEMA["template.spec"]
        for container in pod["containers"]:
            assert set(container) == SCHEMA["containers"]


def test_what_is_mounted_is_there_and_values_of_ray_are_text(job):
    for pod in pods(job):
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes
            assert container["resources"]["requests"] == container["resources"]["limits"]
    params = job["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]
    assert params and all(isinstance(value, str) for value in params.values())


def test_its_command_is_one_that_we_take(job):
    words = shlex.split(job["spec"]["entrypoint"])
    given = make_parser().parse_args(words[1:])
    assert words[0] == "tubelet" and (given.engine, given.address) == ("ray", "auto")
    mounts = [mount["mountPath"] for mount in pods(job)[1]["containers"][0]["volumeMounts"]]
    assert any(str(given.output).startswith(mount) for mount in mounts)
