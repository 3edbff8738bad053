"""Tokenizers from the Hugging Face hub, through its own client: its cache, its settings, its errors."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HFValidationError, LocalEntryNotFoundError

from bytepair._load import FOLDER_FILES
from bytepair.errors import VocabularyError

__all__ = ["fetch"]

# Read where they are there, beside `vocab.json` and `merges.txt`.
_BESIDE = ("special_tokens_map.json", "tokenizer_config.json")


def fetch(repository: str, revision: str | None, local_files_only: bool, token: str | bool | None) -> Path:
    """Return the file, or the folder of files, that holds the tokenizer of a repository; all are of one revision.

    Raises
    ------
    FileNotFoundError
        The repository has no such file, or none is in the cache and there is no network.
    OSError
        What the client raises for a repository that is not there, or not for everyone.
    """
    missing: EntryNotFoundError | None = None
    for names in FOLDER_FILES:
        try:
            paths: list[Path] = []
            for name in names:
                paths.append(_file(repository, name, revision, local_files_only, token))
                # What is fetched after the first file is of the same commit, should the branch move meanwhile.
                revision = paths[0].parent.name
        except EntryNotFoundError as error:
            missing = missing or error
            continue
        if len(paths) == 1:
            return paths[0]
        for name in _BESIDE:
            try:
                _file(repository, name, revision, local_files_only, token)
            except EntryNotFoundError:
                continue
        return paths[0].parent
    wanted = ", ".join(" and ".join(names) for names in FOLDER_FILES)
    if isinstance(missing, LocalEntryNotFoundError):
        where = constants.HF_HUB_CACHE
        message = f"{repository!r} is not in the cache ({where}), and the hub was not asked or did not answer"
        raise FileNotFoundError(f"{message}; wanted is one of {wanted}") from missing
    raise FileNotFoundError(f"the repository {repository!r} has none of {wanted}") from missing


def _file(repository: str, name: str, revision: str | None, local_files_only: bool, token: str | bool | None) -> Path:
    try:
        path = hf_hub_download(repository, name, revision=revision, local_files_only=local_files_only, token=token)
    except HFValidationError as error:
        raise VocabularyError(f"{repository!r} is no name that the hub can have: {error}") from None
    return Path(path)
