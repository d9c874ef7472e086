"""A certificate for ``localhost``, of an authority that is made afresh and trusted only by those who are told to."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Tls:
    """Two files.

    Attributes:
        server: The private key and the certificate of the server.
        authority: The certificate of who signed it.
    """

    server: Path
    authority: Path

    @property
    def trust(self) -> dict[str, str]:
        """The environment that tells a client in Python, and one in JavaScript, to trust it."""
        return {"SSL_CERT_FILE": str(self.authority), "NODE_EXTRA_CA_CERTS": str(self.authority)}

    def server_context(self) -> ssl.SSLContext:
        """Of a server."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.server)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Of a client that trusts it."""
        return ssl.create_default_context(cafile=str(self.authority))


def make_tls(folder: Path) -> Tls:
    """Write both into ``folder``."""
    made = Tls(folder / "server.pem", folder / "authority.pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(made.authority)
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(made.server)
    return made
