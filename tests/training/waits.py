"""Finds where a GPU would be waited for, without one."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
WAITS = {
    aten._local_scalar_dense,
    aten.nonzero,
    aten.masked_select,
    aten.bincount,
    aten._unique2,
    aten.repeat_interleave,
    aten.lift_fresh,  # of torch.tensor: a copy from the host
}


class HostReads(TorchDispatchMode):
    """Counts the operations for which the host waits for a value of the device, or for the size of a result."""

    def __init__(self, monkeypatch):
        super().__init__()
        self.count = 0
        for name in ("tolist", "item", "__bool__", "__float__", "__int__", "cpu", "numpy"):
            self._count_calls(monkeypatch, name)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func.overloadpacket in WAITS
        if func.overloadpacket in (aten.index, aten.index_put, aten.index_put_):
            self.count += any(item is not None and item.dtype == torch.bool for item in args[1])
        return func(*args, **(kwargs or {}))

    def _count_calls(self, monkeypatch, name):
        plain = getattr(torch.Tensor, name)

        def counted(tensor, *args):
            self.count += 1
            return plain(tensor, *args)

        monkeypatch.setattr(torch.Tensor, name, counted)
