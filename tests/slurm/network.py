"""A network of a node's own, that can be cut: a namespace, and a cable to it."""

import os
import subprocess


class Network:
    """The namespace and the cable; used as a context.

    Attributes:
        here: address of this machine, seen from there.
        there: address of the node.
        enter: command that runs another in the namespace.
    """

    def __init__(self) -> None:
        number = os.getpid() % 250 + 1
        self.name = f"em{os.getpid()}"
        self.here, self.there = f"10.213.{number}.1", f"10.213.{number}.2"
        self.enter = ["nsenter", f"--net=/run/netns/{self.name}"]

    def __enter__(self) -> "Network":
        _ip("netns", "add", self.name)
        _ip(
            "link", "add", self.name, "type", "veth", "peer", "eth0", "netns", self.name
        )
        _ip("addr", "add", f"{self.here}/24", "dev", self.name)
        self.switch("up")
        _ip("-n", self.name, "addr", "add", f"{self.there}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", self.name, "link", "set", device, "up")
        return self

    def __exit__(self, *error: object) -> None:
        _ip("netns", "delete", self.name)  # and the cable with it

    def switch(self, state: str) -> None:
        """Set the cable ``up`` or ``down``."""
        _ip("link", "set", self.name, state)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
