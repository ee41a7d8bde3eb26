import re

from docs.site.training import PAGE, page

TEXT = page()


def test_committed_page_is_current():
    assert PAGE.read_text("utf-8") == TEXT, "run 'make docs'"


def test_options_of_ours_and_of_espnet_are_there():
    ours, espnets = TEXT.split("## ESPnet's own")
    rows = re.findall(r"^\| `--(\w+)` \|", ours, re.MULTILINE)
    assert {"whisper", "pad_to", "lora_conf", "objectives_conf"} <= set(rows)
    assert "| `--pad_to` | `30.0` | Pad audio to these seconds" in ours
    names = re.findall(r"`--(\w+)`", espnets.partition("| options")[2])
    assert {"max_epoch", "accum_grad", "ngpu", "optim"} <= set(names)
    assert len(set(names)) == len(names) > 100
