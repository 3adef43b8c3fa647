"""Whether a bundle comes from someone this device trusts: Ed25519 signatures (RFC 8032) over bundles.

The signature lies beside the manifest, in a file of its own. It covers the bundle's id, the digest of the
manifest, which holds the digests of all other files. Keys are written as `ed25519:` and 32 bytes in base64;
the private half is a PEM file (PKCS #8), as openssl writes it.
"""

# The library is loaded where a key is used: most bins have none, and it costs 50 ms.
# ruff: noqa: PLC0415

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.bundle import MANIFEST, Bundle, load_bundle
from edge.errors import (
    ConfigError,
    InvalidDataError,
    MissingInputError,
    MissingLibraryError,
    SignatureError,
    StorageError,
    UsageError,
    first_problem,
)
from edge.files.whole_file import whole_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNATURE = "manifest.sig"
KEY_PATTERN = r"^ed25519:[A-Za-z0-9+/]{43}=$"

_PREFIX = "ed25519:"
_PURPOSE = b"sorter bundle, schema 1: "  # a signature made for anything else does not fit
_KEY_BYTES = 32


class _Record(BaseModel):
    """The content of manifest.sig. `public_key` tells whose it is, and is never what makes it trusted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    public_key: str = Field(pattern=KEY_PATTERN)
    signature: str = Field(pattern=r"^[A-Za-z0-9+/]{86}==$")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half of a key: 32 bytes."""

    content: bytes

    def __str__(self) -> str:
        return _PREFIX + base64.b64encode(self.content).decode()


def parse_public_key(text: str) -> PublicKey:
    """The key in `ed25519:…`, as `sorter model keygen` prints it.

    Raises:
        ConfigError: it is something else.
    """
    try:
        content = base64.b64decode(text.strip().removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        content = b""
    if not text.strip().startswith(_PREFIX) or len(content) != _KEY_BYTES:
        raise ConfigError(f"{text[:60]!r} is no public key: expected {_PREFIX}…, as `sorter model keygen` prints it")
    return PublicKey(content)


def make_keys(private_path: Path) -> PublicKey:
    """A new key pair: the private half into a file that only its owner may read, the public half returned.

    Raises:
        UsageError: there is a file already; a key that signed bundles is not replaced by accident.
        AccessDeniedError, StorageError: it cannot be written.
        MissingLibraryError: cryptography is not installed.
    """
    with _library():
        from cryptography.hazmat.primitives import serialization as forms
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    if private_path.exists():
        raise UsageError(f"{private_path} exists: choose another name, or move the old key away")
    with whole_file(private_path) as unfinished:
        unfinished.touch(mode=0o600, exist_ok=False)
        unfinished.write_bytes(pem)
    return PublicKey(key.public_key().public_bytes_raw())


def sign_bundle(bundle: Bundle, private_path: Path) -> PublicKey:
    """Put the signature beside the manifest, in place of any other, and tell whose it is.

    Raises:
        MissingInputError, InvalidDataError: the private key is not there, or is not an Ed25519 key.
        AccessDeniedError, StorageError: the signature cannot be written.
        MissingLibraryError: cryptography is not installed.
    """
    key = _read_private_key(private_path)
    owner = PublicKey(key.public_key().public_bytes_raw())
    signature = base64.b64encode(key.sign(_signed(bundle))).decode()
    record = _Record(schema=1, public_key=str(owner), signature=signature)
    with whole_file(bundle.path / SIGNATURE) as unfinished:
        unfinished.write_text(record.model_dump_json(by_alias=True) + "\n", encoding="utf-8")
    return owner


def check_signature(bundle: Bundle, trusted: PublicKey) -> None:
    """Refuse a bundle that the owner of the `trusted` key has not signed.

    Raises:
        SignatureError: it is not signed, by another key, or the signature does not fit it.
        MissingLibraryError: cryptography is not installed.
    """
    record = _read_signature(bundle)
    if record.public_key != str(trusted):
        raise SignatureError(
            f"{bundle.path} is signed by {record.public_key}, but only {trusted} is trusted here (model.public_key)"
        )
    if not _fits(trusted, base64.b64decode(record.signature), _signed(bundle)):
        raise SignatureError(
            f"the signature of {bundle.path} does not fit it: the bundle was changed after it was signed; "
            "copy it again, or sign it again with `sorter model sign`"
        )


def claimed_key(bundle: Bundle) -> str | None:
    """Whose signature the bundle says it carries, unchecked; None where there is none.

    Raises:
        SignatureError: there is a file, and it is no signature.
    """
    return _read_signature(bundle).public_key if (bundle.path / SIGNATURE).exists() else None


def files_of(bundle: Bundle) -> tuple[str, ...]:
    """All that goes where the bundle goes, by path inside of it: what the manifest lists, it, and its signature."""
    signature = (SIGNATURE,) if (bundle.path / SIGNATURE).is_file() else ()
    return (MANIFEST, *sorted(bundle.manifest.files), *signature)


def load_trusted_bundle(path: Path, public_key: str | None) -> Bundle:
    """`load_bundle`, and with a key also `check_signature`: what everything on a device loads bundles by.

    Raises:
        ConfigError: `public_key` is not one.
        MissingInputError, BundleError, SignatureError: the bundle is not there, damaged or not trusted.
    """
    trusted = None if public_key is None else parse_public_key(public_key)
    bundle = load_bundle(path)
    if trusted is not None:
        check_signature(bundle, trusted)
    return bundle


def _signed(bundle: Bundle) -> bytes:
    """What is signed: the id of what was read and checked, not of what lies there later."""
    return _PURPOSE + bundle.bundle_id.encode()


def _read_signature(bundle: Bundle) -> _Record:
    path = bundle.path / SIGNATURE
    try:
        return _Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise SignatureError(
            f"{bundle.path} is not signed, but model.public_key is set: expected {SIGNATURE}, "
            "as `sorter model sign` writes it"
        ) from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as invalid:
        raise SignatureError(f"{path} is no signature: {first_problem(invalid)}; copy the bundle again") from None


def _fits(key: PublicKey, signature: bytes, content: bytes) -> bool:
    with _library():
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    try:
        Ed25519PublicKey.from_public_bytes(key.content).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True


def _read_private_key(path: Path) -> Ed25519PrivateKey:
    with _library():
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise MissingInputError(f"no private key at {path}: make one with `sorter model keygen`") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidDataError(f"{path} is no private key: expected PEM without a password, as keygen writes") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidDataError(f"{path} holds a key of another kind: expected Ed25519, as keygen makes")
    return key


@contextmanager
def _library() -> Iterator[None]:
    """Turn a missing library into the line that installs it."""
    try:
        yield
    except ImportError as error:
        raise MissingLibraryError.of_extra("a signature", "cryptography", "signing") from error
