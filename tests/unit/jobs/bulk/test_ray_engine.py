"""How requests are given to actors; `tests/integration/test_ray_engine.py` asks real ones."""

import socket
from types import ModuleType, SimpleNamespace

import pytest

from tubelet import extras
from tubelet.errors import OptionError, OutputError
from tubelet.jobs.bulk.bulk import BulkEncoding
from tubelet.jobs.bulk.plan import plan_clips
from tubelet.jobs.bulk.ray_engine import answered_by_ray
from tubelet.jobs.bulk.run import encode_dataset, prospect
from tubelet.jobs.bulk.settings import BulkSettings
from tubelet.jobs.sources import read_sources


class ActorError(Exception):
    """An actor ended."""


class ActorDied(ActorError):  # noqa: N818  as Ray calls it
    """An actor did not begin."""


class FakeRay(ModuleType):
    """Actors that answer at once, or end over requests that say so.

    Attributes:
        begun: how many actors were begun.
        deaths: how often each request still ends its actor.
        needs: what of a node an actor asks for.
    """

    exceptions = SimpleNamespace(
        RayActorError=ActorError,
        NodeDiedError=ActorError,
        OutOfMemoryError=ActorError,
        ActorDiedError=ActorDied,
    )

    def __init__(self):
        super().__init__("ray")
        self.begun, self.deaths, self.most = 0, {}, 0
        self.needs = {}

    def remote(self, **needs):
        self.needs = needs
        return lambda _class: SimpleNamespace(remote=self._begin)

    def _begin(self, *_):
        self.begun += 1
        alive = SimpleNamespace(value=True)
        return SimpleNamespace(do=SimpleNamespace(remote=lambda request: self._ask(alive, request)))

    def _ask(self, alive, request):
        assert alive.value, "an actor that has ended is asked"
        numbers = [each["number"] for each in request.get("batch", [request])]
        for number in numbers:
            if self.deaths.get(number, 0):
                self.deaths[number] -= 1
                alive.value = False
                return (number, "died", self.deaths[number])
        return (tuple(numbers) if "batch" in request else numbers[0], "did", 0)

    def wait(self, refs, *, num_returns):
        self.most = max(self.most, len(refs))
        return [refs[-1]], refs[:-1]

    def get(self, ref):
        if ref[0] == "unable":
            raise ActorDied("creation task\nTraceback\nCheckpointError: the tokenizer changed\n")
        if ref[1] == "died":
            raise ActorError("killed\nby somebody")
        if isinstance(ref[0], tuple):
            return {"batch": [{"frames": number} for number in ref[0]]}
        return {"no_output": "the disk is full"} if ref[0] == "full" else {"frames": ref[0]}

    def init(self, **given):
        self.given = given

    def cluster_resources(self):
        return {"CPU": 3.0, "GPU": 2.0}

    def shutdown(self):
        pass


@pytest.fixture
def ray(monkeypatch):
    fake = FakeRay()
    monkeypatch.setattr(extras, "import_module", lambda _: fake)
    return fake


def ask(numbers, workers=2, address=None, gpus=0.0):
    requests = ({"number": number} for number in numbers)
    return list(answered_by_ray(requests, [], workers=workers, address=address, gpus=gpus))


def test_every_request_is_answered_once_by_as_many_actors_as_there_are(ray):
    found = ask(range(7))
    assert sorted(each.request["number"] for each in found) == list(range(7))
    assert all(each.answer == {"frames": each.request["number"]} for each in found)
    assert (ray.begun, ray.most) == (2, 2)
    assert len(ask(range(9), workers=None)) == 9 and ray.most == 3


def test_without_requests_ray_is_not_begun(ray):
    assert ask([]) == []
    assert not hasattr(ray, "given")


def test_an_actor_that_ends_is_replaced_and_its_request_tried_once_more(ray):
    ray.deaths = {1: 1, 4: 2}
    found = {each.request["number"]: each.answer for each in ask(range(6))}
    assert found.pop(4) == {"failed": "its actor ended: killed (2 tries)"}
    assert found == {number: {"frames": number} for number in (0, 1, 2, 3, 5)}
    assert ray.begun == 2 + 3


def test_of_a_batch_over_which_an_actor_ends_that_request_fails_which_is_at_fault(ray):
    ray.deaths = {1: 3}
    batches = [{"batch": [{"number": number} for number in range(3 * n, 3 * n + 3)]} for n in range(4)]
    answers = answered_by_ray(iter(batches), [], workers=2, address=None, gpus=0.0)
    found = {each.request["number"]: each.answer for each in answers}
    assert found.pop(1) == {"failed": "its actor ended: killed (2 tries)"}
    assert found == {number: {"frames": number} for number in range(12) if number != 1}


def test_on_gpus_there_are_as_many_actors_as_gpus_and_each_asks_for_one(ray):
    ask(range(9), workers=None, gpus=1.0)
    assert (ray.needs["num_gpus"], ray.needs["num_cpus"], ray.most) == (1.0, 1, 2)
    ask(range(9))
    assert ray.needs["num_gpus"] == 0.0


def test_nodes_of_a_cluster_may_have_gpus_where_the_driver_has_none(tmp_path, video_file, small_folder):
    clips = plan_clips(read_sources([str(video_file("a.mkv"))]), mirror=False)
    settings = BulkSettings(tokenizer=str(small_folder), device="cuda:63")
    asked = {"clips": clips, "folder": tmp_path / "out", "settings": settings}
    assert prospect(BulkEncoding(engine="ray", **asked)).report.clips == 1
    with pytest.raises(OptionError, match="the device is cuda:63"):
        prospect(BulkEncoding(**asked))


def test_what_cannot_be_written_ends_the_work(ray):
    with pytest.raises(OutputError, match="the disk is full"):
        ask([0, "full", 2])


def test_why_no_actor_can_begin_is_said(ray):
    with pytest.raises(OutputError, match="no actor can begin: CheckpointError: the tokenizer changed"):
        ask(["unable"])


def test_a_cluster_is_asked_for_by_its_address(ray, monkeypatch):
    ask([0], address="auto")
    assert ray.given["address"] == "auto"

    def nobody(**_):
        raise ConnectionError("nobody is there")

    monkeypatch.setattr(ray, "init", nobody)
    with pytest.raises(OptionError, match="no cluster of Ray is at auto: nobody is there"):
        ask([0], address="auto")
    with pytest.raises(OutputError, match="Ray cannot begin on this machine: nobody is there"):
        ask([0])


@pytest.mark.parametrize("address", ["{}:{}", "ray://{}:{}"])
def test_where_nobody_listens_is_said_at_once_and_there_is_no_data_set(
    ray, tmp_path, video_file, small_folder, address
):
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        assert ask([0], address=address.format(host, port))
    clips = plan_clips(read_sources([str(video_file("a.mkv"))]), mirror=False)
    settings = BulkSettings(tokenizer=str(small_folder))
    with pytest.raises(OptionError, match=r"no cluster of Ray is at .*refused"):
        encode_dataset(
            BulkEncoding(
                engine="ray",
                address=address.format(host, port),
                clips=clips,
                folder=tmp_path / "out",
                settings=settings,
            )
        )
    assert not (tmp_path / "out").exists()


def test_without_the_package_and_without_the_engine_there_is_a_cure(monkeypatch, tmp_path):
    def missing(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(extras, "import_module", missing)
    with pytest.raises(OptionError, match=r"pip install 'tubelet\[ray\]'"):
        ask([0])
    with pytest.raises(OptionError, match="of a cluster of the engine ray"):
        BulkEncoding(clips=(), folder=tmp_path, address="auto")
