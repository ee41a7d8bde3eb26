"""Checks that experts and base are checkpoints of one and the same model."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from espnet_merge.checkpoint.adapter import Adapter
from espnet_merge.checkpoint.adapter_config import BASE_NAME
from espnet_merge.checkpoint.hf import is_hf, open_hf
from espnet_merge.checkpoint.identity import weights_digest
from espnet_merge.checkpoint.opened import Checkpoint, chunks
from espnet_merge.checkpoint.origin import OPENAI, hub_name
from espnet_merge.checkpoint.vocabulary import read_vocabulary, vocabulary_files
from espnet_merge.errors import InputError

# Keys of config.json that change the meaning of weights without changing shapes, or
# that explain best why shapes differ.
ARCHITECTURE = (
    "model_type",
    "vocab_size",
    "d_model",
    "num_mel_bins",
    "encoder_layers",
    "decoder_layers",
    "encoder_attention_heads",
    "decoder_attention_heads",
    "activation_function",
    "scale_embedding",
    "max_source_positions",
    "max_target_positions",
)
# The same in ESPnet's config.yaml.
ESPNET = ("model", "frontend", "encoder", "decoder")
ESPNET_CONF = ("frontend_conf", "encoder_conf", "decoder_conf")
# Parts of the names of options that change the meaning of no weight: how a network is
# trained, how it computes the same, where it is, and how audio is cut.
OF_TRAINING = (
    *("dropout", "drop_rate", "stochastic_depth", "specaug", "freeze"),
    *("flash_attn", "sdpa", "gradient_checkpoint", "pad_trim"),
    *("download_dir", "dir_path", "load_origin", "load_pretrained"),
)


def check_same_model(base: Checkpoint, experts: Sequence[Checkpoint | Adapter]) -> None:
    """Raise ``InputError`` for the first difference between an expert and the base."""
    for expert in experts:
        if isinstance(expert, Adapter):
            if expert.base_sha256 is None:
                check_named_base(base.path, expert.path, expert.weights.config)
            _check_targets(base, expert)
            continue
        if expert.path.resolve() == base.path.resolve():
            raise InputError(
                f"{expert.path}: an expert is the base itself; its task vector is zero,"
                " leave it out."
            )
        _check_config(base, expert)
        _check_token_list(base, expert)
        _check_tensors(base, expert)
    models = [x.path for x in (base, *experts) if isinstance(x, Checkpoint)]
    check_vocabularies(models)


def check_moved(base: Checkpoint, expert: Checkpoint | Adapter) -> None:
    """Raise ``InputError`` where the expert is the base, whatever its format.

    Reads no further than to the first difference.
    """
    if isinstance(expert, Adapter):
        moved = any(
            scale and all(expert.weights.read(f"{name}.{x}").any() for x in "BA")
            for name, scale in expert.scales.items()
        )
    else:
        moved = not _equal(base, expert)
    if not moved:
        raise InputError(
            f"{expert.path}: holds the same weights as the base {base.path}; its task"
            " vector is zero, leave it out."
        )


def check_base_of(base: Checkpoint, adapter: Adapter) -> None:
    """Raise ``InputError`` where the adapter says that it belongs to another base.

    It says so by a digest or, as our trainer's ``.pth``, by the directory of its base.
    """
    expected = adapter.base_sha256 or _digest_of_named(base, adapter)
    if expected and (found := weights_digest(base)) != expected:
        raise InputError(
            f"{adapter.path}: the adapter was trained on another base (digest"
            f" {expected[:12]}) than {base.path} ({found[:12]}); give the"
            " one that it was trained on."
        )


def _digest_of_named(base: Checkpoint, adapter: Adapter) -> str | None:
    named = Path(str(adapter.weights.config.get(BASE_NAME)))
    if not is_hf(named):
        return None
    same = named.resolve() == base.path.resolve()
    return None if same else weights_digest(open_hf(named))


def _check_targets(base: Checkpoint, adapter: Adapter) -> None:
    for name in adapter.scales:
        entry = base.entries.get(name)
        shape = entry.shape if entry else None
        if shape != adapter.shape(name):
            has = f"{list(shape)} in it" if shape else "not in it"
            raise InputError(
                f"{adapter.path}: it changes tensor {name} of shape"
                f" {list(adapter.shape(name))}, which is {has}: the adapter is not for"
                f" the base {base.path}; give the one that it was trained on."
            )


def _check_config(base: Checkpoint, expert: Checkpoint) -> None:
    """Compare what both say; a file of weights alone says nothing."""
    ours, theirs = _facts(base.config), _facts(expert.config)
    for key in ours.keys() & theirs.keys():
        if ours[key] != theirs[key]:
            raise InputError(
                f"{expert.path}: {key} is {theirs[key]}, but {ours[key]} in"
                f" {base.path}; merge models of one architecture and vocabulary."
            )


def _facts(config: Mapping[str, Any]) -> dict[str, Any]:
    facts = {key: config[key] for key in (*ARCHITECTURE, *ESPNET) if key in config}
    for conf in ESPNET_CONF:
        for key, value in (config.get(conf) or {}).items():
            if not any(part in key for part in OF_TRAINING):
                facts[f"{conf}.{key}"] = value
    return facts


def _check_token_list(base: Checkpoint, expert: Checkpoint) -> None:
    lists = [checkpoint.config.get("token_list") for checkpoint in (base, expert)]
    if all(lists) and lists[0] != lists[1]:
        raise InputError(
            f"{expert.path}: another token_list in its config.yaml than {base.path};"
            " use experts with the tokens of the base."
        )


def check_vocabularies(paths: Iterable[Path]) -> None:
    """Check that rows of the token embedding are of the same tokens in all models.

    Tokens that only some of them name are no difference: older tokenizers leave some
    out.

    Raises:
        InputError: a token has two rows, or a row two tokens.
    """
    tokens: dict[int, tuple[str, Path]] = {}
    rows: dict[str, tuple[int, Path]] = {}
    # Most are the same to the byte, which a search need not parse in each trial.
    distinct: dict[tuple[bytes, ...], Path] = {}
    for path in paths:
        if files := vocabulary_files(path):
            distinct.setdefault(tuple(file.read_bytes() for file in files), path)
    if len(distinct) < 2:
        return
    for path in distinct.values():
        for row, token in read_vocabulary(vocabulary_files(path)).items():
            other, where = tokens.setdefault(row, (token, path))
            if other != token:
                raise _other_vocabulary(path, f"row {row}", token, where, other)
            first, where = rows.setdefault(token, (row, path))
            if first != row:
                raise _other_vocabulary(path, f"token {token!r}", row, where, first)


def _other_vocabulary(
    path: Path, what: str, here: object, where: Path, there: object
) -> InputError:
    return InputError(
        f"{path}: another vocabulary than {where}: {what} is {here!r}, in the other"
        f" {there!r}; rows of the token embedding do not correspond, use experts with"
        " the tokenizer of the base."
    )


def check_named_base(base: Path, adapter: Path, config: Mapping[str, Any]) -> None:
    """Check that an adapter is not of another of OpenAI's models, by their names.

    Other names may be those of directories, which say nothing here.

    Args:
        base: The model at hand; what was fetched from the hub says from where.
        adapter: For the message.
        config: What the adapter says of itself.

    Raises:
        InputError: it names another model than the base is.
    """
    named, origin = str(config.get(BASE_NAME)), hub_name(base)
    certain = named.lower().startswith(OPENAI) and origin
    if (
        certain
        and named.lower().rpartition("/")[2] != origin.lower().rpartition("/")[2]
    ):
        raise InputError(
            f"{adapter}: was trained on {named}, by its {BASE_NAME}, but"
            f" {base} is {origin}; give that base, or correct the name."
        )


def check_distinct(experts: Sequence[Checkpoint | Adapter]) -> None:
    """Check that no expert is given twice, under whatever name or format.

    Reads no further than to the first difference, in the smallest tensors.

    Raises:
        InputError: two hold the same weights.
    """
    for one, other in combinations(experts, 2):
        if _same_weights(one, other):
            raise InputError(
                f"{other.path}: holds the same weights as {one.path}; an expert counts"
                " once: leave one out, and give the other more weight if it should"
                " count more."
            )


def _same_weights(one: Checkpoint | Adapter, other: Checkpoint | Adapter) -> bool:
    if isinstance(one, Adapter) and isinstance(other, Adapter):
        return one.scales == other.scales and _equal(one.weights, other.weights)
    if isinstance(one, Adapter) or isinstance(other, Adapter):
        return False
    return _equal(one, other)


def _equal(one: Checkpoint, other: Checkpoint) -> bool:
    """Return whether all floats are the same, as float32."""
    import numpy as np

    shapes, others = ({n: e.shape for n, e in x.entries.items()} for x in (one, other))
    return shapes == others and all(
        np.array_equal(
            one.read(name, chunk=chunk), other.read(name, chunk=chunk), equal_nan=True
        )
        for name, entry in sorted(one.floats.items(), key=lambda item: item[1].size)
        for chunk in chunks(entry.size)
    )


def _check_tensors(base: Checkpoint, expert: Checkpoint) -> None:
    for name in sorted(base.entries.keys() | expert.entries.keys()):
        ours, theirs = base.entries.get(name), expert.entries.get(name)
        if ours is None or theirs is None:
            has, lacks = (base, expert) if ours else (expert, base)
            raise InputError(
                f"{lacks.path}: tensor {name} is missing, {has.path} has it;"
                " merge models of one architecture."
            )
        if ours.shape != theirs.shape:
            raise InputError(
                f"tensor {name}: shape {list(theirs.shape)} in {theirs.file}, but"
                f" {list(ours.shape)} in {ours.file}; merge models of one architecture"
                " and vocabulary."
            )
        if ours.is_float != theirs.is_float:
            raise InputError(
                f"tensor {name}: {theirs.dtype} in {theirs.file}, but {ours.dtype} in"
                f" {ours.file}; floats and integers do not merge."
            )
