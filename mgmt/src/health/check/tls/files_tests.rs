use std::path::PathBuf;

use super::super::verifier::tests::openssl;
use super::*;

/// Of the files of a folder, named without their ends.
fn loaded(dir: &Path, certificate: &str, key: &str) -> Result<(), String> {
    let path = |name: &str| -> PathBuf { dir.join(name) };
    client(&path(certificate), &path(key)).map(drop).map_err(|unusable| unusable.why)
}

#[test]
fn keys_of_every_form_are_taken_and_what_is_wrong_names_the_file() {
    let dir = crate::api::fake::fresh_dir();
    std::fs::create_dir_all(&dir).unwrap();
    let run = |words: &str| openssl(&words.split(' ').collect::<Vec<_>>(), &dir);
    let request = "req -x509 -nodes -days 9 -subj /CN=probe";
    run(&format!("{request} -newkey rsa:2048 -keyout rsa.key -out rsa.pem"));
    run("rsa -in rsa.key -traditional -out rsa-pkcs1.key");
    run("rsa -in rsa.key -traditional -aes128 -passout pass:secret -out rsa-pkcs1-encrypted.key");
    run(&format!("{request} -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -keyout ec.key -out ec.pem"));
    run("ec -in ec.key -out ec-sec1.key");
    run("pkcs8 -topk8 -in ec.key -passout pass:secret -out ec-encrypted.key");
    run(&format!("{request} -newkey ec -pkeyopt ec_paramgen_curve:secp521r1 -keyout p521.key -out p521.pem"));
    run(&format!("{request} -newkey ed25519 -keyout ed25519.key -out ed25519.pem"));
    run(&format!("{request} -newkey rsa:1024 -keyout rsa1024.key -out rsa1024.pem"));
    run(&format!("{request} -newkey ed448 -keyout ed448.key -out ed448.pem"));
    // As `openssl ecparam -genkey` writes it.
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let sec1 = std::fs::read_to_string(dir.join("ec-sec1.key")).unwrap();
    std::fs::write(dir.join("ec-parameters.key"), parameters.to_owned() + &sec1).unwrap();
    // Both in one file, as HAProxy has them.
    let both = ["ec.pem", "ec.key"].map(|name| std::fs::read_to_string(dir.join(name)).unwrap());
    std::fs::write(dir.join("both.pem"), both.concat()).unwrap();
    std::fs::write(dir.join("cut.key"), &sec1[..sec1.len() - 40]).unwrap();
    std::fs::write(dir.join("empty"), "").unwrap();
    for (certificate, key) in [
        ("rsa.pem", "rsa.key"),
        ("rsa.pem", "rsa-pkcs1.key"),
        ("ec.pem", "ec.key"),
        ("ec.pem", "ec-sec1.key"),
        ("ec.pem", "ec-parameters.key"),
        ("both.pem", "both.pem"),
        ("p521.pem", "p521.key"),
        ("ed25519.pem", "ed25519.key"),
    ] {
        assert_eq!(loaded(&dir, certificate, key), Ok(()), "{key}");
    }
    for (certificate, key, named, words) in [
        ("rsa.pem", "rsa-pkcs1-encrypted.key", "rsa-pkcs1-encrypted.key", "is encrypted"),
        ("ec.pem", "ec-encrypted.key", "ec-encrypted.key", "is encrypted"),
        ("rsa.pem", "ec.key", "rsa.pem", "is not for the key"),
        ("ec.pem", "p521.key", "p521.key", "is not for the key"),
        ("rsa1024.pem", "rsa1024.key", "rsa1024.key", "of a kind that cannot be used"),
        ("ed448.pem", "ed448.key", "ed448.key", "of a kind that cannot be used"),
        ("ec.pem", "ec.pem", "ec.pem", "has no private key"),
        ("ec.key", "ec.key", "ec.key", "has no certificate"),
        ("ec.pem", "cut.key", "cut.key", "is no right PEM file: an END line is missing"),
        ("empty", "ec.key", "empty", "has no certificate"),
        ("ec.pem", "absent.key", "absent.key", "cannot read"),
    ] {
        let why = loaded(&dir, certificate, key).expect_err(key);
        assert!(why.contains(words) && why.contains(named), "{certificate}, {key}: {why}");
    }
    let absent = client(&dir.join("absent.pem"), &dir.join("ec.key")).unwrap_err();
    assert!(absent.is_out_of_reach, "{absent}");
    let _ = std::fs::remove_dir_all(&dir);
}
