# SPDX-License-Identifier: Apache-2.0
"""The machine a figure was measured on, as a dictionary and as one line of text. Used by the runners in bench/."""
import os
import platform
import subprocess

ISA_OF_INTEREST = ("sse4_2", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16",
                   "avx512_fp16", "avx512_vpopcntdq", "amx_int8", "asimd", "asimddp", "sve")


def _first(path, key):
    """The value of the first line "key : value" of a file of /proc, or ""."""
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() == key:
                    return value.strip()
    except OSError:
        pass
    return ""


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def _mount_of(directory):
    """(device, filesystem) of the mount that `directory` lies on."""
    best = ("", "unknown", "unknown")
    directory = os.path.realpath(directory)
    for line in _read("/proc/mounts").splitlines():
        device, place, kind = line.split()[:3]
        inside = directory == place or directory.startswith(place.rstrip("/") + "/")
        if inside and len(place) >= len(best[0]):
            best = (place, device, kind)
    return best[1], best[2]


def _disk_of(device):
    """What the system tells of the disk under a device, in words."""
    name = os.path.basename(os.path.realpath(device))
    block = os.path.realpath("/sys/class/block/" + name)
    if not os.path.isdir(os.path.join(block, "queue")):
        block = os.path.dirname(block)  # a partition: its disk is the directory above
    queue = os.path.join(block, "queue")
    if not os.path.isdir(queue):
        return device
    return "%s, read-ahead %s KiB, scheduler %s" % (
        device, _read(queue + "/read_ahead_kb"), _read(queue + "/scheduler") or "none")


def _compiler():
    try:
        output = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=True).stdout
        return output.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def describe(directory):
    """The machine, and the disk under `directory`, as a dictionary of words and numbers."""
    flags = (_first("/proc/cpuinfo", "flags") or _first("/proc/cpuinfo", "Features")).split()
    device, filesystem = _mount_of(directory)
    memory = _first("/proc/meminfo", "MemTotal").split()
    return {
        "cpu": _first("/proc/cpuinfo", "model name") or platform.machine(),
        "isa": [flag for flag in ISA_OF_INTEREST if flag in flags],
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory[0]) / 2 ** 20, 1) if memory else None,
        "disk": _disk_of(device),
        "filesystem": filesystem,
        "kernel": platform.release(),
        "virtual": "hypervisor" in flags,
        "compiler": _compiler(),
        "load_before": os.getloadavg()[0],
    }


def line(machine):
    return "%s%s, %d cores (%s), %s GiB, %s, %s, Linux %s, %s; load before the run %.1f" % (
        machine["cpu"], " (virtual machine)" if machine["virtual"] else "", machine["cores"], " ".join(machine["isa"]),
        machine["memory_gib"], machine["filesystem"], machine["disk"], machine["kernel"], machine["compiler"],
        machine["load_before"])
