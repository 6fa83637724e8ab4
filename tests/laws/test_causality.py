"""Law 3: changing frame t changes no latent step that ends before t."""

from clips import LAW, make_clip, seeds, shapes
from hypothesis import given
from hypothesis import strategies as st

from tubelet.testing import check_causality


@LAW
@given(shape=shapes, seed=seeds, data=st.data())
def test_future_frames_do_not_change_past_latent_steps(any_tokenizer, shape, seed, data):
    changed = data.draw(st.integers(0, shape[0] - 1))
    check_causality(any_tokenizer, make_clip(any_tokenizer, shape, seed), changed=changed)
