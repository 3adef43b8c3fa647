"""A device with a public key loads what the key's owner signed, as it was signed, and nothing else."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.assembly.parts import load_parts
from edge.bundle import DEFAULT_BUNDLE, MANIFEST, Bundle, load_bundle
from edge.commands.model import model
from edge.config import load_config
from edge.errors import BundleError, ConfigError, InvalidDataError, MissingInputError, SignatureError, UsageError
from edge.models.signatures import SIGNATURE, PublicKey, load_trusted_bundle, make_keys, parse_public_key, sign_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle")))


@pytest.fixture
def owner(tmp_path: Path, bundle: Bundle) -> PublicKey:
    """The key by which the bundle is signed."""
    make_keys(tmp_path / "owner.pem")
    return sign_bundle(bundle, tmp_path / "owner.pem")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(model, [str(argument) for argument in arguments])


def rewrite_manifest(path: Path, **changes: object) -> None:
    content = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(json.dumps({**content, **changes}))


def test_a_signed_bundle_is_trusted_and_keeps_its_id(bundle: Bundle, owner: PublicKey) -> None:
    assert load_trusted_bundle(bundle.path, str(owner)).bundle_id == bundle.bundle_id


def test_without_a_key_every_whole_bundle_is_loaded(bundle: Bundle) -> None:
    assert load_trusted_bundle(bundle.path, None) == bundle


def test_an_unsigned_bundle_is_refused_where_a_key_is_set(bundle: Bundle, tmp_path: Path) -> None:
    key = make_keys(tmp_path / "key.pem")

    with pytest.raises(SignatureError, match=r"is not signed, but model\.public_key is set: expected manifest\.sig"):
        load_trusted_bundle(bundle.path, str(key))


def test_a_bundle_of_another_owner_is_refused_and_both_are_named(
    bundle: Bundle, owner: PublicKey, tmp_path: Path
) -> None:
    trusted = make_keys(tmp_path / "trusted.pem")

    with pytest.raises(SignatureError) as refused:
        load_trusted_bundle(bundle.path, str(trusted))
    assert str(owner) in str(refused.value)
    assert str(trusted) in str(refused.value)


def test_a_signature_that_only_claims_the_trusted_key_is_refused(
    bundle: Bundle, owner: PublicKey, tmp_path: Path
) -> None:
    trusted = make_keys(tmp_path / "trusted.pem")
    record = (bundle.path / SIGNATURE).read_text().replace(str(owner), str(trusted))
    (bundle.path / SIGNATURE).write_text(record)

    with pytest.raises(SignatureError, match="does not fit it"):
        load_trusted_bundle(bundle.path, str(trusted))


def test_a_changed_file_is_refused(bundle: Bundle, owner: PublicKey) -> None:
    (bundle.path / "card.md").write_text("# Another model")

    with pytest.raises(BundleError, match=r"card\.md is damaged"):
        load_trusted_bundle(bundle.path, str(owner))


def test_a_changed_file_with_a_manifest_to_match_is_refused(bundle: Bundle, owner: PublicKey) -> None:
    rewrite_manifest(bundle.path, temperature=7.5)

    with pytest.raises(SignatureError, match="changed after it was signed"):
        load_trusted_bundle(bundle.path, str(owner))


def test_the_signature_of_another_bundle_does_not_fit(bundle: Bundle, tmp_path: Path) -> None:
    other = Path(shutil.copytree(bundle.path, tmp_path / "other"))
    rewrite_manifest(other, name="other")
    owner = make_keys(tmp_path / "key.pem")
    sign_bundle(load_bundle(other), tmp_path / "key.pem")
    shutil.copy(other / SIGNATURE, bundle.path / SIGNATURE)

    with pytest.raises(SignatureError, match="does not fit it"):
        load_trusted_bundle(bundle.path, str(owner))


@pytest.mark.parametrize("kept", [0, 1, 40, -3])
def test_a_truncated_signature_is_refused(bundle: Bundle, owner: PublicKey, kept: int) -> None:
    content = (bundle.path / SIGNATURE).read_bytes()
    (bundle.path / SIGNATURE).write_bytes(content[:kept])

    with pytest.raises(SignatureError, match="is no signature"):
        load_trusted_bundle(bundle.path, str(owner))


def test_a_new_signature_takes_the_place_of_the_old_one(bundle: Bundle, owner: PublicKey, tmp_path: Path) -> None:
    make_keys(tmp_path / "next.pem")
    successor = sign_bundle(bundle, tmp_path / "next.pem")

    assert load_trusted_bundle(bundle.path, str(successor)).bundle_id == bundle.bundle_id
    with pytest.raises(SignatureError, match="only"):
        load_trusted_bundle(bundle.path, str(owner))


@pytest.mark.parametrize("text", ["", "ed25519:", "ed25519:AAAA", "rsa:" + "A" * 43 + "=", "ed25519:" + "?" * 43 + "="])
def test_what_is_no_public_key_is_said_so(text: str, bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="is no public key"):
        load_trusted_bundle(bundle.path, text)


def test_a_public_key_survives_its_text(tmp_path: Path) -> None:
    key = make_keys(tmp_path / "key.pem")

    assert parse_public_key(f" {key}\n") == key


def test_only_its_owner_can_read_a_private_key_and_it_is_never_replaced(tmp_path: Path) -> None:
    make_keys(tmp_path / "key.pem")
    content = (tmp_path / "key.pem").read_bytes()

    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="exists"):
        make_keys(tmp_path / "key.pem")
    assert (tmp_path / "key.pem").read_bytes() == content


def test_keys_that_cannot_sign_are_named(bundle: Bundle, tmp_path: Path) -> None:
    pem, locked = (forms.Encoding.PEM, forms.PrivateFormat.PKCS8), forms.BestAvailableEncryption(b"secret")
    other_kind = generate_private_key(SECP256R1()).private_bytes(*pem, forms.NoEncryption())
    contents = {
        "expected PEM without a password": Ed25519PrivateKey.generate().private_bytes(*pem, locked),
        "is no private key": b"-----BEGIN PRIVATE KEY-----\ncut short",
        "holds a key of another kind": other_kind,
    }
    for sentence, content in contents.items():
        (tmp_path / "key.pem").write_bytes(content)
        with pytest.raises(InvalidDataError, match=sentence):
            sign_bundle(bundle, tmp_path / "key.pem")
    with pytest.raises(MissingInputError, match="no private key at"):
        sign_bundle(bundle, tmp_path / "nowhere.pem")
    assert not (bundle.path / SIGNATURE).exists()


def test_a_bin_with_a_public_key_refuses_the_unsigned_bundle_it_would_otherwise_run(
    bundle: Bundle, tmp_path: Path
) -> None:
    key = call("keygen", tmp_path / "key.pem").stdout.strip()
    config = load_config(None, [f"model.bundle={bundle.path}", f"model.public_key={key}"], {})

    with pytest.raises(SignatureError, match="is not signed"):
        load_parts(config)
    assert call("sign", bundle.path, "--key", tmp_path / "key.pem").stdout.endswith(f"signed by {key}\n")
    load_parts(config)


def test_a_wrong_public_key_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"model\.public_key"):
        load_config(None, ["model.public_key=ssh-ed25519 AAAA"], {})


def test_verify_checks_the_signature_when_it_is_given_a_key(bundle: Bundle, owner: PublicKey, tmp_path: Path) -> None:
    stranger = make_keys(tmp_path / "stranger.pem")

    assert "signed by the owner of" in call("verify", bundle.path, "--public-key", owner).stdout
    assert isinstance(call("verify", bundle.path, "--public-key", stranger).exception, SignatureError)


def test_show_tells_what_is_inside_and_whose_signature_it_claims(bundle: Bundle, owner: PublicKey) -> None:
    text, report = call("show", bundle.path).stdout, json.loads(call("show", bundle.path, "--json").stdout)

    assert bundle.bundle_id in text
    assert f"signed by    {owner}, as it says itself" in text
    assert (report["id"], report["claimed_key"]) == (bundle.bundle_id, str(owner))
    assert report["manifest"]["labels"] == list(bundle.manifest.labels)
    assert "signed by    nobody" in call("show", DEFAULT_BUNDLE).stdout


def test_the_library_is_loaded_only_where_a_key_is_used() -> None:
    code = "import sys, edge.service, edge.commands.model; sys.exit('cryptography' in sys.modules)"

    subprocess.run([sys.executable, "-c", code], check=True)
