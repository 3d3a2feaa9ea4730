//! What the checks' side of TLS can do. More than rustls offers by itself, because a check has to get along with whatever
//! clients get along with.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::agreement::{ECDH_P521, EphemeralPrivateKey, PublicKey, UnparsedPublicKey, agree_ephemeral};
use aws_lc_rs::rand::SystemRandom;
use rustls::crypto::{
    ActiveKeyExchange, CipherSuiteCommon, CryptoProvider, GetRandomFailed, SharedSecret, SupportedKxGroup,
    aws_lc_rs as aws,
};
use rustls::{Error, NamedGroup, PeerMisbehaved, SignatureScheme, SupportedCipherSuite, Tls12CipherSuite};

/// Where certificates are verified.
pub(super) static VERIFYING: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let mut provider = aws::default_provider();
    provider.kx_groups.push(&P521);
    Arc::new(provider)
});

/// Where nothing is verified: with signatures by every kind of key that rustls knows.
pub(super) static UNVERIFYING: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let cipher_suites = VERIFYING.cipher_suites.iter().map(|suite| match suite {
        SupportedCipherSuite::Tls12(suite) => SupportedCipherSuite::Tls12(lenient(suite)),
        SupportedCipherSuite::Tls13(_) => *suite,
    });
    Arc::new(CryptoProvider { cipher_suites: cipher_suites.collect(), ..CryptoProvider::clone(&VERIFYING) })
});

/// What is offered where nothing is verified, the most usual first. The last three are for RSA-PSS keys (`rsa_pss_pss_*` of
/// RFC 8446 section 4.2.3), and rustls takes them in TLS 1.3 alone.
pub(super) const ANY_SCHEME: [SignatureScheme; 16] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::ED448,
    SignatureScheme::ECDSA_SHA1_Legacy,
    SignatureScheme::RSA_PKCS1_SHA1,
    SignatureScheme::Unknown(0x0809),
    SignatureScheme::Unknown(0x080a),
    SignatureScheme::Unknown(0x080b),
];

/// Schemes of keys whose signatures are not verified, and that have no other scheme.
pub(super) const UNVERIFIED_SCHEMES: [SignatureScheme; 4] = [
    SignatureScheme::ED448,
    SignatureScheme::Unknown(0x0809),
    SignatureScheme::Unknown(0x080a),
    SignatureScheme::Unknown(0x080b),
];

/// Of these rustls only asks whether one is by a key of the kind that has signed.
static ANY_KEY: &[SignatureScheme] = &[
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ED25519,
    SignatureScheme::ED448,
    SignatureScheme::RSA_PSS_SHA256,
];

/// The same cipher suite, whatever kind of key signs. Of each suite once in the life of the process.
fn lenient(suite: &'static Tls12CipherSuite) -> &'static Tls12CipherSuite {
    let CipherSuiteCommon { suite: name, hash_provider, confidentiality_limit } = suite.common;
    Box::leak(Box::new(Tls12CipherSuite {
        common: CipherSuiteCommon { suite: name, hash_provider, confidentiality_limit },
        prf_provider: suite.prf_provider,
        kx: suite.kx,
        sign: ANY_KEY,
        aead_alg: suite.aead_alg,
    }))
}

/// Ephemeral ECDH on secp521r1. In TLS 1.2 a server with a key of this curve wants to see that the client knows it
/// (RFC 8422 section 5.1).
#[derive(Debug)]
struct P521;

impl SupportedKxGroup for P521 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let private = EphemeralPrivateKey::generate(&ECDH_P521, &SystemRandom::new());
        let private = private.map_err(|_| GetRandomFailed)?;
        let public = private.compute_public_key().map_err(|_| GetRandomFailed)?;
        Ok(Box::new(P521Exchange { private, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

struct P521Exchange {
    private: EphemeralPrivateKey,
    public: PublicKey,
}

impl ActiveKeyExchange for P521Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let wrong = || Error::from(PeerMisbehaved::InvalidKeyShare);
        // RFC 8446 section 4.2.8.2: points are uncompressed.
        if peer.first() != Some(&4) {
            return Err(wrong());
        }
        let peer = UnparsedPublicKey::new(&ECDH_P521, peer);
        agree_ephemeral(self.private, peer, wrong(), |secret| Ok(SharedSecret::from(secret)))
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_ref()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_an_exchange_on_p521_agree() {
        let (one, other) = (P521.start().unwrap(), P521.start().unwrap());
        let (of_one, of_other) = (one.pub_key().to_vec(), other.pub_key().to_vec());
        let (here, there) = (one.complete(&of_other).unwrap(), other.complete(&of_one).unwrap());
        assert_eq!(here.secret_bytes(), there.secret_bytes());
        assert!(P521.start().unwrap().complete(&[4, 1, 2]).is_err());
        assert!(P521.start().unwrap().complete(&[]).is_err());
    }
}
