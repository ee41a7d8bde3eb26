"""Add a language to a Whisper, with a borrowed or a new language token.

``lang_to_id`` in the generation configuration lists the languages of a model;
transformers reads it, too. All experts that start from this model, and their merges,
have the same tokens.
"""

import json
import re
import shutil
from pathlib import Path

import yaml
from tokenizers import AddedToken
from transformers import GenerationConfig, WhisperTokenizer

from espnet_merge.disk.atomic import check_output, whole_directory
from espnet_merge.errors import InputError
from espnet_merge.files import FETCH_JSON, GENERATION_JSON
from espnet_merge.speech import LANGUAGES, code_of
from espnet_merge.whisper.fetched import ENGLISH_ALONE, LIKE, languages_of, likes_of
from espnet_merge.whisper.model import load_whisper
from espnet_merge.whisper.prompt import check_language, language_id, load_tokenizer

RECORD = "language.yaml"
CODE = re.compile(r"[a-z]{2,3}(_[a-z0-9]+)?")


def lend(
    model: Path,
    language: str,
    like: str,
    output: Path,
    *,
    own: bool = False,
    overwrite: bool = False,
) -> None:
    """Write a copy of a Whisper that knows one more language.

    Args:
        model: Hugging Face Whisper directory.
        language: code of the new language, such as ``ast``.
        like: code of a known language, whose token is borrowed or copied.
        output: directory to write.
        own: whether to add a token for the language. Its row of the token embedding
            begins as a copy. Merges then need experts of the same vocabulary.
        overwrite: whether an older copy in ``output`` may be replaced.

    Raises:
        InputError: bad input, the model knows the language already, or it is
            English-only.
    """
    check_output(output, overwrite=overwrite, mark=RECORD)
    tokenizer, known = load_tokenizer(model), languages_of(model)
    if known == ENGLISH_ALONE:
        raise InputError(f"{model}: an English-only model has no languages to add to.")
    if language in known:
        raise InputError(f"{model}: knows {language} already; use it as it is.")
    if (same := code_of(language)) is not None:
        raise InputError(
            f"{language}: data directories may say so already, for it is {same} to "
            "Whisper; give a code that is none of its languages."
        )
    if not CODE.fullmatch(language):
        raise InputError(
            "a new language must have a code of two or three letters, which _ and more "
            f"may follow, such as ast or gsw_zh; got {language!r}."
        )
    check_language(like, known)
    root = likes_of(model).get(like, like)
    with whole_directory(output) as part:
        for file in sorted(model.iterdir()):
            if file.is_file() and file.name != FETCH_JSON:
                shutil.copyfile(file, part / file.name)
        source = language_id(tokenizer, like)
        index = _grow(part, tokenizer, language, source) if own else source
        never = [index] if own else []  # part of prompts, never generated
        _write_generation(part, tokenizer, {language: index}, {language: root}, never)
        record = {"model": str(model), "language": language, "like": like, "own": own}
        (part / RECORD).write_text(yaml.safe_dump(record), "utf-8")


def _grow(
    directory: Path, tokenizer: WhisperTokenizer, language: str, source: int
) -> int:
    """Add a token whose embedding is a copy of ``source``'s; return its id."""
    import torch

    whisper = load_whisper(directory)
    rows = whisper.config.vocab_size
    if len(tokenizer) != rows:
        raise InputError(
            f"{directory}: tokenizer and token embedding must have as many tokens; got "
            f"{len(tokenizer)} and {rows}: lend the language a token, without --own."
        )
    tokenizer.add_tokens([AddedToken(f"<|{language}|>", special=True)], True)
    whisper.resize_token_embeddings(rows + 1, mean_resizing=False)
    weight = whisper.get_input_embeddings().weight
    with torch.no_grad():
        weight[rows] = weight[source]
    for file in (*directory.glob("*.safetensors*"), *directory.glob("*.bin*")):
        file.unlink()
    whisper.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return int(rows)


def _write_generation(
    directory: Path,
    tokenizer: WhisperTokenizer,
    new: dict[str, int],
    like: dict[str, str],
    never: list[int],
) -> None:
    """Write the added languages into the generation configuration."""
    path = directory / GENERATION_JSON
    if not path.is_file():
        GenerationConfig().save_pretrained(directory)
    generation = json.loads(path.read_text("utf-8"))
    vocabulary = tokenizer.get_vocab()
    tokens = {code: f"<|{code}|>" for code in sorted(LANGUAGES)}
    ids = {token: vocabulary[token] for token in tokens.values() if token in vocabulary}
    ids = generation.get("lang_to_id") or ids
    generation["lang_to_id"] = ids | {f"<|{c}|>": index for c, index in new.items()}
    generation[LIKE] = generation.get(LIKE, {}) | like
    generation["is_multilingual"] = True
    # With this key transformers would ignore the rest of the file.
    generation.pop("_from_model_config", None)
    if never:
        suppressed = generation.get("suppress_tokens") or []
        generation["suppress_tokens"] = [*suppressed, *never]
    path.write_text(json.dumps(generation, indent=2) + "\n", "utf-8")
