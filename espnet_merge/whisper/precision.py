"""The type that a processor computes a network fast in."""

# In place of a type: the one that the processor is fast in.
FAST = "auto"


def fast_dtype(*, on_gpu: bool) -> str:
    """Return "bfloat16" or "float32".

    It is bfloat16 where the processor has instructions that multiply matrices in it:
    AMX or AVX512-BF16, a GPU since Ampere. Elsewhere it would be emulated, and slow.

    Args:
        on_gpu: whether the first GPU computes, not the CPU.
    """
    import torch  # options of commands are read before anything is computed

    if on_gpu:
        has_it = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Torch 2.9 and 2.10 do not tell.
        processor: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        has_it = any(processor.get(name) for name in ("amx_bf16", "avx512_bf16"))
    return "bfloat16" if has_it else "float32"
