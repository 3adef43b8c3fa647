"""Whoever signs certificates for the servers that tests run on loopback."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@dataclass(frozen=True)
class Authority:
    """Who signs certificates; `ca_file` is its own."""

    folder: Path
    name: str

    @property
    def ca_file(self) -> Path:
        return self.folder / f"{self.name}.pem"

    def begin(self) -> Authority:
        """Make its key and its own certificate."""
        self._write(self.name, None)
        return self

    def sign(self, name: str, address: str = "127.0.0.1", begins_days: int = -1) -> tuple[Path, Path]:
        """A certificate for whoever is at `address`, and its key; it holds for two days, so many after today."""
        return self._write(name, address, begins_days)

    def _write(self, name: str, address: str | None, begins_days: int = -1) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        own_key = _KEYS.setdefault((self.folder, self.name), key)
        begin = datetime.now(UTC) + timedelta(days=begins_days)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, self.name)])
        builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(begin).not_valid_after(begin + timedelta(days=2))
        builder = builder.add_extension(x509.BasicConstraints(ca=address is None, path_length=None), critical=True)
        if address is not None:
            named = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
            builder = builder.add_extension(named, critical=False)
        certificate, key_file = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(builder.sign(own_key, hashes.SHA256()).public_bytes(Encoding.PEM))
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, key_file


_KEYS: dict[tuple[Path, str], ec.EllipticCurvePrivateKey] = {}
