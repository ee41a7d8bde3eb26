"""FLEURS: sentences of an encyclopedia, read aloud in 102 languages.

Conneau et al., *FLEURS: Few-shot Learning Evaluation of Universal Representations of
Speech*, SLT 2022, https://arxiv.org/abs/2205.12446. The layout is that of the hub: each
split has a table without a header and an archive of WAV files.
"""

from collections.abc import Iterator
from pathlib import Path

from espnet_merge.data.archive import Archive, Corpus
from espnet_merge.data.kaldi import KaldiUtterance
from espnet_merge.errors import InputError
from espnet_merge.speech import LANGUAGES as WHISPER

COMMIT = "70bb2e84b976b7e960aa89f1c648e09c59f894dd"
ADDRESS = f"hf://datasets/google/fleurs@{COMMIT}/data"
SPLITS = {"train": "train", "valid": "dev", "test": "test"}
COLUMNS = (
    "id",
    "file_name",
    "raw_transcription",
    "transcription",
    "characters",
    "num_samples",
    "gender",
)
_FOLDERS = """
af_za am_et ar_eg as_in ast_es az_az be_by bg_bg bn_in bs_ba ca_es ceb_ph ckb_iq
cmn_hans_cn cs_cz cy_gb da_dk de_de el_gr en_us es_419 et_ee fa_ir ff_sn fi_fi
fil_ph fr_fr ga_ie gl_es gu_in ha_ng he_il hi_in hr_hr hu_hu hy_am id_id ig_ng is_is
it_it ja_jp jv_id ka_ge kam_ke kea_cv kk_kz km_kh kn_in ko_kr ky_kg lb_lu lg_ug
ln_cd lo_la lt_lt luo_ke lv_lv mi_nz mk_mk ml_in mn_mn mr_in ms_my mt_mt my_mm nb_no
ne_np nl_nl nso_za ny_mw oc_fr om_et or_in pa_in pl_pl ps_af pt_br ro_ro ru_ru sd_in
sk_sk sl_si sn_zw so_so sr_rs sv_se sw_ke ta_in te_in tg_tj th_th tr_tr uk_ua umb_ao
ur_pk uz_uz vi_vn wo_sn xh_za yo_ng yue_hant_hk zu_za
"""
# Languages whose folder does not begin with Whisper's code.
_RENAMED = {"cmn": "zh", "fil": "tl", "jv": "jw", "nb": "no"}


def _code(folder: str) -> str:
    language = folder.partition("_")[0]
    return _RENAMED.get(language, language)


# Whisper's code -> folder, of the languages that Whisper knows.
LANGUAGES = {_code(f): f for f in _FOLDERS.split() if _code(f) in WHISPER}


def read(
    corpus: Corpus, language: str, column: str
) -> dict[str, Iterator[KaldiUtterance]]:
    """Return the utterances of each split; ``column`` of the table is the text."""
    folder = LANGUAGES[language]
    splits = {}
    for split, theirs in SPLITS.items():
        file = f"{folder}/audio/{theirs}.tar.gz"
        table = corpus.file(f"{folder}/{theirs}.tsv", ADDRESS)
        audio = corpus.find(Archive(file, theirs, f"{ADDRESS}/{file}"))
        splits[split] = _utterances(table, audio, language, COLUMNS.index(column))
    return splits


def _utterances(
    table: Path, audio: Path, language: str, column: int
) -> Iterator[KaldiUtterance]:
    # Not read as CSV: quotes are part of the text, and only a line feed ends a line.
    with table.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            row = line.rstrip("\n").split("\t")
            if len(row) != len(COLUMNS):
                raise InputError(
                    f"{table}:{number}: must have {len(COLUMNS)} columns; it has "
                    f"{len(row)}: get the file again."
                )
            clip = row[1]
            # The speakers are not known.
            name = f"{language}-{Path(clip).stem}"
            yield KaldiUtterance(name, str(audio / clip), row[column], name, language)
