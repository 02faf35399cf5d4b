//! Any bytes as `Authorization` and `Cookie`: nothing panics, and nobody gets in with them. A right answer with any text
//! as the client's own nonce gets in, once.
#![no_main]

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use libfuzzer_sys::fuzz_target;
use plug::access::{Access, By, Ha1, Hex, Kept, Presented, Verdict};
use plug::platform::Instant;
use sha2::{Digest, Sha256};

const ID: &str = "0a1b2c3d";
const PASSWORD: &str = "correct horse";
const NOW: Instant = Instant::from_start(Duration::from_secs(10));
/// Stands between the parts of the input, and in none of them.
const END: u8 = 0xff;

// An Authorization, a Cookie, a client's nonce.
fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(3, |byte| *byte == END);
    let mut part = || parts.next().unwrap_or(&[]);
    let (authorization, cookie, cnonce) = (part(), part(), part());
    let access = Access::new();
    let kept = Kept { ha1: Some(Ha1::of(ID, PASSWORD)), ..Kept::new() };
    access.open(Ok(kept), ID, [7; 32]);
    for authorization in [Some(authorization), None] {
        let verdict = judge(&access, authorization, Some(cookie));
        assert!(matches!(verdict, Verdict::Nobody | Verdict::Wrong { stale: false }), "{verdict:?}");
        assert!(access.session_left(Some(cookie), NOW).is_none());
    }
    let _ = access.unmask(authorization, [1; 32]);
    let header = answer(&access.challenge(NOW, false).to_string(), cnonce);
    let allowed = (1..=128).contains(&cnonce.len())
        && cnonce.iter().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(byte));
    let verdict = judge(&access, Some(&header), None);
    let known = matches!(verdict, Verdict::Known(credential) if credential.by == By::Digest);
    assert_eq!(known, allowed, "{verdict:?}");
    let verdict = judge(&access, Some(&header), None);
    assert_eq!(verdict, Verdict::Wrong { stale: allowed });
});

fn judge(access: &Access, authorization: Option<&[u8]>, cookie: Option<&[u8]>) -> Verdict {
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let presented = Presented { authorization, cookie, method: "GET", target: "/api/v1/reading", peer };
    access.judge(&presented, NOW, |line| assert!(line.len() <= 96))
}

/// The right answer to a challenge.
fn answer(challenge: &str, cnonce: &[u8]) -> Vec<u8> {
    let nonce = challenge.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a nonce");
    let digits = |bytes: &[u8]| Hex(&Sha256::digest(bytes)).to_string();
    let who = digits(format!("admin:ossp-{ID}:{PASSWORD}").as_bytes());
    let what = digits(b"GET:/api/v1/reading");
    let text =
        [format!("{who}:{nonce}:00000001:").as_bytes(), cnonce, format!(":auth:{what}").as_bytes()].concat();
    let before = format!(
        "Digest username=\"admin\", realm=\"ossp-{ID}\", uri=\"/api/v1/reading\", nonce=\"{nonce}\", nc=00000001, \
         qop=auth, algorithm=SHA-256, response=\"{}\", cnonce=\"",
        digits(&text)
    );
    [before.as_bytes(), cnonce, b"\""].concat()
}
