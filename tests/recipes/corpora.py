"""Corpora of a few short clips, in the layouts of the real ones."""

import functools
import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile


def clip(suffix: str, seconds: float = 0.3, rate: int = 16_000) -> bytes:
    """An audio file of noise."""
    noise = np.random.default_rng(0).normal(0, 0.1, int(seconds * rate))
    kind = {
        "flac": {"format": "FLAC"},
        "mp3": {"format": "MP3"},
        "opus": {"format": "OGG", "subtype": "OPUS"},
        "wav": {"format": "WAV"},
        "float": {"format": "WAV", "subtype": "FLOAT"},
    }
    file = io.BytesIO()
    soundfile.write(file, noise, rate, **kind[suffix])
    return file.getvalue()


def pack(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a .tar.gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed(files))
    return path


def packed(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")


def cut(archive: Path, share: float = 0.6) -> None:
    """Keep the beginning of a file, as a download that broke off does."""
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """Serve a directory; yield its address."""
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def lines(*rows: str) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def mls(folder: Path, audio: str = "opus") -> Path:
    """Polish: four utterances for training, of which three are in the ten hours."""
    top = "mls_polish_opus" if audio == "opus" else "mls_polish"
    texts = {
        "train": {
            "12_7_000001": "jeden dwa",
            "12_7_000002": "trzy",
            "120_8_000001": "cztery\u00a0 pięć",
            "9_3_000004": "nie w dziesięciu godzinach",
        },
        "dev": {"30_1_000000": "sześć"},
        "test": {"31_1_000000": "siedem", "31_1_000001": "osiem"},
    }
    limited = f"{top}/train/limited_supervision"
    files = {f"{top}/metainfo.txt": b"", f"{limited}/9hr/handles.txt": b"12_7_000001\n"}
    for fold in range(6):
        handle = {0: b"12_7_000002\n", 3: b"120_8_000001\n"}.get(fold, b"")
        files[f"{limited}/1hr/{fold}/handles.txt"] = handle
    for split, rows in texts.items():
        table = lines(*(f"{name}\t{text}" for name, text in rows.items()))
        files[f"{top}/{split}/transcripts.txt"] = table
        for name in rows:
            speaker, book, _ = name.split("_")
            path = f"{top}/{split}/audio/{speaker}/{book}/{name}.{audio}"
            files[path] = clip(audio)
    return pack(folder / f"{top}.tar.gz", files)


def fleurs(folder: Path, language: str = "da_dk") -> Path:
    """Three sentences for training, one of them without a text; one for the others."""
    rows = {
        "train": [
            ("10", "1001.wav", "Én, to.", "én to"),
            ("11", "1002.wav", 'Tre "fire"', 'tre\u2028"fire\r'),
            ("12", "1003.wav", "!", ""),
        ],
        "dev": [("20", "2001.wav", "Fem", "fem")],
        "test": [("30", "3001.wav", "Seks", "seks")],
    }
    for split, own in rows.items():
        clips = {f"{split}/{row[1]}": clip("float") for row in own}
        pack(folder / language / "audio" / f"{split}.tar.gz", clips)
        table = lines(*("\t".join((*row, "x | y", "4800", "FEMALE")) for row in own))
        (folder / language / f"{split}.tsv").write_bytes(table)
    return folder / language


def covost(folder: Path, language: str = "fr") -> Path:
    """Translations: two for training, one each for the others, one of no split."""
    table = lines(
        "path\ttranslation\tsplit",
        "cv_1.mp3\tOne.\ttrain",
        'cv_2.mp3\t"Two"\ttrain_covost',
        "cv_3.mp3\tThree\tdev",
        "cv_4.mp3\tFour\ttest",
        "cv_5.mp3\tFive\tdev_covost",
        "cv_6.mp3\t\ttrain",
        "cv_gone.mp3\tNever said\ttest",
    )
    name = f"covost_v2.{language}_en.tsv"
    return pack(folder / f"{name}.tar.gz", {name: table})


def common_voice(folder: Path, language: str = "fr") -> Path:
    texts = ["Un.", 'Deux "2"', "Trois", "Quatre", "Cinq", "Six", "Sept"]
    rows = [
        f"{hashlib.sha512(bytes([n])).hexdigest()}\tcv_{n}.mp3\t{text}\t2\t0\t\t\t"
        for n, text in enumerate(texts, start=1)
    ]
    header = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccent"
    files = {f"clips/cv_{n}.mp3": clip("mp3", rate=48_000) for n in range(1, 8)}
    files["validated.tsv"] = lines(header, *rows)
    return pack(folder / f"{language}.tar.gz", files)


def librispeech(folder: Path) -> Path:
    parts = {
        "train-clean-100": ("19/198", "103/1240"),
        "dev-clean": ("84/121123", "174/50561"),
        "test-clean": ("61/70968", "121/121726"),
        "train-other-500": ("25/123319", "31/121969"),
        "dev-other": ("116/288045", "700/122866"),
        "test-other": ("1688/142285", "3080/5032"),
    }
    for part, chapters in parts.items():
        files = {}
        for chapter in chapters:
            stem = chapter.replace("/", "-")
            texts = (f"{stem}-0000 CHAPTER ONE", f"{stem}-0001 IT'S TWO")
            top = f"LibriSpeech/{part}/{chapter}"
            files[f"{top}/{stem}.trans.txt"] = lines(*texts)
            for number in range(2):
                files[f"{top}/{stem}-{number:04}.flac"] = clip("flac")
        pack(folder / f"{part}.tar.gz", files)
    return folder


def aishell(folder: Path, lost: str = "") -> Path:
    """An archive of archives: one for each speaker. One clip has no transcript."""
    speakers = {"train": "S0002", "dev": "S0724", "test": "S0764"}
    table, inner = [], {}
    for split, speaker in speakers.items():
        clips = {}
        for number in (122, 123, 124):
            name = f"BAC009{speaker}W{number:04}"
            if number < 124:
                table.append(f"{name} 而 对 楼市 {split}")
            if name != lost:
                clips[f"{split}/{speaker}/{name}.wav"] = clip("wav")
        inner[f"data_aishell/wav/{speaker}.tar.gz"] = packed(clips)
    transcripts = "data_aishell/transcript/aishell_transcript_v0.8.txt"
    return pack(folder / "data_aishell.tgz", {transcripts: lines(*table), **inner})


def common_voice_release(folder: Path, code: str = "sv-SE") -> Path:
    """An archive of the releases of today; a training clip has no text."""
    header = (
        "client_id\tpath\tsentence_id\tsentence\tsentence_domain\tup_votes\tdown_votes"
        "\tage\tgender\taccents\tvariant\tlocale\tsegment"
    )
    texts = {
        "train": ["Ett.", 'Två "citat"', ""],
        "dev": ["Fyra"],
        "test": ["Fem", "Sex"],
    }
    top = f"cv-corpus-21.0-2025-03-14/{code}"
    files, number = {}, 0
    for split, own in texts.items():
        rows = []
        for text in own:
            number += 1
            name = f"common_voice_{code}_{number}.mp3"
            files[f"{top}/clips/{name}"] = clip("mp3", rate=32_000)
            client = hashlib.sha512(bytes([number])).hexdigest()
            rows.append(f"{client}\t{name}\t0\t{text}\t\t2\t0\t\t\t\t\t{code}\t")
        files[f"{top}/{split}.tsv"] = lines(header, *rows)
    return pack(folder / f"cv-corpus-21.0-2025-03-14-{code}.tar.gz", files)


def an4(folder: Path, train: int = 103) -> Path:
    """Two speakers for training, one for test; clips are NIST Sphere files."""
    speakers = {"train": ("fash", "mjwl"), "test": ("fcaw",)}
    places = {"train": "an4_clstk", "test": "an4test_clstk"}
    audio = sphere()
    files = {"an4/README": b"", "an4/LICENSE": b"", "an4/etc/an4.dic": b""}
    for split, own in speakers.items():
        rows = []
        for number in range(train if split == "train" else 2):
            speaker = own[number % len(own)]
            name = f"an{251 + number}-{speaker}-b"
            words = "GO FORWARD TEN" if number else "RUBOUT G M E F"
            marked = f"<s> {words} </s>" if split == "train" else words
            rows.append(f"{marked} ({name})")
            files[f"an4/wav/{places[split]}/{speaker}/{name}.sph"] = audio
        files[f"an4/etc/an4_{split}.transcription"] = lines(*rows)
        ids = (row.rpartition("(")[2].rstrip(")") for row in rows)
        files[f"an4/etc/an4_{split}.fileids"] = lines(*ids)
    return pack(folder / "an4_sphere.tar.gz", files)


def sphere() -> bytes:
    """NIST Sphere, 16 bits, with the header that AN4's clips have."""
    noise = np.random.default_rng(0).normal(0, 3000, 4800).astype("<i2")
    said = {
        "sample_count -i": len(noise),
        "sample_rate -i": 16_000,
        "sample_n_bytes -i": 2,
        "sample_byte_format -s2": "01",
        "channel_count -i": 1,
        "sample_coding -s3": "pcm",
    }
    head = "".join(f"{name} {value}\n" for name, value in said.items())
    text = f"NIST_1A\n   1024\n{head}end_head\n"
    return text.encode().ljust(1024) + noise.tobytes()
