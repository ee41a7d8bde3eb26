import pytest

from espnet_merge.report.files import write_report
from espnet_merge.report.pictures import draw_rates, draw_retention
from tests.report.fake import read


def texts(axes):
    return [text.get_text() for text in axes.texts]


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def systems(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_rates_show_every_number(exp):
    figure = draw_rates(read(exp))
    assert titles(figure) == ["es", "it", "mean\nin-domain", "en", "mean\nother"]
    assert systems(figure) == [
        "zero_shot", "full_es", "full_it", "joint", "soup", "tsv_m",
    ]  # fmt: skip
    assert texts(figure.axes[2])[-1] == "12.0"
    assert figure.axes[2].texts[-1].get_fontweight() == "bold"
    assert "padded to 30 s, greedy" in figure.get_suptitle()
    assert "normalizer basic" in figure.get_suptitle()
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["zero-shot", "expert", "joint", "merge"]


def test_long_bars_are_cut_and_say_so(exp):
    figure = draw_rates(read(exp))
    widest = max(bar.get_width() for bar in figure.axes[0].patches)
    # 2.5 medians of the 30 rates and means: 2.5 * 12.
    assert widest == pytest.approx(30)
    assert texts(figure.axes[0])[0] == "» 40"
    assert "» bar is cut" in figure.get_suptitle()
    assert texts(figure.axes[0])[1] == "10.0"


def test_retention_shows_differences_without_the_base(exp):
    (exp / "soup/inference_padded/it_test/score.json").unlink()
    figure = draw_retention(read(exp))
    assert systems(figure) == ["full_es", "full_it", "joint", "soup", "tsv_m"]
    assert texts(figure.axes[0]) == ["-30.0", "+5.0", "-28.0", "-15.0", "-24.0"]
    assert texts(figure.axes[1])[3] == "–"
    assert "against zero_shot" in figure.get_suptitle()


def test_a_report_of_the_base_alone_has_one_picture(exp, tmp_path):
    alone = read(exp, experts=[], joint=[], merges=[])
    report = write_report(alone.plan, exp, tmp_path, ["padded"], command="")
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["wer.png"]
    assert "retention.png" not in report.files[0].read_text()


@pytest.mark.parametrize("draw", [draw_rates, draw_retention])
def test_nothing_overlaps_or_leaves_the_page(exp, draw, tmp_path):
    figure = draw(read(exp))
    figure.savefig(tmp_path / "picture.png", dpi=100)
    page = figure.bbox
    boxes = [figure._suptitle.get_window_extent()]
    for axes in figure.axes:
        boxes += [text.get_window_extent() for text in axes.texts]
        boxes += [axes.title.get_window_extent()]
    boxes += [t.get_window_extent() for t in figure.axes[0].get_yticklabels()]
    for index, box in enumerate(boxes):
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])
