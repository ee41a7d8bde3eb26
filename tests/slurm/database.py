"""The accounts of a SLURM: MariaDB and slurmdbd, so that sacct answers."""

import shutil
import subprocess

SLURMDBD = """
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={ports[0]}
SlurmUser=root
LogFile={place}/slurmdbd.log
PidFile={place}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports[1]}
StorageUser=slurm
StoragePass=tests
StorageLoc=accounts
"""
SETTINGS = (
    "--innodb-buffer-pool-size=32M",
    "--innodb-lock-wait-timeout=900",
    "--innodb-flush-log-at-trx-commit=0",
)
START = (
    "create database accounts; create user slurm@'127.0.0.1' identified by 'tests';"
    " grant all on accounts.* to slurm@'127.0.0.1';"
)


class Database:
    """Daemons that a cluster starts among its own.

    Attributes:
        lines: of slurm.conf.
    """

    def __init__(self, cluster, ports: list[int]) -> None:
        self.cluster, self.ports, self.place = cluster, ports, cluster.place
        self.lines = (
            "AccountingStorageType=accounting_storage/slurmdbd\n"
            "AccountingStorageHost=127.0.0.1\n"
            f"AccountingStoragePort={ports[0]}\n"
            f"AccountingStoragePass={cluster.place}/munge.socket"
        )

    def start(self) -> None:
        """Start both, and name the cluster to them."""
        data = self.place / "database"
        data.mkdir()
        shutil.chown(data, "mysql", "mysql")
        own = ["--no-defaults", "--user=mysql", f"--datadir={data}"]
        subprocess.run(
            [
                *("mariadb-install-db", *own, "--skip-test-db"),
                "--auth-root-authentication-method=normal",
            ],
            check=True,
            capture_output=True,
        )
        where = [f"--socket={data}/socket", f"--port={self.ports[1]}"]
        more = ["--bind-address=127.0.0.1", f"--pid-file={data}/pid", *SETTINGS]
        self.cluster.launch("mariadbd", ["mariadbd", *own, *where, *more])
        socket = data / "socket"
        self.cluster.wait_for(socket.exists, 60, "database")
        client = ["mariadb", "--no-defaults", "-uroot", f"--socket={socket}"]
        subprocess.run([*client, "-e", START], check=True)
        self.cluster.write(
            "slurmdbd.conf", SLURMDBD.format(place=self.place, ports=self.ports)
        )
        (self.place / "slurmdbd.conf").chmod(0o600)
        self.cluster.launch("slurmdbd", ["slurmdbd", "-D"])
        self.cluster.wait_for(self._answers, 60, "slurmdbd")
        self.cluster.run("sacctmgr", "-i", "add", "cluster", "tests")

    def _answers(self) -> bool:
        words = ("sacctmgr", "-n", "list", "cluster")
        return (
            subprocess.run(
                words, env=self.cluster.variables, capture_output=True, timeout=20
            ).returncode
            == 0
        )
