//! Certificates as OpenSSL makes them, against what a check trusts. What a server does with them in a handshake is
//! `scripts/e2e/health-certificates.sh`'s.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustls::pki_types::pem::PemObject;

use super::super::words::of_tls;
use super::*;

const NAME: &str = "web.lab.example";
const SAN: &str = "subjectAltName=DNS:web.lab.example,IP:10.0.1.11";
const DAY: u64 = 86_400;

/// A folder of certificates, gone when this is dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(in super::super) fn openssl(arguments: &[&str], dir: &Path) {
    let output = Command::new("openssl").args(arguments).current_dir(dir).output().expect("openssl runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Folder {
    fn new() -> Self {
        let dir = crate::api::fake::fresh_dir();
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    /// `name`.pem and `name`.key: self-signed, with these extensions. `newkey`: words for `-newkey`.
    fn self_signed(&self, name: &str, newkey: &[&str], extensions: &[&str]) -> CertificateDer<'static> {
        let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
        let mut arguments = vec!["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=web.lab.example"];
        arguments.extend(["-keyout", &key, "-out", &pem, "-newkey"]);
        arguments.extend(newkey);
        extensions.iter().for_each(|extension| arguments.extend(["-addext", extension]));
        openssl(&arguments, &self.0);
        self.read(name)
    }

    /// `name`.pem and `name`.key, signed by `issuer`, with these lines of extensions; none: of version 1.
    fn issued(&self, name: &str, issuer: &str, extensions: &str) -> CertificateDer<'static> {
        let file = |end: &str| format!("{name}.{end}");
        let (key, csr, pem, ext) = (file("key"), file("csr"), file("pem"), file("ext"));
        let subject = format!("/CN={name}");
        let request = ["req", "-nodes", "-subj", &subject, "-keyout", &key, "-out", &csr, "-newkey"];
        openssl(&[&request[..], &EC].concat(), &self.0);
        let (ca, ca_key) = (format!("{issuer}.pem"), format!("{issuer}.key"));
        let sign = ["x509", "-req", "-days", "30", "-in", &csr, "-out", &pem, "-CA", &ca, "-CAkey", &ca_key];
        let sign = [&sign[..], &["-CAcreateserial"]].concat();
        std::fs::write(self.0.join(&ext), extensions).unwrap();
        match extensions {
            "" => openssl(&sign, &self.0),
            _ => openssl(&[&sign[..], &["-extfile", &ext]].concat(), &self.0),
        }
        self.read(name)
    }

    fn read(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.0.join(format!("{name}.pem"))).unwrap()
    }
}

const EC: [&str; 3] = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];

/// What a check that trusts `ca` reports of a server with this chain, a number of days from now.
fn verified_at(
    ca: &[&CertificateDer<'static>],
    chain: &[&CertificateDer<'static>],
    name: &str,
    days: i64,
) -> Result<(), String> {
    let named: Vec<_> = ca.iter().map(|certificate| (*certificate).clone()).collect();
    let trusted = Trusted::new(Arc::new(authorities(&named)), named).unwrap();
    let now = UnixTime::now().as_secs().saturating_add_signed(days * i64::try_from(DAY).unwrap());
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let intermediates: Vec<_> = chain[1..].iter().map(|certificate| (*certificate).clone()).collect();
    let verified = trusted.verify_server_cert(chain[0], &intermediates, &name, &[], now);
    verified.map(drop).map_err(|error| of_tls(&error))
}

fn verified(ca: &[&CertificateDer<'static>], chain: &[&CertificateDer<'static>]) -> Result<(), String> {
    verified_at(ca, chain, NAME, 0)
}

fn refused(verified: Result<(), String>, words: &str) {
    let said = verified.expect_err(words);
    assert!(said.starts_with(words), "{said:?}, wanted {words:?}");
}

#[test]
fn a_certificate_that_is_trusted_itself_needs_no_authority() {
    let folder = Folder::new();
    for (name, constraints) in [("ca", "CA:TRUE"), ("no-ca", "CA:FALSE")] {
        let constraints = format!("basicConstraints=critical,{constraints}");
        let own = folder.self_signed(name, &EC, &[SAN, &constraints]);
        let own = &own;
        assert_eq!(verified(&[own], &[own]), Ok(()), "{name}");
        assert_eq!(verified_at(&[own], &[own], "10.0.1.11", 0), Ok(()), "{name}");
        let words = "certificate of another name: wanted other.lab.example, it has web.lab.example, ";
        refused(verified_at(&[own], &[own], "other.lab.example", 0), words);
        refused(verified_at(&[own], &[own], "10.0.1.12", 0), "certificate of another name: wanted 10.0.1.12");
        refused(verified_at(&[own], &[own], NAME, 33), "certificate expired 3 days ago");
        refused(verified_at(&[own], &[own], NAME, -3), "certificate valid in ");
        // Another one by the same name is another one.
        let other = folder.self_signed("other", &EC, &[SAN, &constraints]);
        assert!(verified(&[own], &[&other]).is_err(), "{name}");
        assert_eq!(verified(&[own, &other], &[&other]), Ok(()), "{name}");
    }
}

#[test]
fn what_is_wrong_with_a_certificate_is_explained() {
    let folder = Folder::new();
    let own = folder.self_signed("own", &EC, &[SAN]);
    let stranger = folder.self_signed("stranger", &EC, &[SAN]);
    refused(
        verified(&[&own], &[&stranger]),
        "certificate that claims to be an authority's (CA:TRUE): put this",
    );
    let nameless = folder.self_signed("nameless", &EC, &[]);
    let words =
        "certificate without subjectAltName: wanted web.lab.example, and the common name does not count";
    refused(verified(&[&nameless], &[&nameless]), words);
    let v1 = folder.issued("v1", "own", "");
    refused(verified(&[&own], &[&v1]), "certificate of X.509 version 1, which has no subjectAltName");
    refused(verified(&[&v1], &[&v1]), "certificate of X.509 version 1, which has no subjectAltName");
    let client = folder.issued("client", "own", &format!("{SAN}\nextendedKeyUsage=clientAuth"));
    refused(verified(&[&own], &[&client]), "certificate that is not for servers but for clients");
    assert_eq!(verified(&[&client], &[&client]), Ok(()), "it is trusted as it is");
    for (name, newkey, words) in [
        ("rsa1024", &["rsa:1024"][..], "certificate with an RSA key of 1024 bits, which is not verified"),
        ("ed448", &["ed448"], "certificate with an Ed448 key, which is not verified: give the server one"),
        ("pss", &["rsa-pss"], "certificate with an RSA-PSS key, which"),
        (
            "curve",
            &["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
            "certificate with an EC key of another curve",
        ),
    ] {
        let weak = folder.self_signed(name, newkey, &[SAN]);
        refused(verified(&[&weak], &[&weak]), words);
    }
    for (name, newkey) in [
        ("rsa2048", &["rsa:2048"][..]),
        ("p384", &["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"]),
        ("p521", &["ec", "-pkeyopt", "ec_paramgen_curve:secp521r1"]),
        ("ed25519", &["ed25519"]),
    ] {
        let good = folder.self_signed(name, newkey, &[SAN]);
        assert_eq!(verified(&[&good], &[&good]), Ok(()), "{name}");
    }
    refused(verified(&[&own], &[&CertificateDer::from(vec![0x30, 3, 2, 1, 0])]), "certificate unreadable");
}

#[test]
fn any_authority_of_the_chain_may_be_the_trusted_one() {
    let folder = Folder::new();
    let root = folder.self_signed("root", &EC, &[]);
    let authority = "basicConstraints=critical,CA:TRUE";
    let intermediate = folder.issued("intermediate", "root", authority);
    let leaf = folder.issued("leaf", "intermediate", &format!("basicConstraints=CA:FALSE\n{SAN}"));
    let (root, intermediate, leaf) = (&root, &intermediate, &leaf);
    assert_eq!(verified(&[root], &[leaf, intermediate]), Ok(()));
    assert_eq!(verified(&[root], &[leaf, intermediate, root]), Ok(()));
    assert_eq!(verified(&[intermediate], &[leaf]), Ok(()), "the server leaves its intermediate one out");
    assert_eq!(verified(&[intermediate, root], &[leaf]), Ok(()));
    assert_eq!(verified(&[intermediate], &[leaf, intermediate, root]), Ok(()));
    assert_eq!(verified(&[leaf], &[leaf]), Ok(()), "nothing but itself is trusted");
    refused(
        verified(&[root], &[leaf]),
        "certificate of an unknown authority: put that authority's certificate",
    );
    refused(verified(&[leaf], &[intermediate]), "certificate that claims to be an authority's");
    let not_an_authority = folder.issued("server", "root", "basicConstraints=CA:FALSE");
    let below = folder.issued("below", "server", &format!("basicConstraints=CA:FALSE\n{SAN}"));
    let words = "certificate issued by one that is no authority's (CA:FALSE)";
    refused(verified(&[root], &[&below, &not_an_authority]), words);
    // An authority that is a server, too: OpenSSL's `-x509` for a small company.
    let both = folder.issued("both", "root", &format!("{authority}\n{SAN}"));
    refused(
        verified(&[root], &[&both]),
        "certificate that claims to be an authority's (CA:TRUE): put this very",
    );
    assert_eq!(verified(&[root, &both], &[&both]), Ok(()));
}

/// As OpenSSL has it (X509_check_ca(3)): what says that it is an authority's, and what is too old to say anything.
#[test]
fn nothing_is_issued_by_a_trusted_certificate_that_is_no_authority_s() {
    let folder = Folder::new();
    let server = format!("basicConstraints=CA:FALSE\n{SAN}");
    let no_san = "subjectAltName=DNS:other.lab.example";
    let (is_ca, no_ca) = ("basicConstraints=critical,CA:TRUE", "basicConstraints=critical,CA:FALSE");
    let (signs, signs_not) = ("keyUsage=critical,keyCertSign", "keyUsage=critical,digitalSignature,cRLSign");
    // OpenSSL's own configuration makes each `-x509` an authority's.
    std::fs::write(folder.0.join("bare.cnf"), "[req]\ndistinguished_name=dn\n[dn]\n").unwrap();
    for (name, extensions, is_authority) in [
        ("ca", &[is_ca][..], true),
        ("ca-signs", &[is_ca, signs], true),
        ("ca-signs-not", &[is_ca, signs_not], false),
        ("no-ca", &[no_ca, no_san, "keyUsage=digitalSignature"], false),
        ("no-ca-signs", &[no_ca, signs], false),
        ("says-nothing", &[no_san], false),
        ("only-signs", &[signs], true),
    ] {
        let arguments = [&EC[..], &["-config", "bare.cnf"]].concat();
        let issuer = &folder.self_signed(name, &arguments, extensions);
        let issued = &folder.issued(&format!("by-{name}"), name, &server);
        let file = |name: &str| folder.0.join(format!("{name}.pem"));
        let openssl = Command::new("openssl")
            .args(["verify", "-partial_chain", "-CAfile"])
            .args([file(name), file(&format!("by-{name}"))])
            .output()
            .unwrap();
        assert_eq!(openssl.status.success(), is_authority, "{name}: {openssl:?}");
        let another = &folder.issued("another", name, is_ca);
        for ca in [&[issuer][..], &[another, issuer]] {
            if is_authority {
                assert_eq!(verified(ca, &[issued]), Ok(()), "{name}");
            } else {
                let words = "certificate issued by one that `ca` names, and that is no authority's";
                refused(verified(ca, &[issued]), words);
            }
        }
        assert_eq!(verified(&[issuer, issued], &[issued]), Ok(()), "{name}");
    }
    // Version 1 has no extensions: an old root is an authority nevertheless, as an old server's certificate is not.
    folder.self_signed("root", &EC, &[]);
    let old_root = {
        let sign = "x509 -req -days 30 -in old-root.csr -signkey old-root.key -out old-root.pem";
        folder.issued("old-root", "root", "");
        openssl(&sign.split(' ').collect::<Vec<_>>(), &folder.0);
        folder.read("old-root")
    };
    let by_old = folder.issued("by-old", "old-root", &server);
    assert_eq!(verified(&[&old_root], &[&by_old]), Ok(()));
    let old = folder.issued("old", "root", "");
    let by_server = folder.issued("by-server", "old", &server);
    let words = "certificate issued by one that `ca` names, and that is no authority's";
    refused(verified(&[&old], &[&by_server]), words);
    // In the middle of a chain as well.
    let named = folder.issued("named", "root", "basicConstraints=CA:FALSE");
    let middle = folder.issued("middle", "named", is_ca);
    let leaf = folder.issued("leaf", "middle", &server);
    refused(verified(&[&named], &[&leaf, &middle]), words);
}
