"""Computing in bfloat16 where a machine has instructions for it."""

import torch


def autocast(device: torch.device, *, bfloat16: bool) -> torch.autocast:
    """Let networks compute in bfloat16 where the machine can; what must be float32 says so itself."""
    return torch.autocast(
        device.type, dtype=torch.bfloat16, enabled=bfloat16 and computes_bfloat16(device.type)
    )


def computes_bfloat16(device: str) -> bool:
    """Whether a kind of device has instructions for bfloat16; a CPU without takes thirty times as long."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device == "cpu":
        return any(
            there is True and name.endswith("bf16") for name, there in torch.cpu.get_capabilities().items()
        )
    return True
