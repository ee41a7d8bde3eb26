import pytest

from espnet_merge.decode.routes import Routes, read_routes
from espnet_merge.decode.settings import Settings, pairs
from espnet_merge.errors import InputError

AUTO = {"language": "auto", "languages": ["es", "it", "ru"]}


@pytest.fixture
def dirs(tmp_path):
    """Directories that look like adapters."""
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").touch()
    return {name: str(tmp_path / name) for name in ("a", "b", "c")}


def routes(dirs, fallback=None, **settings) -> Routes:
    adapters = {"es": dirs["a"], "it": dirs["b"]}
    return read_routes(adapters, fallback, Settings(**settings))


def test_a_language_has_its_adapter(dirs):
    route = routes(dirs)
    assert [route(code, 1.0) for code in ("es", "it")] == ["es", "it"]
    assert [route.index(name) for name in ("none", "es", "it")] == [0, 1, 2]


@pytest.mark.parametrize(
    ("fallback", "expected"), [("none", "none"), ("it", "it"), ("c", "fallback")]
)
def test_the_fallback_is_for_other_languages_and_for_doubt(dirs, fallback, expected):
    route = routes(dirs, dirs.get(fallback, fallback), min_confidence=0.6, **AUTO)
    identified = [("es", 0.6), ("es", 0.59), ("ru", 0.9)]
    routed = [route(*language) for language in identified]
    assert routed == ["es", expected, expected]
    assert (route.index(expected) == 3) == (expected == "fallback")


def test_all_languages_need_an_adapter_or_a_fallback(dirs):
    routes(dirs).check("data", ["es", "it", "es"])
    routes(dirs, "none").check("data", ["ru"])
    with pytest.raises(InputError, match=r"data: .*; 1 \(ru\) have none"):
        routes(dirs).check("data", ["es", "ru"])
    with pytest.raises(InputError, match=r"--languages: .*; 1 \(ru\) have none"):
        routes(dirs, **AUTO)
    with pytest.raises(InputError, match="--languages: "):
        routes(dirs, language="auto")
    with pytest.raises(InputError, match="min_confidence needs --fallback"):
        routes(dirs, min_confidence=0.5, **AUTO)
    with pytest.raises(InputError, match="min_confidence needs language auto or"):
        routes(dirs, "none", min_confidence=0.5)
    with pytest.raises(InputError, match="from 0 to 1; got"):
        Settings(min_confidence=1.5, **AUTO)


@pytest.mark.parametrize(
    ("pair", "rule"),
    [
        ("es", "must be NAME=DIR"),
        ("es=", "must be NAME=DIR"),
        ("xx={a}", "one of Whisper's"),
        ("it={a}", "a name must have one directory; it has "),
        ("ru=none", "needs adapter_config.json"),
    ],
)
def test_a_pair_that_is_none(dirs, pair, rule):
    with pytest.raises(InputError, match=rule):
        read_routes(pairs([f"it={dirs['b']}", pair.format(**dirs)]), None, Settings())


def test_ctranslate2_knows_no_routes(dirs):
    with pytest.raises(InputError, match="need backend torch"):
        routes(dirs, backend="ctranslate2")
