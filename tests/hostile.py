"""Files that run code where they are unpickled without limits."""

import os
import pickle

import torch


class Touch:
    """Unpickled, it makes a directory."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def write_hostile(path, made, content=None):
    """Write a PyTorch file that would make a directory.

    Args:
        path: of the file.
        made: the directory.
        content: what it holds besides; by default what is there already.
    """
    held = torch.load(path, weights_only=True) if content is None else content
    torch.save(held | {"x": Touch(made)}, path)
    return path


def write_pickle(path, made):
    """Write a pickle alone that would make a directory, whatever the file's name."""
    path.write_bytes(pickle.dumps(Touch(made)))
    return path


def check_hostile(path, made):
    """Fail unless the file makes the directory where it is simply loaded."""
    assert not made.exists(), "a loader ran the code"
    if path.suffix in (".pth", ".pt", ".bin", ".ckpt"):
        torch.load(path, weights_only=False)
    else:
        pickle.loads(path.read_bytes())
    assert made.exists(), "the file is harmless, so that it shows nothing"
