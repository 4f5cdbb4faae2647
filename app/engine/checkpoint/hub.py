"""Downloads of the published models from their hub.

Has the repository and the pinned commit of each published model. Knows nothing about the content of
files.
"""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from app.config import hub_token
from app.errors import CheckpointError

REPOSITORIES = {  # by the name of the model
    "english": "ResembleAI/chatterbox",
    "multilingual": "ResembleAI/chatterbox",
    "multilingual-v3": "ResembleAI/chatterbox",
    "turbo": "ResembleAI/chatterbox-turbo",
    "nano": "ResembleAI/chatterbox-nano",
}
# Public projects pin these commits in 2026. They have all files that this program reads.
PINNED = {
    "ResembleAI/chatterbox": "5bb1f6ee58e50c3b8d408bc82a6d3740c2db6e18",
    "ResembleAI/chatterbox-turbo": "749d1c1a46eb10492095d68fbcf55691ccf137cd",
    "ResembleAI/chatterbox-nano": "71ccd1d0081b430592cea481f4307e764e07bc64",
}


def fetch(name: str, files: tuple[str, ...], revision: str | None) -> Path:
    """The folder with the files of the published model, downloaded unless they are in the hub's
    cache.

    Files that the commit lacks are missing in the folder. Raises CheckpointError where the
    repository cannot be reached or may not be read.
    """
    repository = REPOSITORIES[name]
    commit = revision or PINNED[repository]
    wanted = f"{', '.join(files)} of {repository} at {commit}"
    try:
        folder = snapshot_download(
            repository, revision=commit, allow_patterns=list(files), token=hub_token()
        )
    except LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"cannot get {wanted}: this machine's hub cache lacks them, and the hub cannot be "
            "reached. Set model: to a folder that has them, or connect this machine to the network "
            "and unset HF_HUB_OFFLINE"
        ) from error
    except RevisionNotFoundError as error:
        raise CheckpointError(
            f"cannot get {wanted}: the repository lacks this commit. Set revision: to another"
        ) from error
    except (GatedRepoError, RepositoryNotFoundError) as error:
        raise CheckpointError(
            f"cannot get {wanted}: the hub denies access. Set HF_TOKEN to a token that may read "
            "the repository"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise CheckpointError(f"cannot get {wanted}: {error}") from error
    return Path(folder)
