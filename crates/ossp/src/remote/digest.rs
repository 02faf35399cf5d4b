//! Proves a password without sending it: HTTP Digest with SHA-256 (RFC 7616), as far as a plug asks for it.
//!
//! The crates for this know no SHA-256 or hang on hash libraries of the generation before.

use sha2::{Digest as _, Sha256};

/// The only user that a plug has.
const USER: &str = "admin";

/// Somebody who knows the password and has a challenge.
pub(super) struct Signer {
    realm: String,
    nonce: String,
    ha1: String,
    client_nonce: String,
    /// How often the nonce was used.
    count: u32,
}

impl Signer {
    /// Takes a challenge; `None` if it is none that the plug of this identity makes.
    pub(super) fn new(challenge: &str, id: &str, password: &str, chance: [u8; 16]) -> Option<Self> {
        let rest = challenge.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("digest"))?.1;
        if parameter(rest, "algorithm")? != "SHA-256" || parameter(rest, "qop")? != "auth" {
            return None;
        }
        let (realm, nonce) = (parameter(rest, "realm")?.to_owned(), parameter(rest, "nonce")?.to_owned());
        if realm.strip_prefix("ossp-") != Some(id) {
            return None;
        }
        let ha1 = hash(&format!("{USER}:{realm}:{password}"));
        Some(Self { realm, nonce, ha1, client_nonce: hex(&chance), count: 0 })
    }

    /// What `Authorization` says for the next request.
    pub(super) fn sign(&mut self, method: &str, target: &str) -> String {
        self.count += 1;
        let Self { realm, nonce, ha1, client_nonce, count } = self;
        let what = hash(&format!("{method}:{target}"));
        let response = hash(&format!("{ha1}:{nonce}:{count:08x}:{client_nonce}:auth:{what}"));
        format!(
            "Digest username=\"{USER}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{target}\", algorithm=SHA-256, \
             response=\"{response}\", qop=auth, nc={count:08x}, cnonce=\"{client_nonce}\""
        )
    }
}

/// A parameter's value, in quotes or not. What a plug says has neither quotes nor commas inside.
pub(super) fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(',').find_map(|part| {
        let (key, value) = part.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim_matches('"'))
    })
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1, which has another user: so only what follows from the parts that are its own is compared.
    #[test]
    fn hashes_are_those_of_the_standard() {
        assert_eq!(
            hash("Mufasa:http-auth@example.org:Circle of Life"),
            "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"
        );
        let (ha1, what) = (hash("Mufasa:http-auth@example.org:Circle of Life"), hash("GET:/dir/index.html"));
        let (nonce, client) =
            ("7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
        assert_eq!(
            hash(&format!("{ha1}:{nonce}:00000001:{client}:auth:{what}")),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    #[test]
    fn a_nonce_is_used_with_rising_counts() {
        let challenge =
            "Digest realm=\"ossp-1\", qop=\"auth\", algorithm=SHA-256, nonce=\"ab\", charset=UTF-8";
        let mut signer = Signer::new(challenge, "1", "secret", [7; 16]).unwrap();
        let one = signer.sign("GET", "/api/v1/info");
        let two = signer.sign("GET", "/api/v1/info");
        assert_eq!(parameter(&one, "nc"), Some("00000001"));
        assert_eq!(parameter(&two, "nc"), Some("00000002"));
        assert_ne!(parameter(&one, "response"), parameter(&two, "response"));
        assert_eq!(parameter(&one, "uri"), Some("/api/v1/info"));
        assert!(!one.contains("secret"));
    }

    #[test]
    fn other_challenges_are_not_met() {
        for challenge in [
            "Basic realm=\"ossp-x\"",
            "Digest realm=\"ossp-x\", qop=\"auth\", algorithm=MD5, nonce=\"ab\"",
            "Digest realm=\"ossp-x\", algorithm=SHA-256, nonce=\"ab\"",
            "Digest realm=\"ossp-y\", qop=\"auth\", algorithm=SHA-256, nonce=\"ab\"",
            "Digest realm=\"x\", qop=\"auth\", algorithm=SHA-256, nonce=\"ab\"",
            "Digest qop=\"auth\", algorithm=SHA-256, nonce=\"ab\"",
            "",
        ] {
            assert!(Signer::new(challenge, "x", "secret", [0; 16]).is_none(), "{challenge}");
        }
    }
}
