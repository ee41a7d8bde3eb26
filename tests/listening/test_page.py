"""``espnet-merge listen`` used by a person: a file is dropped, a voice is recorded."""

import json
import threading
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import soundfile

from espnet_merge.__main__ import main
from espnet_merge.bin.listen import Command
from espnet_merge.data.table import read_table
from espnet_merge.errors import InputError
from espnet_merge.listening.listener import differences
from tests.recipes.data import RECORDINGS
from tests.report.browser import chromium

SPOKEN = RECORDINGS / "es-hello-world.flac"


@pytest.fixture(scope="module")
def server(finished_recipe):
    exp = finished_recipe / "exp"
    experts = [exp / name / "model" for name in ("full_es", "full_it")]
    with Command(base=exp / "base", systems=experts, port=0)() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def texts(finished_recipe, tmp_path_factory):
    """What ``espnet-merge decode`` makes of the same recording: system -> text."""
    work = tmp_path_factory.mktemp("texts")
    (work / "wav.scp").write_text(f"one {SPOKEN}\n")
    exp = finished_recipe / "exp"
    found = {}
    for name in ("base", "full_es/model", "full_it/model"):
        output = work / name
        words = ["--model", exp / name, "--data", work, "--output", output]
        more = ["--language", "auto", "--task", "transcribe"]
        main(list(map(str, ["decode", *words, *more])))
        found[name.removesuffix("/model")] = read_table(output / "text")["one"]
    return found


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    samples, rate = soundfile.read(SPOKEN)
    voice = tmp_path_factory.mktemp("voice") / "voice.wav"
    soundfile.write(voice, samples, rate, subtype="PCM_16")
    with chromium(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={voice}",
    ) as browser:
        yield browser


@pytest.fixture
def page(browser, server):
    """The page, opened; it may print no error, and load nothing from elsewhere."""
    page = browser.new_page(permissions=["microphone"])
    page.set_default_timeout(60_000)
    messages, loaded = [], []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: loaded.append(request.url))
    page.goto(server.address)
    yield page
    page.close()
    assert messages == []
    inside = ("blob:", "data:", f"{server.address}/")
    assert [url for url in loaded if not url.startswith(inside)] == []


def rows(page) -> dict[str, str]:
    """System -> its text, when all have listened."""
    page.get_by_text("All have listened.").wait_for()
    found = {}
    for row in page.locator("#heard tbody tr").all():
        found[row.locator("th").inner_text()] = row.locator("td.said")
    return found


def test_a_dropped_file_is_heard_by_all_as_decode_hears_it(page, texts):
    page.locator("#file").set_input_files(SPOKEN)
    found = rows(page)
    assert list(found) == ["base", "full_es", "full_it"]
    assert found["base"].inner_text() == (texts["base"] or "nothing")
    assert found["base"].locator("ins, del").count() == 0  # it is compared with itself
    for name, cell in found.items():
        edits, _ = differences(texts["base"], texts[name], "en")
        errors = [part for part in edits if isinstance(part, tuple)]
        swaps = sum(None not in pair for pair in errors)
        assert cell.locator("ins, del").count() == len(errors) + swaps
    assert page.locator("#against").inner_text() == "base"
    seconds = page.locator("#heard tbody tr td:last-child").all_inner_texts()
    assert all(float(text) > 0 for text in seconds)
    assert page.locator("audio").is_visible()


def test_what_was_said_can_be_given(page, texts):
    page.locator("#reference").fill("hola mundo")
    page.locator("#file").set_input_files(SPOKEN)
    found = rows(page)
    assert page.locator("#against").inner_text() == "what was said"
    marks = found["base"].locator("del .word").all_inner_texts()
    assert marks == ["hola", "mundo"]


def test_a_language_can_be_given(page):
    page.locator("#file").set_input_files(SPOKEN)
    rows(page)
    page.get_by_label("Language").select_option("es")
    page.get_by_text("listens …").wait_for()
    rows(page)
    heard = page.locator("#heard tbody tr td:nth-child(3)").all_inner_texts()
    assert heard == ["es", "es", "es"]


def test_a_voice_is_recorded(page):
    page.get_by_role("button", name="Record").click()
    page.get_by_role("button", name="Stop").wait_for()
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Stop").click()
    assert len(rows(page)) == 3


def test_a_file_that_is_no_audio_is_refused_in_a_line(page, tmp_path):
    text = tmp_path / "text.wav"
    text.write_text("no audio")
    page.locator("#file").set_input_files(text)
    page.get_by_text("a recording must be audio of a known format").wait_for()


def test_pages_of_elsewhere_get_no_answer(server):
    for headers in (
        {"Origin": "http://elsewhere.example"},
        {"Host": "elsewhere.example"},
    ):
        request = Request(f"{server.address}/hear", SPOKEN.read_bytes(), headers)
        with pytest.raises(HTTPError) as refused:
            urlopen(request)
        assert refused.value.code == 400
        refused.value.close()


def test_a_language_that_is_none_is_refused_in_a_line(server):
    request = Request(f"{server.address}/hear?language=klingon", SPOKEN.read_bytes())
    with urlopen(request) as response:
        [answer] = [json.loads(line) for line in response]
    assert "language must be one of Whisper's" in answer["error"]


def test_a_port_that_is_taken(server, finished_recipe):
    with pytest.raises(InputError, match="--port must be free"):
        Command(base=finished_recipe / "exp/base", port=server.server_port)()


def test_a_route_decodes_by_the_language_it_hears(micro_whisper, tmp_path):
    from espnet_merge.listening.listener import listen, recorded
    from tests.formats import write_adapter

    adapter = write_adapter(tmp_path / "adapter", micro_whisper)
    command = Command(base=micro_whisper, adapters={"es": adapter})
    recording = recorded(SPOKEN.read_bytes(), tmp_path, "es", "transcribe")
    _, (routed, _, _) = listen(command.heard(), recording, "")
    assert (routed.name, routed.adapter, routed.language) == ("routed", "es", "es")
