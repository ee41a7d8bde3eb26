"""``report.html`` in a browser: read, sorted, filtered and played as by a person."""

import json
import shutil

import pytest

from espnet_merge.__main__ import main
from espnet_merge.files import CONFLICT_PNG
from espnet_merge.objectives.history import draw_history
from tests.report.browser import chromium
from tests.report.fake import OPTIONS, RATES, write_exp
from tests.report.spoken import HYPOTHESES, NASTY, write_report, write_spoken


@pytest.fixture(scope="module")
def exp(tmp_path_factory):
    exp = write_spoken(tmp_path_factory.mktemp("spoken"))
    (exp / "inspect").mkdir()
    (exp / "inspect/inspect.html").write_text(
        "<script>document.title = 'ran'</script><h1>Experts of exp/base</h1>"
    )
    draw_history([(0, "encoder.conv1", -0.5)], exp / "ta_1" / CONFLICT_PNG)
    for system in HYPOTHESES:
        greedy = exp / system / "inference_greedy"
        shutil.copytree(greedy, greedy.with_name("inference_again"))
    (exp / "ta_1/inference_again/zh_test/score.json").unlink()
    write_report(exp, exp, "--inference", "greedy", "again")
    return exp


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser, exp):
    """Open the page; it may print no error, and load nothing from elsewhere."""
    messages, loaded, opened, pages = [], [], [], []

    def start(folder=exp, **options):
        page = browser.new_page(**options)
        page.set_default_timeout(10_000)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: loaded.append(request.url))
        opened.append((folder / "report.html").as_uri())
        page.goto(opened[-1])
        pages.append(page)
        return page

    yield start
    for page in pages:
        page.close()
    # Chromium reports that the frame may run no script.
    assert [text for text in messages if "sandboxed" not in text] == []
    elsewhere = [url for url in loaded if not url.startswith(("data:", "about:"))]
    assert elsewhere == opened


@pytest.fixture
def page(open_page):
    return open_page()


NO_NAMES = ("mean", "▲", "▼", "")


def column(page, name, table="#rates"):
    """Return system -> text of the number in a column, from top to bottom."""
    heads = page.locator(f"{table} thead th")
    lines = [text.split("\n") for text in heads.all_inner_texts()]
    names = [next(line for line in head if line not in NO_NAMES) for head in lines]
    place = names.index(name)
    rows = page.locator(f"{table} tbody tr").all()
    cells = [row.locator("th, td").all_inner_texts() for row in rows]
    return {row[0].strip(): row[place].split("\n")[0].strip() for row in cells}


# Of all elements: the colours of ink and paper, as a screen mixes them.
COLOURS = """selector => {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const mix = colours => {
    for (const colour of colours) {
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
    }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  return [...document.querySelectorAll(selector)].map(element => {
    const papers = [];
    for (let e = element; e; e = e.parentElement)
      papers.unshift(getComputedStyle(e).backgroundColor);
    return [mix([...papers, getComputedStyle(element).color]), mix(papers)];
  });
}"""


def luminance(colour):
    """Return WCAG 2's relative luminance of red, green and blue from 0 to 255."""
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (value / 255 for value in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def printed(exp, name, place):
    results = json.loads((exp / "results.json").read_text("utf-8"))["greedy"]
    return {system: f"{row[place]:.1f}" for system, row in results[name].items()}


def heading(page, name):
    return page.locator(f'#rates button[data-column="{name}"]')


def order(page, name="in-domain"):
    return [float(text) for text in column(page, name).values()]


def choose(page, uid_text):
    page.locator("#utterances ol button", has_text=uid_text).click()


def hypothesis_of(page, system):
    """Return the hypothesis of a system on the page."""
    return page.locator("article dl > div").filter(has_text=system).locator("dd")


def test_numbers_are_those_of_results_json(page, exp):
    assert column(page, "in-domain") == printed(exp, "rates", "in-domain")
    assert column(page, "ar (WER)") == printed(exp, "rates", "ar (WER)")
    caption = page.locator("#rates .caption").inner_text()
    assert caption == (
        "error rate (%), normalizer basic; greedy: true length, greedy, language given."
    )


def test_switches_change_metric_and_text(page, exp):
    page.locator("#controls label", has_text="raw").click()
    assert column(page, "in-domain") == printed(exp, "raw", "in-domain")
    assert "raw text" in page.locator("#rates .caption").inner_text()
    page.locator("#controls label", has_text="CER").click()
    page.locator("#controls label", has_text="normalised").click()
    assert column(page, "in-domain") == printed(exp, "cer", "in-domain")


def test_sorted_by_a_click_and_by_the_keyboard(page):
    assert list(column(page, "in-domain"))[:2] == ["zero_shot", "full_es"]
    heading(page, "in-domain").click()
    assert order(page) == sorted(order(page))
    head = page.locator("#rates th[aria-sort]")
    assert head.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert order(page) == sorted(order(page), reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    heading(page, "system").focus()
    page.keyboard.press("Space")
    names = list(column(page, "in-domain"))
    assert names == sorted(names)
    # The heat-map follows, without the base.
    assert list(column(page, "es (WER)", "#retention")) == names[:-1]


def test_another_mode_and_what_is_missing_in_it(page):
    page.locator("#controls label", has_text="again").click()
    caption = page.locator("#rates .caption").inner_text()
    assert "; again: true length" in caption
    assert caption.endswith("Without a score, shown as –: ta_1/zh_test.")
    for _ in ("ascending", "descending"):
        heading(page, "other").click()
        assert list(column(page, "other").items())[-1] == ("ta_1", "–")
    assert column(page, "zh (CER)", "#retention")["ta_1"] == "–"


def test_best_is_bold_and_changes_are_told(page, exp):
    results = json.loads((exp / "results.json").read_text("utf-8"))["greedy"]
    best = page.locator("#rates tbody tr", has=page.locator("td.best"))
    low = min(row["in-domain"] for row in results["rates"].values())
    row = best.filter(has_text=f"{low:.1f}").first
    weight = row.locator("td.best .rate").first.evaluate("e => getComputedStyle(e)")
    assert int(weight["fontWeight"]) >= 700
    changes = column(page, "in-domain", "#retention")
    for system, shown in changes.items():
        difference = results["differences"][system]["in-domain"]
        assert shown == f"{difference:+.1f}".replace("-", "−")
        assert difference < 0


def test_differences_are_shown_as_tested(open_page, tmp_path):
    write_exp(tmp_path, RATES, "padded")
    (tmp_path / "soup/inference_padded/en_test/score.json").unlink()
    main(["report", "--expdir", str(tmp_path), *OPTIONS, "padded"])
    page = open_page(tmp_path)
    tests = json.loads((tmp_path / "results.json").read_text("utf-8"))["padded"][
        "tests"
    ]
    row = page.locator("#retention tbody tr", has_text="full_es")
    points, interval, p = row.locator("td").nth(1).inner_text().split("\n")
    # it: 250 errors against 200, one more in each of 40 utterances.
    test = tests["full_es"]["it"]
    assert (points, p) == ("+5.0†", f"p {test['p']:.3f}")
    assert interval == f"[+{test['low']:.1f}, +{test['high']:.1f}]"
    assert column(page, "gate", "#retention") == {
        "full_es": "fallen: it, en",
        "full_it": "fallen: es, en",
        "joint": "passed",
        "soup": "–",
        "tsv_m": "passed",
    }
    # 5 errors more, in 5 of 40 utterances: p is 2 / 2**5.
    assert column(page, "en", "#retention")["joint"] == "+0.5"
    legend = page.locator("#retention .legend").inner_text()
    assert "Tested is the WER of normalised text." in legend
    page.locator("#controls label", has_text="raw").click()
    assert row.locator("td").nth(1).inner_text() == "+5.0"


def test_edits_are_marked_by_sign_and_by_element(page):
    choose(page, "uno dos tres")
    assert page.locator("article h3").inner_text() == "es-2"
    assert page.locator("article .reference").inner_text() == "uno dos tres"
    assert hypothesis_of(page, "full_es").inner_text() == "uno −dos tres"
    assert hypothesis_of(page, "full_es").locator("del").inner_text() == "−dos"
    assert (
        hypothesis_of(page, "zero_shot").locator("ins").all_inner_texts()
        == ["+tres"] * 2
    )
    assert hypothesis_of(page, "ta_03").locator(".swap").inner_text() == "uno≠una"
    details = page.locator("article dl > div", has_text="ta_03").locator("small")
    assert details.inner_text() == "2: 1 ≠, 1 −, 0 +"


def test_equal_hypotheses_are_one_group_and_the_best_comes_first(page):
    page.get_by_role("combobox", name="Set", exact=True).select_option("zh_test")
    first, second = page.locator("article dt").all_inner_texts()
    assert first.split() == ["full_es", "ta_1", "ta_03", "ta_05", "no", "error"]
    assert second.split()[:2] == ["zero_shot", "2:"]


def test_the_worst_stand_first_for_all_or_for_one_system(page):
    reference = page.locator("#utterances ol button .transcript")
    assert reference.first.inner_text() == "uno dos tres"
    counts = page.locator("#utterances ol .count").all_inner_texts()
    assert [int(text) for text in counts] == sorted(map(int, counts), reverse=True)
    page.get_by_label("Worst for").select_option("ta_05")
    counts = page.locator("#utterances ol .count").all_inner_texts()
    assert [int(text) for text in counts] == sorted(map(int, counts), reverse=True)
    assert counts[0] != counts[-1]


def test_filter_by_reference_or_hypothesis(page):
    filtered = page.locator("#utterances ol button .transcript")
    search = page.get_by_label("Filter")
    search.fill("MUNDOS")
    assert filtered.all_inner_texts() == ["Hola, mundo."]
    search.fill("es-2")
    assert filtered.all_inner_texts() == ["uno dos tres"]
    search.fill("nowhere")
    assert filtered.count() == 0
    assert page.locator("article").inner_text() == ""
    assert "0 shown of the 4" in page.locator("#utterances .note").inner_text()
    search.fill("")
    assert filtered.count() == 4


def test_arrows_walk_through_the_list(page):
    buttons = page.locator("#utterances ol button")
    second = buttons.nth(1).inner_text()
    buttons.first.focus()
    page.keyboard.press("ArrowDown")
    current = page.locator("#utterances [aria-current]")
    assert current.inner_text() == second
    assert current.evaluate("element => element === document.activeElement")


def test_an_utterance_is_played(page):
    choose(page, "uno dos tres")
    audio = page.locator("article audio")
    ready = "e => new Promise(done => e.readyState ? done() : e.onloadeddata = done)"
    audio.evaluate(ready)
    assert audio.evaluate("e => e.duration") == pytest.approx(0.5, abs=0.01)
    audio.evaluate("e => new Promise(done => { e.onended = done; e.play(); })")
    assert audio.evaluate("e => e.currentTime") == pytest.approx(0.5, abs=0.01)


def test_an_utterance_without_audio_is_marked(page):
    choose(page, "sin audio")
    assert page.locator("article audio").count() == 0
    assert "No audio on this page" in page.locator("article .note").inner_text()
    assert "3 of them can be heard" in page.locator("#utterances > .note").inner_text()


def test_text_of_users_is_text(page):
    choose(page, "onerror")
    page.locator("#controls label", has_text="raw").click()
    assert page.locator("article .reference").inner_text() == NASTY
    assert page.locator("#utterances img").count() == 0


def test_scripts_from_right_to_left_and_without_spaces(page):
    page.get_by_role("combobox", name="Set", exact=True).select_option("ar_test")
    reference = page.locator("article .reference")
    assert reference.evaluate("e => getComputedStyle(e).direction") == "rtl"
    assert hypothesis_of(page, "zero_shot").inner_text() == "−السلام عليكم"
    page.get_by_role("combobox", name="Set", exact=True).select_option("zh_test")
    assert hypothesis_of(page, "zero_shot").inner_text() == "你好≠坏世−界"


def test_merges_are_drawn_along_their_scale(page):
    assert page.locator("#curves figcaption").inner_text() == (
        "task_arithmetic: error rate against scale"
    )
    lines = page.locator("#curves polyline").all()
    for line in lines:
        points = [pair.split(",") for pair in line.get_attribute("points").split()]
        across = [float(x) for x, _ in points]
        # 0.3, 0.5 and 1.0 stand where they belong.
        share = (across[1] - across[0]) / (across[2] - across[0])
        assert share == pytest.approx(0.2 / 0.7)
    assert len(lines) == 2


def test_an_inspection_is_shown_and_runs_nothing(page):
    frame = page.frame_locator("#inspect iframe")
    assert frame.locator("h1").inner_text() == "Experts of exp/base"
    assert page.title().startswith("Results of ")


def test_what_conflicted_in_training_is_shown(page):
    assert page.locator("#conflicts figcaption").all_inner_texts() == ["ta_1"]
    drawn = page.locator("#conflicts img")
    assert drawn.evaluate("image => image.complete && image.naturalWidth") > 500


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_the_window_and_can_be_read(open_page, scheme, width):
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    ink, paper = page.evaluate(COLOURS, "body")[0]
    assert (luminance(ink) < luminance(paper)) == (scheme == "light")
    for selector in (
        "body",
        ".caption",
        ".key",
        ".shade",
        "ins",
        "del",
        "#controls label",
    ):
        pairs = page.evaluate(COLOURS, selector)
        assert pairs
        # What WCAG 2 asks for (level AA).
        assert min(contrast(*pair) for pair in pairs) >= 4.5


def test_the_page_of_a_run_that_goes_on_reloads_itself(open_page, exp, tmp_path):
    assert open_page().locator("#running").is_hidden()
    write_report(exp, tmp_path, "--running", "--inference", "again")
    page = open_page(tmp_path)
    told = "Running: 1 scores are yet to come. This page reloads every minute."
    assert page.locator("#running").inner_text() == told
    assert page.title().startswith("… Results of")
    assert "The run goes on; without a score yet: 1." in (
        tmp_path / "RESULTS.md"
    ).read_text("utf-8")
