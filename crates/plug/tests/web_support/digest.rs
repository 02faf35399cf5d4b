//! A Digest client for tests (RFC 7616 with SHA-256 and `qop=auth`), written against the standard and not against the
//! plug's own code. Test programs of other crates take this file by its path.

use sha2::{Digest as _, Sha256};

/// The only user there is.
pub(crate) const USER: &str = "admin";
/// What a client adds so that its answers differ; any text does.
const CNONCE: &str = "b1946ac92492d2347c6235b4d2611184";
/// Bytes that HMAC-SHA-256 works on (RFC 2104: B).
const BLOCK: usize = 64;

/// Somebody who knows a password and has a challenge.
#[derive(Clone)]
pub(crate) struct Client {
    realm: String,
    nonce: String,
    ha1: [u8; 32],
    /// How often the nonce was used.
    count: u32,
}

impl Client {
    /// Takes the challenge out of `WWW-Authenticate` or `OSSP-Challenge`.
    pub(crate) fn new(challenge: &str, password: &str) -> Self {
        assert_eq!(parameter(challenge, "algorithm").as_deref(), Some("SHA-256"), "{challenge}");
        assert_eq!(parameter(challenge, "qop").as_deref(), Some("auth"), "{challenge}");
        let realm = parameter(challenge, "realm").expect("a challenge has a realm");
        let ha1 = ha1(&realm, password);
        Self { realm, nonce: parameter(challenge, "nonce").expect("a challenge has a nonce"), ha1, count: 0 }
    }

    /// The line `Authorization` of the next request.
    pub(crate) fn header(&mut self, method: &str, target: &str) -> String {
        self.count += 1;
        self.header_again(method, target)
    }

    /// The line as for the request before: the same count again.
    pub(crate) fn header_again(&self, method: &str, target: &str) -> String {
        let Self { realm, nonce, count, .. } = self;
        let ha2 = hex(&Sha256::digest(format!("{method}:{target}")));
        let text = format!("{}:{nonce}:{count:08x}:{CNONCE}:auth:{ha2}", hex(&self.ha1));
        let response = hex(&Sha256::digest(text));
        format!(
            "Authorization: Digest username=\"{USER}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{target}\", \
             algorithm=SHA-256, response=\"{response}\", qop=auth, nc={count:08x}, cnonce=\"{CNONCE}\""
        )
    }

    /// Goes on as if the nonce had been used so often.
    pub(crate) fn set_count(&mut self, count: u32) {
        self.count = count;
    }

    /// The nonce that the plug gave.
    pub(crate) fn nonce(&self) -> &str {
        &self.nonce
    }

    /// `masked_ha1` of a new password, for the request whose line [`Client::header`] just made.
    pub(crate) fn masked_ha1(&self, new_password: &str) -> String {
        let text = format!("ossp-password:{}:{:08x}:{CNONCE}", self.nonce, self.count);
        let mask = hmac(&self.ha1, text.as_bytes());
        let new = ha1(&self.realm, new_password);
        hex(&new.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect::<Vec<_>>())
    }
}

/// HA1 of a password (RFC 7616 §3.4.2).
pub(crate) fn ha1(realm: &str, password: &str) -> [u8; 32] {
    Sha256::digest(format!("{USER}:{realm}:{password}")).into()
}

/// A parameter of a challenge, without its quotes.
pub(crate) fn parameter(challenge: &str, name: &str) -> Option<String> {
    let challenge = challenge.strip_prefix("Digest ").unwrap_or(challenge);
    challenge.split(',').find_map(|part| {
        let (key, value) = part.trim().split_once('=')?;
        (key == name).then(|| value.trim_matches('"').to_owned())
    })
}

/// HMAC-SHA-256 (RFC 2104) of a key that is no longer than a block.
pub(crate) fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let padded = |pad: u8| {
        let mut block = [pad; BLOCK];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 7616 §3.9.1 with its own user would be another client; RFC 4231 §4.3 checks the mask's part.
#[test]
fn the_client_computes_as_the_standards_say() {
    let mask = hmac(b"Jefe", b"what do ya want for nothing?");
    assert_eq!(hex(&mask), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    let challenge =
        "Digest realm=\"ossp-ab12cd34ef56\", qop=\"auth\", algorithm=SHA-256, nonce=\"0a\", charset=UTF-8";
    let mut client = Client::new(challenge, "correct horse");
    // By hand, with coreutils' sha256sum.
    let line = client.header("GET", "/api/v1/relay?x=1");
    assert!(
        line.contains("response=\"26e5f5b85aa7bf4997ac21d7ab09ba2882c034392643ec923b80211eac2b1fb0\""),
        "{line}"
    );
    assert!(
        line.contains("uri=\"/api/v1/relay?x=1\"")
            && line.ends_with(&format!("nc=00000001, cnonce=\"{CNONCE}\""))
    );
}
