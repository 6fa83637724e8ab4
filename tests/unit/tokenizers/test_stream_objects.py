import pytest
import torch

from tubelet.errors import ShapeError


@pytest.fixture(params=["linear", "network"])
def tokenizer(request, make_tokenizer):
    """Both kinds, without a lead frame, so that short runs complete no group."""

    def make(*, lead_frame: bool = False):
        blocks = {"width": 16, "encoder_blocks": 1, "decoder_blocks": 1} if request.param == "network" else {}
        return make_tokenizer(lead_frame=lead_frame, **blocks).tokenizer

    return make


def video(clips: int, frames: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(frames)
    return torch.rand(clips, 3, frames, 9, 17, generator=generator) * 2 - 1


@pytest.mark.parametrize("lead_frame", [True, False])
@pytest.mark.parametrize("frames", [1, 3, 4, 5, 8])
def test_a_batch_is_encoded_as_each_of_its_clips(tokenizer, frames, lead_frame):
    model, clips = tokenizer(lead_frame=lead_frame), video(2, frames)
    singly = torch.cat([model.encode(clip[None]) for clip in clips])
    assert torch.allclose(model.encode(clips), singly, rtol=0, atol=2e-5)


@pytest.mark.parametrize("frames", [1, 4, 6])
def test_a_batch_is_decoded_as_each_of_its_clips(tokenizer, frames):
    model, clips = tokenizer(), video(2, frames)
    size = {"frames": frames, "height": 9, "width": 17}
    latent = model.encode(clips)
    singly = torch.cat([model.decode(each[None], **size) for each in latent])
    assert torch.allclose(model.decode(latent, **size), singly, rtol=0, atol=2e-5)


def test_every_answer_of_a_stream_has_the_batch_of_the_clip(tokenizer):
    model, clips = tokenizer(), video(3, 5)
    encoder = model.stream_encoder()
    latents = [encoder.push(clips[:, :, :2]), encoder.push(clips[:, :, 2:4]), encoder.push(clips[:, :, 4:])]
    latents.append(encoder.finish())
    assert [tuple(each.shape[:3]) for each in latents] == [(3, 12, 0), (3, 12, 1), (3, 12, 0), (3, 12, 1)]
    decoder = model.stream_decoder(height=9, width=17)
    assert [decoder.push(latents[1]).shape[:3], decoder.finish().shape[:3]] == [(3, 3, 4), (3, 3, 0)]


def test_pushing_nothing_gives_nothing_and_changes_nothing(tokenizer):
    model, clip = tokenizer(), video(1, 6)
    stream = model.stream_encoder()
    parts = [stream.push(clip[:, :, :5]), stream.push(clip[:, :, :0]), stream.push(clip[:, :, 5:])]
    assert parts[1].shape[2] == 0
    assert torch.allclose(torch.cat([*parts, stream.finish()], dim=2), model.encode(clip), rtol=0, atol=2e-5)


def test_the_frames_that_wait_are_the_streams_own(tokenizer):
    model, clip = tokenizer(), video(1, 4)
    stream, scratch = model.stream_encoder(), clip[:, :, :3].clone()
    stream.push(scratch)
    scratch.zero_()
    assert torch.allclose(stream.push(clip[:, :, 3:]), model.encode(clip), rtol=0, atol=2e-5)


def test_a_frame_of_another_size_is_refused(tokenizer):
    stream = tokenizer().stream_encoder()
    stream.push(video(1, 2))
    with pytest.raises(ShapeError, match=r"a frame is 8x17 and those before were 9x17.*new stream"):
        stream.push(video(1, 2)[:, :, :, :8])


def test_a_stream_without_frames_cannot_finish(tokenizer):
    with pytest.raises(ShapeError, match="no frame was pushed"):
        tokenizer().stream_encoder().finish()


def test_a_decoder_says_which_frames_are_missing(tokenizer):
    model = tokenizer()
    stream = model.stream_decoder(frames=8, height=9, width=17)
    stream.push(model.encode(video(1, 4)))
    with pytest.raises(
        ShapeError, match="has 8 frames and only 4 were decoded; push the latent steps from 1"
    ):
        stream.finish()


def test_a_decoder_refuses_steps_past_the_end(tokenizer):
    model = tokenizer()
    stream = model.stream_decoder(frames=4, height=9, width=17)
    with pytest.raises(ShapeError, match="goes on to step 2; a clip of 4 frames has 1"):
        stream.push(model.encode(video(1, 8)))


@pytest.mark.parametrize("size", [{"height": 0}, {"width": -1}, {"frames": 0}, {"first_step": -1}], ids=str)
def test_a_clip_without_pixels_is_refused(tokenizer, size):
    with pytest.raises(ShapeError, match="frames, height and width start at 1"):
        tokenizer().stream_decoder(**({"height": 9, "width": 17} | size))
