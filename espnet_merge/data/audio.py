"""Any recording as Whisper hears it: 16 kHz, one channel, 16 bits; checked on the way.

libsndfile reads what it knows the length of, FFmpeg the rest.
"""

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from espnet_merge.disk.atomic import whole_file
from espnet_merge.errors import InputError
from espnet_merge.speech import SAMPLE_RATE

BLOCK = 1 << 20  # samples of all channels that are in memory at a time
# Others are slips in a header: nobody can be understood below, nothing is heard above.
RATES = (4_000, 384_000)
# Times full scale. What is louder counts otherwise, as from -32768 to 32767.
LOUDEST = 4.0
HEADERLESS = (".raw", ".pcm")
# What soundfile reads fast and exactly, by its names.
PLAIN = ("WAV", "WAVEX", "FLAC")
UNKNOWN = 1 << 62  # libsndfile's number of samples where the header does not say
# libsndfile's words on a file that ends before its header says, by format.
_CUT = re.compile(
    r"^ *(?:data|SSND|Data Size|Riff size|riff) *: (\d+) \(should be (\d+)\)", re.M
)
_CUT_OGG = "Junk after the last page"
# Bytes, as headers may count themselves; sizes from here on mean a stream.
SLACK, STREAM = 1024, 0x7FFF_0000
UNRECOGNISED, UNSUPPORTED = 1, 4  # libsndfile's errors
# A ValueError: its rate or channels change on the way.
_FFMPEG_ERRORS = (av.error.FFmpegError, IndexError, ValueError)

type Samples = NDArray[np.float32]


class AudioError(ValueError):
    """Why a recording is of no use, in a few words."""


class Header(NamedTuple):
    """What a file says of itself.

    frames: samples of a channel; None where only decoding tells.
    rate: in Hz; 0 where only FFmpeg can tell.
    channels: 0 where only FFmpeg can tell.
    kind: format and encoding, by libsndfile's names.
    """

    frames: int | None
    rate: int = 0
    channels: int = 0
    kind: tuple[str, str] = ("", "")

    @property
    def is_plain(self) -> bool:
        """Whether it is what Whisper hears, in a format that all can read."""
        heard = (self.rate, self.channels) == (SAMPLE_RATE, 1)
        return heard and self.frames is not None and self.kind[0] in PLAIN


def read_header(path: Path) -> Header:
    """Return what a file says of itself.

    Raises:
        AudioError: it is no audio, has no header, or ends before its header says.
    """
    if not path.is_file():
        raise AudioError("no such file")
    if path.stat().st_size == 0:
        raise AudioError("empty audio")
    if path.suffix.lower() in HEADERLESS:
        raise AudioError("no header")
    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError as error:
        if error.code in (UNRECOGNISED, UNSUPPORTED):
            return Header(None)
        raise AudioError("unreadable audio") from error
    if _is_cut(info.extra_info) or info.frames < _promised_by_sphere(path, info.format):
        raise AudioError("cut short")
    _check_rate(info.samplerate)
    # A recorder that was stopped, or wrote into a pipe, leaves a length of zero.
    known = 0 < info.frames < UNKNOWN
    return Header(
        info.frames if known else None,
        info.samplerate,
        info.channels,
        (info.format, info.subtype),
    )


def heard_length(path: Path) -> int:
    """Return the samples of a file that is as Whisper hears it, by its header.

    Raises:
        AudioError: it is another, or of no use.
    """
    header = read_header(path)
    if header.rate == 0:
        raise AudioError("unreadable audio")
    if (header.rate, header.channels) != (SAMPLE_RATE, 1):
        raise AudioError("not 16 kHz mono")
    if header.frames is None:
        raise AudioError("length not known")
    return header.frames


def read_blocks(path: Path, speed: float = 1.0) -> Iterator[Samples]:
    """Yield the samples as Whisper hears them, channels mixed down.

    Args:
        path: a file of any format that libsndfile or FFmpeg knows.
        speed: 1.1 is ten percent faster and, as with a tape, higher.

    Yields:
        Samples in [-1, 1] at 16 kHz; of float files a bit more than that.

    Raises:
        AudioError: the recording is of no use. Some blocks may have come before.
    """
    header = read_header(path)
    # libsndfile loses its place in MP3 where it is read in blocks.
    if header.frames is None or header.kind[0] == "MP3":
        rate, blocks = SAMPLE_RATE, _by_ffmpeg(path, header)
    else:
        rate, blocks = header.rate, _by_libsndfile(path, header)
    if rate * speed == SAMPLE_RATE:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate * speed, SAMPLE_RATE, 1, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def flaw(samples: NDArray[Any]) -> str | None:
    """Return why samples are of no use, if they are.

    >>> flaw(np.array([0.5, -1.2])), flaw(np.array([0, np.nan])), flaw(np.array([99.0]))
    (None, 'NaN or infinite samples', 'samples out of range')
    """
    loudest = np.abs(samples).max(initial=0.0)
    if not np.isfinite(loudest):
        return "NaN or infinite samples"
    return "samples out of range" if loudest > LOUDEST else None


def write_flac(path: Path, blocks: Iterable[Samples]) -> int:
    """Write samples, whole or not at all, and return their number.

    Raises:
        AudioError: there are none, or their source is of no use.
    """
    count = 0
    with whole_file(path) as part:
        with soundfile.SoundFile(part, "w", SAMPLE_RATE, 1, "PCM_16") as file:
            for block in blocks:
                # By hand: libsndfile would not give back the 16 bits that it read.
                whole = np.rint(block * 32768).clip(-32768, 32767)
                file.write(whole.astype(np.int16))
                count += len(block)
        if count == 0:
            raise AudioError("empty audio")
    return count


def decode(
    content: bytes, where: str, container: str | None = None
) -> NDArray[np.int16]:
    """Return the samples of an audio file by FFmpeg.

    Args:
        content: the file.
        where: its name, for messages.
        container: FFmpeg's name of the format, for files without a header.

    Raises:
        InputError: it cannot be decoded.
    """
    try:
        pieces = list(_decoded(content, container))
    except _FFMPEG_ERRORS as error:
        raise InputError(f"{where}: must be audio; {error}.") from error
    if not pieces:
        raise InputError(f"{where}: must hold audio; it holds none.")
    return np.concatenate(pieces)


def _is_cut(said: str) -> bool:
    sizes = [(int(promised), int(found)) for promised, found in _CUT.findall(said)]
    return _CUT_OGG in said or any(
        found + SLACK < promised < STREAM for promised, found in sizes
    )


def _promised_by_sphere(path: Path, kind: str) -> int:
    """Return the number of samples by a header of NIST, of which libsndfile is mute."""
    if kind != "NIST":
        return 0
    with path.open("rb") as file:
        found = re.search(rb"sample_count -i (\d+)", file.read(SLACK))
    return int(found[1]) if found else 0


def _check_rate(rate: int) -> None:
    least, most = RATES
    if not least <= rate <= most:
        raise AudioError("odd sampling rate")


def _checked(samples: Samples) -> Samples:
    if why := flaw(samples):
        raise AudioError(why)
    return samples


def _by_libsndfile(path: Path, header: Header) -> Iterator[Samples]:
    length = max(1, BLOCK // header.channels)
    count = 0
    try:
        with soundfile.SoundFile(path) as file:
            while len(block := file.read(length, dtype="float32", always_2d=True)):
                count += len(block)
                yield _checked(block[:, 0] if block.shape[1] == 1 else block.mean(1))
    except soundfile.LibsndfileError as error:
        raise AudioError("broken audio") from error
    if header.frames is not None and count < header.frames:
        raise AudioError("cut short")


def _by_ffmpeg(path: Path, header: Header) -> Iterator[Samples]:
    count = 0
    try:
        # Without its name, by which FFmpeg would take headerless samples for audio.
        for block in _decoded(path.read_bytes(), None):
            count += len(block)
            yield np.float32(1 / 32768) * block
    except _FFMPEG_ERRORS as error:
        raise AudioError("unreadable audio") from error
    if count == 0:
        raise AudioError("empty audio")
    # MP3 may say nothing of its length: then it is a guess, too long by two frames.
    if header.frames and count / SAMPLE_RATE < header.frames / header.rate - 0.1:
        raise AudioError("cut short")


def _decoded(content: bytes, container: str | None) -> Iterator[NDArray[np.int16]]:
    resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE)
    frames = av.AudioFifo()
    with av.open(io.BytesIO(content), format=container) as file:
        for frame in file.decode(audio=0):
            # The next sample is the next, whatever the file says of times.
            frame.pts = None
            frames.write(frame)
            # Many at once: a call for each frame would take longer than decoding it.
            if frames.samples >= BLOCK:
                yield from _resampled(resampler, frames.read())
    last = frames.read()
    for rest in () if last is None else (last, None):
        yield from _resampled(resampler, rest)


def _resampled(
    resampler: av.AudioResampler, frame: av.AudioFrame | None
) -> Iterator[NDArray[np.int16]]:
    for part in resampler.resample(frame):
        yield part.to_ndarray()[0]
