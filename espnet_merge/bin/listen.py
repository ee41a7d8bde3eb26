r"""Open a page on this machine: record or drop a file, and read what systems hear.

Base, experts, merges and a route are side by side, with the differences from the base,
or from what was said, marked, and the time that each takes. The page is at 127.0.0.1
and loads nothing from elsewhere. Models are loaded when they first listen, and stay in
memory.

For example:
  espnet-merge listen --base exp/base --systems exp/{full_es,lora_es,ties}/model
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from espnet_merge.decode.settings import pairs
from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath, Option, Options
from espnet_merge.whisper.source import model_option

if TYPE_CHECKING:
    from espnet_merge.listening.server import Server
    from espnet_merge.listening.systems import System


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Open a page that hears a recording with many systems."""

    base: Annotated[AnyPath, model_option("Whisper that the others are compared with")]
    systems: Annotated[
        Sequence[AnyPath],
        model_option("experts and merges; of adapters the base is used", nargs="*"),
    ] = ()
    adapters: Annotated[
        Mapping[str, AnyPath],
        model_option(
            "a route: the adapter of each language, or of each name of --router",
            metavar="NAME=DIR",
            nargs="+",
            read=pairs,
        ),
    ] = field(default_factory=dict)
    router: Annotated[
        AnyPath | None,
        Option(
            "router of 'espnet-merge router' between --adapters; the base decodes what "
            "it gives to none",
            metavar="DIR",
        ),
    ] = None
    device: Annotated[Literal["cpu", "cuda"], Option("device that decodes")] = "cpu"
    port: Annotated[
        int, Option("port of the page; 0: any free port", least=0, most=65_535)
    ] = 8060

    def __call__(self) -> "Server":
        """Return the server of the page, which is ready and not yet running.

        Raises:
            InputError: a model is none, or the port is taken.
        """
        from espnet_merge.listening.server import Server
        from espnet_merge.whisper.fetched import languages_of

        languages = sorted(languages_of(Path(self.base)))
        try:
            return Server(self.heard(), self.port, languages)
        except OSError as error:
            raise InputError(
                f"--port must be free; {self.port} is not ({error.strerror}): choose"
                " another, or 0 for any."
            ) from error

    def heard(self) -> "list[System]":
        """Return the systems, the base first."""
        from espnet_merge.listening.systems import routed, systems_of

        base, device = Path(self.base), self.device
        found = systems_of(base, [Path(path) for path in self.systems], device)
        router = Path(self.router) if self.router else None
        if self.adapters:
            found.append(routed(base, self.adapters, router, device))
        elif router:
            raise InputError("--router needs --adapters to choose from: add them.")
        return found


def main(command: Command) -> None:
    """Serve the page until the user ends it."""
    with command() as server:
        names = ", ".join(system.name for system in server.systems)
        print(f"{names} listen at {server.address} (Ctrl+C ends)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
