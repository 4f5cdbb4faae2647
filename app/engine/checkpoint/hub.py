"""The published models on their hub, brought to this machine.

Knows which repository a family lives in and which commit of it is meant, and nothing about what
the files hold.
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
from app.engine.checkpoint.spec import Family
from app.errors import CheckpointError

REPOSITORIES: dict[Family, str] = {
    "english": "ResembleAI/chatterbox",
    "multilingual": "ResembleAI/chatterbox",
    "turbo": "ResembleAI/chatterbox-turbo",
}
# The commits that public projects pin in 2026, with the files that this program reads.
PINNED: dict[str, str] = {
    "ResembleAI/chatterbox": "5bb1f6ee58e50c3b8d408bc82a6d3740c2db6e18",
    "ResembleAI/chatterbox-turbo": "749d1c1a46eb10492095d68fbcf55691ccf137cd",
}


def fetch(family: Family, files: tuple[str, ...], revision: str | None) -> Path:
    """The folder with the family's files, downloaded unless they are in the hub's cache already.

    Files that the commit does not have are simply not there. Raises CheckpointError when the
    repository cannot be reached or may not be read.
    """
    repository = REPOSITORIES[family]
    commit = revision or PINNED[repository]
    wanted = f"{', '.join(files)} of {repository} at {commit}"
    try:
        folder = snapshot_download(
            repository, revision=commit, allow_patterns=list(files), token=hub_token()
        )
    except LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"cannot get {wanted}: not in this machine's hub cache, and the hub was not reached. "
            "Set model: to a folder that has them, or give this machine a network (and check that "
            "HF_HUB_OFFLINE is not set)"
        ) from error
    except RevisionNotFoundError as error:
        raise CheckpointError(
            f"cannot get {wanted}: the repository has no such commit. Set revision: to one"
        ) from error
    except (GatedRepoError, RepositoryNotFoundError) as error:
        raise CheckpointError(
            f"cannot get {wanted}: the hub does not let us. Set HF_TOKEN to a token that may "
            "read the repository"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise CheckpointError(f"cannot get {wanted}: {error}") from error
    return Path(folder)
