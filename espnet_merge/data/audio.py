"""Convert any recording to Whisper's format: 16 kHz, one channel, 16 bits.

The samples are checked on the way. libsndfile reads the files whose length it knows,
FFmpeg all others.
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

BLOCK = 1 << 20  # samples, over all channels, that are in memory at a time
# In Hz. Lower rates carry no intelligible speech, higher ones nothing audible: a rate
# outside of these is an error in the header.
RATES = (4_000, 384_000)
# Times full scale. Louder float samples are on another scale, such as -32768 to 32767.
LOUDEST = 4.0
HEADERLESS = (".raw", ".pcm")
# Formats that soundfile reads fast and exactly, by libsndfile's names.
PLAIN = ("WAV", "WAVEX", "FLAC")
UNKNOWN = 1 << 62  # libsndfile's number of samples if the header gives none
# What libsndfile logs of a file that is shorter than its header says, by format.
_CUT = re.compile(
    r"^ *(?:data|SSND|Data Size|Riff size|riff) *: (\d+) \(should be (\d+)\)", re.M
)
_CUT_OGG = "Junk after the last page"
# In bytes. Headers may count themselves (slack); sizes from STREAM on mean a stream of
# unknown length.
SLACK, STREAM = 1024, 0x7FFF_0000
UNRECOGNISED, UNSUPPORTED = 1, 4  # libsndfile's errors
# A ValueError is raised if rate or channels change within the file.
_FFMPEG_ERRORS = (av.error.FFmpegError, IndexError, ValueError)

type Samples = NDArray[np.float32]


class AudioError(ValueError):
    """A recording is unusable; the message says why in a few words."""


class Header(NamedTuple):
    """What the header of an audio file says.

    frames: samples per channel; None if the file must be decoded to know.
    rate: in Hz; 0 if only FFmpeg can tell.
    channels: number of channels; 0 if only FFmpeg can tell.
    kind: format and encoding, by libsndfile's names.
    """

    frames: int | None
    rate: int = 0
    channels: int = 0
    kind: tuple[str, str] = ("", "")

    @property
    def is_plain(self) -> bool:
        """Whether it is 16 kHz, one channel, in a format that every tool reads."""
        converted = (self.rate, self.channels) == (SAMPLE_RATE, 1)
        return converted and self.frames is not None and self.kind[0] in PLAIN


def read_header(path: Path) -> Header:
    """Return what the header of an audio file says.

    Raises:
        AudioError: it is no audio, has no header, or is shorter than its header says.
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
    # A recorder that was killed, or wrote into a pipe, leaves a length of zero.
    known = 0 < info.frames < UNKNOWN
    return Header(
        info.frames if known else None,
        info.samplerate,
        info.channels,
        (info.format, info.subtype),
    )


def whisper_length(path: Path) -> int:
    """Return the number of samples, by its header, of a file in Whisper's format.

    Raises:
        AudioError: the file is not 16 kHz mono, or is unusable.
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
    """Yield the samples of a file at 16 kHz, channels mixed down.

    Args:
        path: a file of any format that libsndfile or FFmpeg knows.
        speed: 1.1 is ten percent faster and, as with a tape, higher in pitch.

    Yields:
        Samples in [-1, 1] at 16 kHz; float files may exceed that range a little.

    Raises:
        AudioError: the recording is unusable. Some blocks may have been yielded before.
    """
    header = read_header(path)
    # libsndfile loses its position in MP3 files that are read in blocks.
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
    """Return why samples are unusable, or None if they are fine.

    >>> flaw(np.array([0.5, -1.2])), flaw(np.array([0, np.nan])), flaw(np.array([99.0]))
    (None, 'NaN or infinite samples', 'samples out of range')
    """
    loudest = np.abs(samples).max(initial=0.0)
    if not np.isfinite(loudest):
        return "NaN or infinite samples"
    return "samples out of range" if loudest > LOUDEST else None


def write_flac(path: Path, blocks: Iterable[Samples]) -> int:
    """Write samples, completely or not at all, and return their number.

    Raises:
        AudioError: there are none, or their source is unusable.
    """
    count = 0
    with whole_file(path) as part:
        with soundfile.SoundFile(part, "w", SAMPLE_RATE, 1, "PCM_16") as file:
            for block in blocks:
                # Rounded here: libsndfile would not reproduce the 16 bits that it read.
                whole = np.rint(block * 32768).clip(-32768, 32767)
                file.write(whole.astype(np.int16))
                count += len(block)
        if count == 0:
            raise AudioError("empty audio")
    return count


def decode(
    content: bytes, where: str, container: str | None = None
) -> NDArray[np.int16]:
    """Decode an audio file with FFmpeg and return its samples.

    Args:
        content: the file.
        where: its name, for messages.
        container: FFmpeg's name of the format; only needed for files without a header.

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


def _is_cut(log: str) -> bool:
    sizes = [(int(promised), int(found)) for promised, found in _CUT.findall(log)]
    return _CUT_OGG in log or any(
        found + SLACK < promised < STREAM for promised, found in sizes
    )


def _promised_by_sphere(path: Path, kind: str) -> int:
    """Return the number of samples in a NIST header, or 0 for other formats."""
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
        # FFmpeg does not get the name: by it, headerless samples would pass for audio.
        for block in _decoded(path.read_bytes(), None):
            count += len(block)
            yield np.float32(1 / 32768) * block
    except _FFMPEG_ERRORS as error:
        raise AudioError("unreadable audio") from error
    if count == 0:
        raise AudioError("empty audio")
    # An MP3 may not state its length; libsndfile then guesses up to two frames more.
    if header.frames and count / SAMPLE_RATE < header.frames / header.rate - 0.1:
        raise AudioError("cut short")


def _decoded(content: bytes, container: str | None) -> Iterator[NDArray[np.int16]]:
    resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE)
    frames = av.AudioFifo()
    with av.open(io.BytesIO(content), format=container) as file:
        for frame in file.decode(audio=0):
            # Samples are joined as they come, whatever the time stamps in the file.
            frame.pts = None
            frames.write(frame)
            # Resample many frames at once: one call each takes longer than decoding.
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
