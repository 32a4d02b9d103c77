"""Serves AWS KMS, emulated by moto, on a free loopback port, which it prints first; stops at the end of standard input.

moto 5.2 hashes its input even if the caller says that it is already a digest (MessageType=DIGEST).
AWS signs the digest itself, and so does this server for 32 bytes, which is all that the tests send.
"""

import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils as asymmetric
from moto.kms.utils import ECDSAPrivateKey
from moto.server import ThreadedMotoServer

sign = ECDSAPrivateKey.sign


def sign_digest(self, message, signing_algorithm):
    if signing_algorithm == "ECDSA_SHA_256" and len(message) == 32:
        return self.private_key.sign(message, ec.ECDSA(asymmetric.Prehashed(hashes.SHA256())))
    return sign(self, message, signing_algorithm)


ECDSAPrivateKey.sign = sign_digest
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
