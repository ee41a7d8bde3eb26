"""The Debian packages that hold the recordings and their texts."""

from pathlib import Path

from recording import Files

from espnet_merge.data import deb
from espnet_merge.data.deb import DebianPackage

PACKAGES = {
    package.name: package
    for package in (
        DebianPackage(
            "asterisk-core-sounds-en",
            "1.6.1-1",
            "asterisk-core-sounds",
            "973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50",
        ),
        DebianPackage(
            "asterisk-core-sounds-en-g722",
            "1.6.1-1",
            "asterisk-core-sounds",
            "38c5261820b406dcb0ecb37675720da2b0864850690690352ca52707eb623806",
        ),
        DebianPackage(
            "asterisk-core-sounds-es",
            "1.6.1-1",
            "asterisk-core-sounds",
            "9afdab7f559f036649fb406e625899306ca1004df8ebe39c30bfbd5912d66f74",
        ),
        DebianPackage(
            "asterisk-core-sounds-es-g722",
            "1.6.1-1",
            "asterisk-core-sounds",
            "e4e3b4281057d3b81b779298fd6be705f57411513955c518eed1bcaabbd615b8",
        ),
        DebianPackage(
            "asterisk-core-sounds-fr",
            "1.6.1-1",
            "asterisk-core-sounds",
            "04c82c78c570c43a7136cbc5e2488d0c470b775468dff9fbce4a131b18cf1056",
        ),
        DebianPackage(
            "asterisk-core-sounds-fr-g722",
            "1.6.1-1",
            "asterisk-core-sounds",
            "7add61d5e42279ecff1bbdf842a5a946ac3644fac9a0fe44384731aa7270c8e0",
        ),
        DebianPackage(
            "asterisk-core-sounds-it",
            "1.6.1-1",
            "asterisk-core-sounds",
            "3884d9457e12f21caa018c18f0d587df5d53ebea14b673d8453a134c5941ab3b",
        ),
        DebianPackage(
            "asterisk-core-sounds-it-g722",
            "1.6.1-1",
            "asterisk-core-sounds",
            "46b4cf7afc508a5fcfc051b7ea233251c0d195dd4ef83cc4b7facb4c6429b016",
        ),
        DebianPackage(
            "asterisk-core-sounds-ru",
            "1.6.1-1",
            "asterisk-core-sounds",
            "28a61616bb0cd3345a7ea532dec4df9f071e5d0fa9f8c1a563ea9669002f39ab",
        ),
        DebianPackage(
            "asterisk-core-sounds-ru-g722",
            "1.6.1-1",
            "asterisk-core-sounds",
            "673b4238a6b8269960f055d868c6a11083f7a0d00979167cb01554046b48ed9b",
        ),
        DebianPackage(
            "asterisk-prompt-it-menardi-wav",
            "1:1.4.22+mm20110907-3.1",
            "asterisk-prompt-it",
            "3094530d98f8758ac275572d59624c41f60969fef883f34f4886d144f3dfeb21",
        ),
        DebianPackage(
            "fillets-ng-data",
            "1.0.1-1.1",
            "fillets-ng-data",
            "25de89afd8b1adf7bcace8290248a6a22c89cd42300317e69000e162c032cf84",
        ),
        DebianPackage(
            "fillets-ng-data-cs",
            "1.0.1-1.1",
            "fillets-ng-data",
            "3ecef99b9456f1c80c9625c6f2418642b52d58e7167a46bad7a412db17991b14",
        ),
        DebianPackage(
            "fillets-ng-data-nl",
            "1.0.1-1.1",
            "fillets-ng-data",
            "afb4443fda9ab507dee578b75be857d121718a1cd6017a474f30e0eb13dc9d10",
        ),
        DebianPackage(
            "tuxpaint-stamps-default",
            "2022.06.04-1",
            "tuxpaint-stamps",
            "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
        ),
        DebianPackage(
            "drascula",
            "1.0+ds4-2",
            "drascula",
            "ed4af8e2d41ad446e2f3b73533daa1804e2f13f62f596c0b02b8dc39544f22b4",
        ),
        DebianPackage(
            "drascula-spanish",
            "1.0+ds4-2",
            "drascula",
            "87b5f12df3fcd7ca16097c802dff1ab55e40c9ebc21209fa3f031e1661b4b8e5",
        ),
        DebianPackage(
            "flight-of-the-amazon-queen",
            "1.0.0-9",
            "flight-of-the-amazon-queen",
            "40c08fd258d6fe95c46c1eaf5e9137f84ba330657995a281bd887c94a560a0f1",
        ),
    )
}


def packages(cache: Path) -> Files:
    """Return a function that yields the files of a package, given its name."""
    return lambda package: deb.members(deb.get(PACKAGES[package], cache))
