"""A real SLURM of two nodes on this machine, without systemd, for tests and for a look.

    python -m tests.slurm.cluster       until Ctrl-C; prints what to export

Needs root, and what tools/install_slurm.sh installs. All that it writes lies in one
directory, all daemons are its children, and all addresses are loopback, but for a node
that is to be cut off.
"""

import os
import re
import secrets
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.slurm.database import Database
from tests.slurm.network import Network

NODES = ("n1", "n2")
NEEDED = ("slurmctld", "slurmd", "sbatch", "munged", "slurmdbd", "mariadbd", "ip")
# Short times where SLURM's defaults are minutes: a node is lost after 10 s, a job that
# is requeued starts again after cred_expire.
NO_ACCOUNTS = "AccountingStorageType=accounting_storage/none"
CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}({addresses[controller]})
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={place}/munge.socket,cred_expire=5
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool.%n
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
GresTypes=gpu
SlurmctldTimeout=10
SlurmdTimeout=10
KillWait=2
CompleteWait=0
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
{accounts}
DefMemPerCPU=100
NodeName=DEFAULT CPUs=4 RealMemory=64000 Gres=gpu:2
NodeName=n1 NodeHostname={host} NodeAddr={addresses[n1]} Port={ports[1]}
NodeName=n2 NodeHostname={host} NodeAddr={addresses[n2]} Port={ports[2]}
PartitionName=DEFAULT Nodes=ALL DefaultTime=10 PriorityTier=1
PartitionName=cpu Default=YES
PartitionName=gpu Default=NO
PartitionName=urgent Default=NO PriorityTier=9 PreemptMode=OFF
"""


class Cluster:
    """The daemons; used as a context.

    Args:
        apart: a node with a network of its own, which ``cut_off`` cuts; or none.
        accounts: whether a database answers sacct.
    """

    def __init__(self, *, apart: str = "", accounts: bool = False) -> None:
        self.apart, self.accounts = apart, accounts
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.cleanup = ExitStack()

    def __enter__(self) -> "Cluster":
        with self.cleanup:  # where something fails
            self.start_all()
            self.cleanup = self.cleanup.pop_all()
        return self

    def start_all(self) -> None:
        directory = tempfile.TemporaryDirectory(
            prefix="espnet-merge-slurm-", ignore_cleanup_errors=True
        )
        self.place = Path(self.cleanup.enter_context(directory))
        self.place.chmod(0o755)
        self.cleanup.callback(self.stop)
        (self.place / "state").mkdir()
        devices = [self.place / f"gpu{number}" for number in (0, 1)]
        for device in devices:
            os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        host = socket.gethostname().partition(".")[0]
        addresses = dict.fromkeys(("controller", *NODES), "127.0.0.1")
        if self.apart:
            self.network = self.cleanup.enter_context(Network())
            addresses["controller"] = self.network.here
            addresses[self.apart] = self.network.there
        database = Database(self, _free_ports(2)) if self.accounts else None
        text = CONFIGURATION.format(
            host=host,
            place=self.place,
            ports=_free_ports(3),
            addresses=addresses,
            accounts=database.lines if database else NO_ACCOUNTS,
        )
        self.write("slurm.conf", text)
        self.write("gres.conf", f"Name=gpu File={self.place}/gpu[0-1]\n")
        # Nothing of it is used, but the default would look for a mount.
        self.write("cgroup.conf", "CgroupAutomount=no\nCgroupPlugin=cgroup/v1\n")
        self.environment = {"SLURM_CONF": str(self.place / "slurm.conf")}
        self.start_munge()
        if database:
            database.start()
        self.start("slurmctld")
        for node in NODES:
            self.start(node)
        self.wait_for(lambda: self.idle() == len(NODES), 30, "idle nodes")

    def __exit__(self, *error: object) -> None:
        self.cleanup.close()

    def write(self, name: str, text: str) -> None:
        (self.place / name).write_text(text, "utf-8")

    def start_munge(self) -> None:
        key = self.place / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        files = {"key-file": key}
        for name in ("socket", "pid-file", "log-file", "seed-file"):
            files[name] = self.place / f"munge.{name.removesuffix('-file')}"
        words = [f"--{name}={path}" for name, path in files.items()]
        self.launch("munged", ["munged", "--foreground", "--force", *words])
        socket_file = files["socket"]
        self.wait_for(socket_file.exists, 10, "munge")

    def start(self, name: str) -> None:
        """Start slurmctld, or the slurmd of a node."""
        words = (
            ["slurmctld", "-D"] if name == "slurmctld" else ["slurmd", "-D", "-N", name]
        )
        apart = self.network.enter if name == self.apart else []
        self.launch(name, [*apart, *words, "-f", str(self.place / "slurm.conf")])

    def cut_off(self, node: str) -> None:
        """Cut the network of the node that has its own; its processes go on."""
        assert node == self.apart
        self.network.switch("down")

    def heal(self) -> None:
        """Connect it again."""
        self.network.switch("up")

    def launch(self, name: str, words: list[str]) -> None:
        with (self.place / f"{name}.log").open("ab") as log:
            self.daemons[name] = subprocess.Popen(
                words,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def variables(self) -> dict[str, str]:
        return {**os.environ, **self.environment}

    def kill(self, name: str) -> None:
        """Kill a daemon with signal 9; jobs go on."""
        daemon = self.daemons.pop(name)
        daemon.kill()
        daemon.wait()

    def cut_power(self, node: str) -> None:
        """Kill all processes of a node, before any can tell of another's end."""
        self.kill(node)
        while found := self.processes(node):  # and what they start meanwhile
            for process in found:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.1)

    def processes(self, node: str = "") -> list[int]:
        """Return the processes of jobs, on one node or on all; steps' daemons first."""
        wanted = f"SLURM_CONF={self.place}/slurm.conf"
        jobs, daemons = set(), set()
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended
                text = (entry / "environ").read_bytes().decode("utf-8", "replace")
                nodes = re.findall(r"SLURMD_NODENAME=([^\0]+)", text)
                if wanted in text.split("\0") and nodes and nodes[0].endswith(node):
                    jobs.add(int(entry.name))
                    status = (entry / "status").read_text()
                    daemons.add(int(re.search(r"PPid:\s+(\d+)", status)[1]))
        steps = [one for one in daemons - jobs if _name(one) == "slurmstepd"]
        return steps + sorted(jobs)

    def run(self, *words: str, check: bool = True) -> str:
        """Run a command of SLURM's."""
        done = subprocess.run(
            words,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if check and done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    @contextmanager
    def only(self, node: str) -> Iterator[None]:
        """Let jobs start on this node alone meanwhile."""
        (other,) = set(NODES) - {node}
        self.run("scontrol", "update", f"NodeName={other}", "State=DRAIN", "Reason=one")
        yield
        self.run("scontrol", "update", f"NodeName={other}", "State=RESUME")

    def jobs(self) -> list[str]:
        """Return all jobs that live, a task a line."""
        return self.run("squeue", "-h", "-r", "-o", "%i %T %N %j").splitlines()

    def idle(self) -> int:
        return (
            self.run("sinfo", "-h", "-N", "-p", "cpu", "-o", "%t", check=False)
            .split("\n")
            .count("idle")
        )

    def wait_for(self, condition, seconds: float, what: str) -> float:
        """Wait until a condition holds; return the seconds that took."""
        start = time.monotonic()
        while not condition():
            if time.monotonic() - start > seconds:
                raise TimeoutError(f"no {what} after {seconds} s")
            time.sleep(0.1)
        return time.monotonic() - start

    def answers(self) -> bool:
        """Return whether the controller does."""
        return "UP" in self.run("scontrol", "ping", check=False)

    def reset(self) -> None:
        """Have no jobs, and all nodes idle."""
        for name in ("slurmctld", *NODES):
            if name not in self.daemons:
                self.start(name)
        self.wait_for(self.answers, 20, "controller")
        self.run("scancel", "-u", "root")
        for node in NODES:
            self.run(
                "scontrol", "update", f"NodeName={node}", "State=RESUME", check=False
            )
        self.wait_for(lambda: self.idle() == len(NODES), 40, "idle nodes")

    def stop(self) -> None:
        if "slurmctld" in self.daemons:
            with suppress(RuntimeError, TimeoutError, subprocess.TimeoutExpired):
                self.run("scancel", "-u", "root")
                self.wait_for(lambda: not self.jobs(), 10, "end of jobs")
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        for daemon in self.daemons.values():
            daemon.terminate()
        for daemon in self.daemons.values():
            try:
                daemon.wait(5)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _name(process: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text().strip()
    return ""


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


if __name__ == "__main__":
    with Cluster() as cluster:
        print(f"export SLURM_CONF={cluster.environment['SLURM_CONF']}", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()
