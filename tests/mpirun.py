#!/usr/bin/env python3
"""evenkeel train under mpirun: the same bytes for every number of processes, and what happens when one is lost.

    python3 tests/mpirun.py PROGRAM

Skipped (77) where mpirun is missing, or the program was built without MPI; a failure where the environment has CI.
EVENKEEL_KILLS: how many random moments to kill a process at (5).
"""
import collections
import fcntl
import glob
import os
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

program = os.path.abspath(sys.argv[1])
launcher = ["mpirun", "--oversubscribe"] + (["--allow-run-as-root"] if os.geteuid() == 0 else [])
# Everything that looks at a whole batch or has a state; the last batch of an epoch has 10 images, the gradients 54 KB.
run = ["train", "--data", "synthetic", "--samples", "250", "--validation", "48", "--batch-size", "32", "--epochs", "3",
       "--augment", "--warmup", "1", "--clip", "0.5", "--average", "0.9", "--checkpoint-every", "1",
       "--model", "conv:4:3:stride=2 norm act dropout:0.2 conv:4:3:stride=2 norm act flatten dense:64 norm act dense:classes"]
host = socket.gethostname()
chance = random.Random(1)
failures = []


SOON = 60  # seconds; on an idle machine all processes end within 10

def check(holds, what, said=""):
    if not holds:
        failures.append(what)
        print(f"FAILED: {what}\n{said}", flush=True)


def mpirun(processes, arguments, more=()):
    return launcher + list(more) + ["-n", str(processes), program] + arguments


def finished(command, limit=300):
    return subprocess.run(command, capture_output=True, text=True, timeout=limit)


def trained(command):
    done = finished(command)
    check(done.returncode == 0, f"{' '.join(command)} exits with {done.returncode}", done.stderr)
    return done


def content(folder, names=("last", "best", "average")):
    result = []
    for name in names:
        with open(f"{folder}/{name}.safetensors", "rb") as file:
            result.append(file.read())
    with open(f"{folder}/log.csv") as file:  # without its times
        rows = [line.rstrip("\n").split(",") for line in file]
    times = [i for i, name in enumerate(rows[0]) if name in ("images_per_second", "seconds")]
    return result + [[[v for i, v in enumerate(row) if i not in times] for row in rows]]


def ranks(folder):
    """The processes that train into a folder: rank -> pid."""
    found = {}
    for path in glob.glob("/proc/[0-9]*"):
        try:
            command, environment = open(path + "/cmdline").read(), open(path + "/environ").read()
        except OSError:
            continue
        rank = re.search(r"OMPI_COMM_WORLD_RANK=(\d+)", environment)
        if rank and folder + "\0" in command + "\0" and command.startswith(program):
            found[int(rank[1])] = int(path[6:])
    return found


def begun(folder, processes, epochs, seconds):
    """Waits until a run has saved a checkpoint, then for the end of so many epochs, then for some seconds."""
    limit = time.time() + 300
    saved, log = f"{folder}/last.safetensors", f"{folder}/log.csv"
    while time.time() < limit and not (os.path.exists(saved) and len(ranks(folder)) == processes):
        time.sleep(0.01)
    while epochs and time.time() < limit and not (os.path.exists(log) and open(log).read().count("\n") > epochs):
        time.sleep(0.001)
    time.sleep(seconds)


def interrupted(command, folder, processes, act, epochs=0, within=0.5):
    """Starts a run, disturbs it by act(mpirun's pid, ranks' pids) `within` seconds of the end of so many epochs,
    and returns what it said and the seconds it then took."""
    with open(folder + ".err", "w+") as said:
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        begun(folder, processes, epochs, chance.uniform(0, within))
        alive = running.poll() is None
        act(running.pid, ranks(folder))
        start = time.time()
        try:
            status = running.wait(timeout=120)
        except subprocess.TimeoutExpired:
            running.kill()
            status = running.wait()
        seconds = time.time() - start
        said.seek(0)
        text = said.read()
    check(alive, f"{folder}: the run ended before it was disturbed", text)
    check(not ranks(folder), f"{folder}: processes are left")
    return status, text, seconds


def same_bytes(scratch):
    for shards, processes in (4, (1, 2, 4)), (3, (3,)):
        for norm in "batch", "renorm:start=4:rend=12:dend=8", "batch:local=on":
            options = run + ["--shards", str(shards), "--norm", norm]
            whole = f"{scratch}/{shards}-{norm[:6]}-{norm[-2:]}"
            trained([program] + options + ["--threads", "1", "--out", whole])
            for n in processes if norm == "batch" else processes[-1:]:
                folder = f"{whole}-{n}"
                done = trained(mpirun(n, options + ["--threads", str(n % 3 + 1), "--out", folder]))
                check(content(folder) == content(whole), f"{n} processes train {shards} shards, norm {norm}, to other bytes")
                check(done.stdout.count("train loss") == 1 and done.stderr.count("wrote ") == 1, f"{n} processes print more than one")
    # A gradient of 1 MB: it is summed by itself.
    wide = run[:-1] + ["flatten dense:1024 norm act dense:classes", "--epochs", "1", "--norm", "batch"]
    for shards in 2, 3:
        for n in 1, shards:
            trained(mpirun(n, wide + ["--shards", str(shards), "--out", f"{scratch}/wide-{shards}-{n}"]))
        check(content(f"{scratch}/wide-{shards}-1") == content(f"{scratch}/wide-{shards}-{shards}"), f"{shards} processes sum large gradients to other bytes")


def refusals(scratch):
    for _ in range(10):  # often enough for a rank that ends before rank 0 has printed
        other = finished(mpirun(3, run + ["--shards", "4", "--out", f"{scratch}/r1"]))
        check(other.returncode == 2 and other.stderr.count("--shards: the 3 processes of mpirun must share them evenly") == 1, "3 of 4", other.stderr)

    for words, said in (["--lr", "x"], "--lr: must be a number"), (["--ephocs", "3"], "did you mean --epochs?"):
        wrong = finished(mpirun(3, ["train"] + words))
        check(wrong.returncode == 2 and wrong.stderr.count(said) == 1, f"{' '.join(words)} is not refused once", wrong.stderr)

    def pair(a, b):
        return finished(mpirun(1, run + ["--shards", "2", "--out", f"{scratch}/r2"] + a) + [":", "-n", "1", program] + run +
                        ["--shards", "2", "--out", f"{scratch}/r2"] + b)

    options = pair(["--seed", "3"], ["--seed", "4"])
    for part in ("must have the same program, options and data", f"options/seed: 3 for rank 0 on {host}, 4 for rank 1 on {host}"):
        check(options.returncode == 2 and part in options.stderr, f"other options are not refused: {part}", options.stderr)
    missing = pair([], ["--data", f"{scratch}/nowhere"])
    check(missing.returncode == 3 and f"rank 1 on {host}: " in missing.stderr and "nowhere" in missing.stderr,
          "a rank without the data is not named", missing.stderr)
    check(not os.path.exists(f"{scratch}/r2"), "a refused run leaves a folder")
    diverged = finished(mpirun(2, run + ["--shards", "2", "--norm", "none", "--clip", "0", "--lr", "1e9", "--warmup", "0", "--out", f"{scratch}/r3"]))
    check(diverged.returncode == 1 and diverged.stderr.count("the run diverged") == 1, "a divergence", diverged.stderr)


def lost(scratch):
    """Killed, stopped, interrupted: resumed by another number of processes, the run ends in the same bytes."""
    options = [o if o != "3" else "60" for o in run] + ["--shards", "4", "--norm", "batch"]
    trained([program] + options + ["--out", f"{scratch}/whole"])
    whole = content(f"{scratch}/whole")

    def resumed(folder, n, what):
        trained(mpirun(n, ["train", "--resume", folder]))
        check(content(folder) == whole, f"{what}: resumed by {n} processes, the run ends in other bytes")

    for moment in range(int(os.environ.get("EVENKEEL_KILLS", 5))):
        processes, n, epochs = chance.choice((2, 4)), chance.choice((1, 2, 4)), chance.randrange(50)
        rank = chance.randrange(processes)
        what = f"moment {moment}: rank {rank} of {processes} killed after epoch {epochs}"
        folder = f"{scratch}/killed-{moment}"
        status, said, seconds = interrupted(mpirun(processes, options + ["--out", folder]), folder, processes,
                                            lambda _, pids: os.kill(pids[rank], signal.SIGKILL), epochs, within=0.1)
        check(status != 0 and seconds < SOON, f"{what}: status {status} after {seconds:.1f} s", said)
        check(re.search(rf"rank {rank} with PID \d+ on node {host} exited on signal 9", said), f"{what}: is not named", said)
        resumed(folder, n, what)

    folder = f"{scratch}/hangs"
    status, said, seconds = interrupted(mpirun(4, options + ["--timeout", "2", "--out", folder]), folder, 4, lambda _, pids: os.kill(pids[2], signal.SIGSTOP))
    check(status != 0 and seconds < SOON, f"rank 2 hangs: status {status} after {seconds:.1f} s", said)
    check(re.search(rf"rank \d on {host} got no answer from rank 2 on {host} within 2 s", said), "the rank that hangs is not named", said)
    resumed(folder, 2, "rank 2 hangs")

    folder = f"{scratch}/interrupted"
    status, said, _ = interrupted(mpirun(2, options + ["--out", folder]), folder, 2, lambda pid, _: os.kill(pid, signal.SIGINT))
    check(status != 0 and said.count("stopped by SIGTERM") == 1 and "train --resume" in said, f"Ctrl-C: status {status}", said)
    resumed(folder, 1, "Ctrl-C")


def stopped_while_loading(scratch):
    """A signal to one process while it loads pictures: all end at once, and say so."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    side = 1000
    rows = zlib.compress(b"".join(b"\0" + os.urandom(side) for _ in range(side)))
    for kind in "ab":  # enough to take seconds
        os.makedirs(f"{scratch}/pictures/{kind}")
        first = f"{scratch}/pictures/{kind}/0.png"
        with open(first, "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)) +
                       chunk(b"IDAT", rows) + chunk(b"IEND", b""))
        for number in range(1, 300):
            os.link(first, f"{scratch}/pictures/{kind}/{number}.png")

    def loads(pid):  # it catches SIGTERM
        with open(f"/proc/{pid}/status") as file:
            return int(re.search(r"SigCgt:\s*(\w+)", file.read())[1], 16) >> (signal.SIGTERM - 1) & 1

    for rank, exits, what in (0, 143, "stopped by SIGTERM"), (1, 1, f"rank 1 on {host}: stopped by a signal"):
        folder = f"{scratch}/loading-{rank}"
        command = mpirun(2, ["train", "--data", f"{scratch}/pictures", "--image-size", "8", "--shards", "2", "--model",
                             "mlp:8", "--epochs", "1", "--out", folder])
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "XDG_CACHE_HOME": folder + "-cache"})
        limit, pids = time.time() + 60, {}
        while time.time() < limit and not (len(pids) == 2 and loads(pids[rank])):
            time.sleep(0.01)
            pids = ranks(folder)
        start = time.time()
        os.kill(pids[rank], signal.SIGTERM)
        said = running.communicate(timeout=120)[1]
        check(running.returncode == exits and said.count(what) == 1 and time.time() - start < SOON / 2,
              f"rank {rank} stopped while it loads: status {running.returncode}", said)


class Relay(threading.Thread):
    """A network between two TUN devices: each packet takes `delay` seconds, and a share of them, `loss`, is dropped."""

    def __init__(self, devices, delay, loss):
        super().__init__(daemon=True)
        self.delay, self.loss, self.chance, self.dropped, self.passed = delay, loss, random.Random(1), 0, 0
        self.ends = []
        for name in devices:
            self.ends.append(os.open("/dev/net/tun", os.O_RDWR))
            fcntl.ioctl(self.ends[-1], 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1001))  # TUNSETIFF: IFF_TUN | IFF_NO_PI
        self.ended, self.end = os.pipe()

    def run(self):
        waiting = collections.deque()  # (when it is due, where, packet)
        while True:
            wait = max(0, waiting[0][0] - time.monotonic()) if waiting else None
            ready = select.select(self.ends + [self.ended], [], [], wait)[0]
            if self.ended in ready:
                return
            for end in ready:
                packet = os.read(end, 65536)
                if self.chance.random() < self.loss:
                    self.dropped += 1
                else:
                    waiting.append((time.monotonic() + self.delay, self.ends[1 - self.ends.index(end)], packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, end, packet = waiting.popleft()
                self.passed += 1
                try:
                    os.write(end, packet)
                except OSError:  # the device is down
                    pass

    def stop(self):
        os.write(self.end, b"x")
        self.join()
        for file in self.ends + [self.ended, self.end]:
            os.close(file)


class Hosts:
    """Two hosts with a network between them: name spaces of the kernel, with host names of their own. The network is a
    cable, or a Relay with this delay and loss."""

    def __init__(self, scratch, **relay):
        self.names = [f"ek{os.getpid()}{letter}" for letter in "ab"]
        a, b = self.names
        self.relay = Relay(self.names, **relay) if relay else None
        for name in self.names:
            self.ip("netns", "add", name)
        if self.relay:
            for name in self.names:
                self.ip("link", "set", name, "netns", name, "name", "ek0")
            self.relay.start()
        else:
            self.ip("link", "add", "ek0", "netns", a, "type", "veth", "peer", "name", "ek0", "netns", b)
        for number, name in enumerate(self.names, 1):
            # TCP gives up after seconds, not after a quarter of an hour; keepalive alone does not end a connection that waits for an answer.
            self.ip("netns", "exec", name, "sh", "-c", "echo 3 > /proc/sys/net/ipv4/tcp_retries2")
            self.ip("-n", name, "addr", "add", f"10.213.0.{number}/24", "dev", "ek0")
            for device in "ek0", "lo":
                self.ip("-n", name, "link", "set", device, "up")
        agent = f"{scratch}/agent"  # in the place of ssh
        with open(agent, "w") as file:
            file.write(f'#!/bin/sh\n[ $1 = 10.213.0.1 ] && name={a} || name={b}\nshift\n'
                       'exec ip netns exec $name unshare --uts sh -c "hostname $name; $*"\n')
        os.chmod(agent, 0o755)
        self.inside = ["ip", "netns", "exec", a, "unshare", "--uts", "sh", "-c", f'hostname {a}; exec "$@"', "sh"]
        self.options = ["--mca", "plm_rsh_agent", agent, "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "ek0",
                        "--mca", "oob_tcp_if_include", "ek0", "--mca", "oob_tcp_keepalive_time", "2",
                        "--mca", "oob_tcp_keepalive_intvl", "1", "--mca", "oob_tcp_keepalive_probes", "2", "--host", "10.213.0.1:2,10.213.0.2:2"]

    def ip(self, *arguments):
        subprocess.run(["ip", *arguments], check=True)

    def mpirun(self, processes, arguments):
        return self.inside + mpirun(processes, arguments, self.options)

    def remove(self):
        if self.relay:
            self.relay.stop()
        for name in self.names:
            pids = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout.split()
            subprocess.run(["kill", "-9"] + pids, stderr=subprocess.DEVNULL)  # what a host that was cut off still runs
            subprocess.run(["ip", "netns", "del", name])


def slow_network(scratch):
    """10 ms each way, and a packet in a hundred is lost."""
    try:
        network = Hosts(scratch, delay=0.01, loss=0.01)
    except (OSError, subprocess.CalledProcessError) as error:
        print("slow_network: not tried, it needs root, ip, unshare and /dev/net/tun:", error)
        return
    try:
        folder = f"{scratch}/slow"
        trained(network.mpirun(4, run + ["--shards", "4", "--norm", "batch", "--out", folder]))
        check(content(folder) == content(f"{scratch}/4-batch-ch"), "two hosts far apart train to other bytes")
        print(f"slow_network: {network.relay.passed} packets passed, {network.relay.dropped} dropped")
        check(network.relay.dropped > 0, "no packet was dropped")
    finally:
        network.remove()


def hosts(scratch):
    try:
        network = Hosts(scratch)
    except (OSError, subprocess.CalledProcessError) as error:
        print("hosts: not tried, they need root, ip and unshare:", error)
        return
    try:
        options = [o if o != "3" else "60" for o in run] + ["--shards", "4", "--norm", "batch"]
        whole = content(f"{scratch}/whole")
        a, b = network.names
        folder = f"{scratch}/hosts"
        trained(network.mpirun(4, options + ["--out", folder]))
        check(content(folder) == whole, "two hosts train to other bytes")

        folder = f"{scratch}/host-killed"
        status, said, seconds = interrupted(network.mpirun(4, options + ["--out", folder]), folder, 4, lambda _, pids: os.kill(pids[3], signal.SIGKILL))
        check(status != 0 and seconds < SOON, f"rank 3 on another host killed: status {status} after {seconds:.1f} s", said)
        check(re.search(rf"rank 3 with PID \d+ on node (10.213.0.2|{b}) exited on signal 9", said), "rank 3 on another host is not named", said)

        folder = f"{scratch}/host-cut"
        cut = network.mpirun(4, options + ["--timeout", "2", "--out", folder])
        status, said, seconds = interrupted(cut, folder, 4, lambda *_: network.ip("-n", b, "link", "set", "ek0", "down"))
        check(status != 0 and seconds < SOON, f"a host cut off: status {status} after {seconds:.1f} s", said)
        check(re.search(rf"rank \d on {a} got no answer from rank \d on {b} within 2 s", said), "the host that was cut off is not named", said)
        trained(mpirun(2, ["train", "--resume", folder]))
        check(content(folder) == whole, "a host cut off: resumed, the run ends in other bytes")
    finally:
        network.remove()


def skip(reason):
    print("skipped:", reason)
    sys.exit(1 if os.environ.get("CI") else 77)


if not shutil.which("mpirun"):
    skip("mpirun is not found (Debian: openmpi-bin)")
with tempfile.TemporaryDirectory() as scratch:
    os.chdir(scratch)
    trial = finished(mpirun(2, run + ["--shards", "2", "--epochs", "1", "--out", f"{scratch}/trial"]))
    if "built without MPI" in trial.stderr:
        skip("the program is built without MPI (-DEVENKEEL_MPI=ON)")
    for part in same_bytes, refusals, stopped_while_loading, lost, slow_network, hosts:
        start = time.time()
        part(scratch)
        print(f"{part.__name__}: {time.time() - start:.0f} s", flush=True)
sys.exit(bool(failures))
