"""The CUDA driver, by ctypes: its functions by name, and errors that say what to do.

    driver = load()                                # once a process; DeviceError where there is none
    address = driver.call("cuMemAlloc_v2", 4096)   # results are returned, arguments are given

Nothing is imported but ctypes, and nothing is loaded before somebody asks. The library is
`libcuda.so.1`, which comes with the GPU's driver, or what GRAPHC_CUDA_DRIVER names.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
from typing import Any

from graphc import config
from graphc.errors import DeviceError

_KINDS: dict[str, Any] = {
    "int": ctypes.c_int, "uint": ctypes.c_uint, "byte": ctypes.c_ubyte, "short": ctypes.c_ushort,
    "float": ctypes.c_float, "size": ctypes.c_size_t, "u64": ctypes.c_uint64,
    "pointer": ctypes.c_void_p, "text": ctypes.c_char_p,
}  # fmt: skip
# Arguments as in cuda.h: what a star stands before is a result.
_FUNCTIONS = {
    "cuInit": "uint",
    "cuDriverGetVersion": "*int",
    "cuDeviceGetCount": "*int",
    "cuDeviceGet": "*int int",
    "cuDeviceGetName": "pointer int int",
    "cuDeviceTotalMem_v2": "*size int",
    "cuDeviceGetAttribute": "*int int int",
    "cuDevicePrimaryCtxRetain": "*pointer int",
    "cuCtxSetCurrent": "pointer",
    "cuCtxSynchronize": "",
    "cuMemGetInfo_v2": "*size *size",
    "cuMemAlloc_v2": "*u64 size",
    "cuMemFree_v2": "u64",
    "cuMemHostAlloc": "*pointer size uint",
    "cuMemFreeHost": "pointer",
    "cuMemcpyHtoD_v2": "u64 pointer size",
    "cuMemcpyDtoH_v2": "pointer u64 size",
    "cuMemcpyHtoDAsync_v2": "u64 pointer size pointer",
    "cuMemcpyDtoHAsync_v2": "pointer u64 size pointer",
    "cuMemcpyDtoDAsync_v2": "u64 u64 size pointer",
    "cuMemsetD8Async": "u64 byte size pointer",
    "cuMemsetD16Async": "u64 short size pointer",
    "cuModuleLoadData": "*pointer pointer",
    "cuModuleUnload": "pointer",
    "cuModuleGetFunction": "*pointer pointer text",
    "cuLaunchKernel": "pointer uint uint uint uint uint uint uint pointer pointer pointer",
    "cuStreamCreate": "*pointer uint",
    "cuStreamDestroy_v2": "pointer",
    "cuStreamSynchronize": "pointer",
    "cuStreamQuery": "pointer",
    "cuStreamWaitEvent": "pointer pointer uint",
    "cuStreamBeginCapture_v2": "pointer int",
    "cuStreamEndCapture": "pointer *pointer",
    "cuGraphInstantiateWithFlags": "*pointer pointer u64",
    "cuGraphLaunch": "pointer pointer",
    "cuGraphExecDestroy": "pointer",
    "cuGraphDestroy": "pointer",
    "cuEventCreate": "*pointer uint",
    "cuEventRecord": "pointer pointer",
    "cuEventQuery": "pointer",
    "cuEventSynchronize": "pointer",
    "cuEventElapsedTime": "*float pointer pointer",
    "cuEventDestroy_v2": "pointer",
}

OUT_OF_MEMORY, NO_DEVICE, UNSUPPORTED_PTX, NOT_READY = 2, 100, 222, 600
# From these on a context is of no more use, and with it the process: cuda.h, CUresult.
_FATAL = {214, 700, 702, 714, 715, 716, 717, 718, 719, 720}
_HINTS = {
    3: "the driver was not initialised: a forked child cannot use its parent's GPU; spawn it",
    999: "see `nvidia-smi`: the driver itself is in trouble",
    100: "see `nvidia-smi`; CUDA_VISIBLE_DEVICES may hide the GPUs",
    221: "the driver's compiler of PTX is missing; install the driver whole",
    701: "a block wants more registers or shared memory than the GPU has",
    802: "the system's GPUs are not ready yet; see `nvidia-smi`",
    803: "the driver and its kernel module differ in version; restart the machine",
}
_DEAD = "the GPU's context is lost: what only the GPU held is gone; start the process anew"
# The newest PTX that a driver takes, by its CUDA version (PTX ISA, release history).
_PTX = {
    (11, 0): (7, 0), (11, 1): (7, 1), (11, 2): (7, 2), (11, 3): (7, 3), (11, 4): (7, 4),
    (11, 5): (7, 5), (11, 6): (7, 6), (11, 7): (7, 7), (11, 8): (7, 8), (12, 0): (8, 0),
    (12, 1): (8, 1), (12, 2): (8, 2), (12, 3): (8, 3), (12, 4): (8, 4), (12, 5): (8, 5),
    (12, 7): (8, 6), (12, 8): (8, 7), (12, 9): (8, 8), (13, 0): (9, 0),
}  # fmt: skip


class CudaError(DeviceError):
    """A function of the driver that failed.

    Attributes:
        code: its CUresult.
        name: the name of that, such as "CUDA_ERROR_OUT_OF_MEMORY".
        function: which one.
        is_fatal: whether nothing can be done on the GPU any more in this process.
    """

    def __init__(self, code: int, name: str, function: str) -> None:
        self.code, self.name, self.function = code, name, function
        self.is_fatal = code in _FATAL
        hint = _DEAD if self.is_fatal else _HINTS.get(code, "")
        super().__init__(f"cuda: {function} failed: {name} ({code})", hint=hint)


class Driver:
    """The functions of one library.

    Args:
        path: of the library, or its name for the loader.

    Attributes:
        version: of CUDA, as in (12, 4).

    Raises:
        DeviceError: there is no such library, or it is too old.
    """

    def __init__(self, path: str) -> None:
        try:
            self.library = ctypes.CDLL(path)
        except OSError as error:
            raise DeviceError(
                "cuda: there is no CUDA driver", [str(error)], hint="install NVIDIA's driver"
            ) from None
        self._functions: dict[str, tuple[Any, list[Any]]] = {}
        for name, words in _FUNCTIONS.items():
            self._declare(name, words.split())
        number = self.call("cuDriverGetVersion")
        self.version = number // 1000, number % 1000 // 10
        self.call("cuInit", 0)

    def _declare(self, name: str, words: list[str]) -> None:
        function = getattr(self.library, name, None)
        if function is None:
            raise DeviceError(
                f"cuda: the driver is too old: it has no {name}", hint="CUDA 11.4 or newer"
            )
        function.restype = ctypes.c_int
        results = [_KINDS[w[1:]] if w[0] == "*" else None for w in words]
        function.argtypes = [ctypes.POINTER(r) if r else _KINDS[w] for w, r in zip(words, results)]
        self._functions[name] = function, results

    def call(self, name: str, *args: Any) -> Any:
        """Call a function.

        Args:
            name: of the function, as the library exports it.
            args: those that are no results.

        Returns:
            None, the result, or a tuple of several.

        Raises:
            CudaError: it did not return 0.
        """
        function, results = self._functions[name]
        cells, given = [], iter(args)
        full = []
        for kind in results:
            if kind is None:
                full.append(next(given))
                continue
            cells.append(kind())
            full.append(ctypes.byref(cells[-1]))
        if code := function(*full):
            raise CudaError(code, self.name_of(code), name)
        values = [cell.value for cell in cells]
        return tuple(values) if len(values) > 1 else values[0] if values else None

    def is_done(self, name: str, handle: int) -> bool:
        """What `cuStreamQuery` or `cuEventQuery` says."""
        try:
            self.call(name, handle)
        except CudaError as error:
            if error.code != NOT_READY:
                raise
            return False
        return True

    def name_of(self, code: int) -> str:
        """The name of a CUresult."""
        text = ctypes.c_char_p()
        self.library.cuGetErrorName(code, ctypes.byref(text))
        return (text.value or b"an unknown error").decode()

    @property
    def newest_ptx(self) -> tuple[int, int]:
        """The newest version of PTX that the driver takes."""
        return max(ptx for version, ptx in _PTX.items() if version <= max(self.version, (11, 0)))

    def load_module(self, image: bytes) -> int:
        """Load PTX or machine code; the module's handle.

        Raises:
            DeviceError: the driver is too old for this PTX.
            CudaError: the driver refuses it for another reason.
        """
        found = re.search(rb"^\s*\.version (\d+)\.(\d+)", image[:4096], re.MULTILINE)
        wanted = (int(found[1]), int(found[2])) if found else (0, 0)
        if wanted > self.newest_ptx:
            raise self._too_old(wanted)
        try:
            return self.call("cuModuleLoadData", image + b"\0")
        except CudaError as error:
            if error.code != UNSUPPORTED_PTX:
                raise
            raise self._too_old(wanted) from None

    def _too_old(self, wanted: tuple[int, int]) -> DeviceError:
        enough = [version for version, ptx in _PTX.items() if ptx >= wanted]
        need = "{}.{}".format(*min(enough)) if enough else "a newer CUDA"
        has, takes = "{}.{}".format(*self.version), "{}.{}".format(*self.newest_ptx)
        return DeviceError(
            f"cuda: the driver is too old: it takes PTX up to {takes}, kernels are PTX "
            f"{wanted[0]}.{wanted[1]}",
            [f"the driver is for CUDA {has}"],
            hint=f"install a driver for CUDA {need} or newer",
        )


@functools.cache
def _loaded(path: str, process: int) -> Driver:
    return Driver(path)


def is_loaded() -> bool:
    """Whether a driver was loaded by this process."""
    return _loaded.cache_info().currsize > 0


def load() -> Driver:
    """The driver of this machine.

    Raises:
        DeviceError: there is none, or no GPU.
    """
    default = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
    return _loaded(config.current().cuda_driver or default, os.getpid())


__all__ = ["NOT_READY", "NO_DEVICE", "OUT_OF_MEMORY", "CudaError", "Driver", "is_loaded", "load"]
