"""The CUDA driver by ctypes, and memory, on a fake one: what each call gives, and each error."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from fake_cuda import Fake, fresh, image

import graphc as gc
from graphc.errors import AttributeValueError, DeviceError
from graphc.runtime.cuda import device as devices
from graphc.runtime.cuda import memory
from graphc.runtime.cuda.driver import CudaError

KERNEL = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_int64), ctypes.c_int64, ctypes.c_int64)


@pytest.fixture
def fake() -> Iterator[Fake]:
    with fresh() as found:
        yield found


@KERNEL
def _sevens(words, lo, hi) -> None:
    """One float for each block, at the address in the first word."""
    for k in range(lo, hi):
        ctypes.c_float.from_address(words[0] + 4 * k).value = 7.0


def _sevens_on(fake: Fake, gpu: devices.Device) -> int:
    address = ctypes.cast(_sevens, ctypes.c_void_p).value
    assert address is not None
    return gpu.function("sevens", fake.register("sevens", address, 1, 64))


def _read(gpu: devices.Device, address: int, count: int) -> list[float]:
    found = np.zeros(count, np.float32)
    gpu.driver.call("cuMemcpyDtoH_v2", found.ctypes.data, address, found.nbytes)
    return found.tolist()


def _error(expected: type[Exception], function: object, *args: object) -> str:
    with pytest.raises(expected) as raised:
        function(*args)  # type: ignore[operator]
    assert len(str(raised.value).splitlines()) <= 12
    return str(raised.value)


def test_without_a_driver_there_is_no_device_and_asking_says_why() -> None:
    with gc.config.override(cuda_driver="/no/such/library"):
        assert gc.cuda.device_count() == gc.cuda.memory_allocated() == 0
        gc.cuda.synchronize()
        gc.cuda.empty_cache()
        assert "there is no CUDA driver" in _error(DeviceError, gc.cuda.current_device)
        assert devices.refusal() == "there is no CUDA driver"


def test_a_driver_without_a_gpu_is_told_apart_from_none(fake: Fake) -> None:
    fake.set(devices=0)
    assert gc.cuda.device_count() == 0
    assert "a CUDA driver, but no GPU" in _error(DeviceError, gc.cuda.get_device_name)


def test_a_library_that_lacks_a_function_is_too_old() -> None:
    with gc.config.override(cuda_driver="libm.so.6"):
        assert "too old" in _error(DeviceError, gc.cuda.get_device_name)


def test_a_driver_that_is_too_old_for_the_kernels_says_which_it_takes(fake: Fake) -> None:
    fake.set(version=11040)
    gpu = devices.current()
    text = _error(DeviceError, gpu.function, "k", image("k", 1, "8.0"))
    assert "takes PTX up to 7.4, kernels are PTX 8.0" in text and "CUDA 12.0" in text


def test_ptx_that_only_the_driver_knows_to_be_too_new_is_named_too(fake: Fake) -> None:
    fake.set(version=13010)
    fake.fail("cuModuleLoadData", 222)
    text = _error(DeviceError, devices.current().function, "k", image("k", 1, "9.0"))
    assert "the driver is too old" in text


def test_the_face_says_what_the_gpu_is(fake: Fake) -> None:
    fake.set(devices=2)
    assert gc.cuda.device_count() == 2 and gc.cuda.current_device() == 0
    with gc.cuda.device(1):
        assert gc.cuda.get_device_name() == "Fake GPU 1"
    assert gc.cuda.get_device_name() == gc.cuda.get_device_name("cuda:0") == "Fake GPU 0"
    assert gc.cuda.get_device_capability(gc.device("cuda:1")) == (9, 0)
    assert gc.cuda.is_bf16_supported() and gc.cuda.is_initialized()
    assert gc.cuda.get_device_properties(0).multi_processor_count == 132
    assert gc.cuda.mem_get_info() == (1 << 32, 1 << 32)
    gc.cuda.set_device("cuda:1")
    assert gc.cuda.current_device() == 1
    gc.cuda.set_device(0)
    assert "indices are 0 to 1" in _error(AttributeValueError, gc.cuda.set_device, 2)


def test_a_result_is_there_after_the_wait_and_not_before(fake: Fake) -> None:
    gpu, stream = devices.current(), gc.cuda.Stream()
    block, staging = gpu.pool.allocate(16), memory.Pinned(gpu, 16)
    ctypes.memset(staging.address, 0, 16)
    gpu.launch(_sevens_on(fake, gpu), 4, 64, np.array([block.address]), stream.handle)
    call = gpu.driver.call
    call("cuMemcpyDtoHAsync_v2", staging.address, block.address, 16, stream.handle)
    values = (ctypes.c_float * 4).from_address(staging.address)
    assert list(values) == [0.0] * 4 and not stream.query()
    stream.synchronize()
    assert list(values) == [7.0] * 4 and stream.query()


def test_streams_wait_for_events_and_events_tell_the_time(fake: Fake) -> None:
    gpu, first, second = devices.current(), gc.cuda.Stream(), gc.cuda.Stream()
    block = gpu.pool.allocate(16)
    start, end = gc.cuda.Event(enable_timing=True), gc.cuda.Event(enable_timing=True)
    start.record(first)
    gpu.launch(_sevens_on(fake, gpu), 4, 64, np.array([block.address]), first.handle)
    end.record(first)
    assert not end.query()
    second.wait_stream(first)
    second.synchronize()
    assert end.query() and start.elapsed_time(end) > 0
    assert _read(gpu, block.address, 4) == [7.0] * 4
    with gc.cuda.stream(second) as chosen:
        assert gc.cuda.current_stream() is chosen
        gc.cuda.Event().record()
        assert not second.query()
    gc.cuda.synchronize()
    assert second.query()


def test_launches_that_the_driver_refuses_are_errors_and_empty_ones_are_none(fake: Fake) -> None:
    gpu, stream = devices.current(), gc.cuda.Stream()
    function = _sevens_on(fake, gpu)
    gpu.launch(function, 0, 64, np.array([0]), stream.handle)
    assert fake.count("cuLaunchKernel") == 0
    refused = (function, 1, 32, np.array([0]), stream.handle)
    assert "INVALID_VALUE (1)" in _error(CudaError, gpu.launch, *refused)
    assert "blocks" in _error(DeviceError, gpu.launch, function, 1 << 31, 64, np.array([0]), 0)
    assert "NOT_FOUND" in _error(CudaError, gpu.function, "other", image("k", 1))


def test_a_capture_takes_no_allocation(fake: Fake) -> None:
    gpu, stream = devices.current(), gc.cuda.Stream()
    gpu.driver.call("cuStreamBeginCapture_v2", stream.handle, 1)
    assert "CAPTURE_UNSUPPORTED (900)" in _error(CudaError, gpu.pool.allocate, 64)
    assert "901" in _error(CudaError, gpu.driver.call, "cuStreamEndCapture", stream.handle)


def test_an_address_that_is_nobodys_loses_the_context(fake: Fake) -> None:
    gpu, stream = devices.current(), gc.cuda.Stream()
    block = gpu.pool.allocate(16)
    address = block.address
    function = _sevens_on(fake, gpu)
    del block
    gc.cuda.empty_cache()
    gpu.launch(function, 1, 64, np.array([address]), stream.handle)
    text = _error(CudaError, stream.synchronize)
    assert "ILLEGAL_ADDRESS (700)" in text and "start the process anew" in text
    assert "ILLEGAL_ADDRESS (700)" in _error(CudaError, gpu.pool.allocate, 64)


def test_the_host_cannot_touch_memory_of_the_device(fake: Fake) -> None:
    program = (
        "import ctypes, graphc as gc\n"
        "from graphc.runtime.cuda import device\n"
        "print(ctypes.c_float.from_address(device.current().pool.allocate(64).address).value)\n"
    )
    environment = {"GRAPHC_CUDA_DRIVER": str(fake.path), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True)
    assert done.returncode == -11, done.stderr


def test_the_pool_keeps_what_is_given_back_for_the_next_of_its_size(fake: Fake) -> None:
    pool = devices.current().pool
    first = pool.allocate(1000)
    address, size = first.address, first.nbytes
    assert size >= 1000 and pool.allocated == pool.peak == gc.cuda.memory_allocated() == size
    del first
    assert pool.allocated == 0 and pool.reserved == gc.cuda.memory_reserved() == size
    again = pool.allocate(900)
    assert again.address == address and fake.count("cuMemAlloc_v2") == 1
    other = pool.allocate(10 << 20)
    assert gc.cuda.max_memory_allocated() == size + other.nbytes
    del again, other
    gc.cuda.empty_cache()
    gc.cuda.reset_peak_memory_stats()
    assert fake.used == pool.reserved == gc.cuda.max_memory_allocated() == 0


def test_what_is_kept_goes_before_memory_is_said_to_be_out(fake: Fake) -> None:
    fake.set(memory=40 << 20)
    pool = devices.current().pool
    del_me = pool.allocate(20 << 20)
    del del_me
    held = pool.allocate(30 << 20)
    text = _error(memory.DeviceMemoryError, pool.allocate, 20 << 20)
    assert f"{held.nbytes:,} are in use" in text and f"of {40 << 20:,} bytes left" in text
    assert pool.allocate(1 << 20).nbytes == 1 << 20
