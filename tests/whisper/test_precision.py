import pytest
import torch

from espnet_merge.whisper.precision import fast_dtype


@pytest.mark.parametrize("name", ["amx_bf16", "avx512_bf16"])
def test_a_cpu_is_fast_in_what_it_has_instructions_for(name, monkeypatch):
    there: dict[str, bool] = {}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: there)
    assert fast_dtype(on_gpu=False) == "float32"
    there |= {name: True, "avx512_f": True}
    assert fast_dtype(on_gpu=False) == "bfloat16"


def test_a_torch_that_does_not_tell_is_taken_for_slow(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert fast_dtype(on_gpu=False) == "float32"


@pytest.mark.parametrize(("has_it", "dtype"), [(True, "bfloat16"), (False, "float32")])
def test_a_gpu_that_emulates_is_not_fast(has_it, dtype, monkeypatch):
    # torch counts emulation, too, unless it is told not to.
    supported = lambda including_emulation: including_emulation or has_it  # noqa: E731
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert fast_dtype(on_gpu=True) == dtype
