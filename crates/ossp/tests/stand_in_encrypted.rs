//! The stand-in's encrypted transport against what a real Emoncms accepted and refused.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod stand_in_support;

use stand_in_support::{Answer, NOW, NOW_S, WRITE_KEY, ask, newest, refusal, request, stand_in};

/// Path, plaintext's last word on what is stored, HMAC, body, answer.
const VECTORS: [(&str, &str, &str, &str); 4] = [
    (
        "/input/post",
        "98b271b6b52b948548f1359c822148332e02392850f5a6e6df1500d136d5b402",
        "AAECAwQFBgcICQoLDA0ODxFJYs5_Kfn6wiQVGeo428f2onc_LvDHymy7ahHNhb5w",
        "gzB0pvyidLaVZH46HPDMQnkB7n4fnyIzyye0h7Vi_BM=",
    ),
    (
        "/input/post",
        "b693b6bcc64947df2faa3e44d0241be68990881a8b7685a68e4643822be71625",
        "AAECAwQFBgcICQoLDA0OD9aW7WtLAMUAHK19Zlwrt7DgAdQ1u9MkAgf94TE35pUNLMyAR2zq-PFn1kYsZ0q5mA",
        "x_GKhd2zMdm6IbwYST5KA5LY7KPdAVOY0uFWkuGd5_g=",
    ),
    (
        "/input/post",
        "0ee3a6b679c7a2959e42c6c90cd783a63b09e0f9de793704602100829cf5b2f2",
        "AAECAwQFBgcICQoLDA0OD9aW7WtLAMUAHK19Zlwrt7DUDvao2XuuiymFzdDbs-CnOfM6NDSVcPV4E6szCLkrJQ",
        "3Tg5mf_dJvxTbWCxp28OD4Br7MOnOtRX4BlpsJoaMEs=",
    ),
    (
        "/input/bulk",
        "051ed646ed7e5730dd6c3ee67c39fb4f95facf3b401cf9ff7d53953c106f0e2c",
        "AAECAwQFBgcICQoLDA0OD0GYkOtBMXn-OYyRBib51Y1bqOs2soLMgQN5-YWs3EHP6Dtei24zwd-Bamqp25ZsAw",
        "RzMtMVvl68l-TuFtnhM-ZXwW4fD1cxybzqsgoW8J8u0=",
    ),
];

const KIND: (&str, &str) = ("Content-Type", "aes128cbc");

#[test]
fn the_vectors_are_accepted() {
    let mut emoncms = stand_in();
    let mut stored = Vec::new();
    for (target, hmac, body, expected) in VECTORS {
        let authorization = format!("4:{hmac}");
        let answer = ask(&mut emoncms, "POST", target, &[KIND, ("Authorization", &authorization)], body);
        assert_eq!((answer.status, answer.body.as_str()), (200, expected));
        stored.push(emoncms.account.stored.last().unwrap().clone());
    }
    assert_eq!(
        stored.iter().map(|row| row.time).collect::<Vec<_>>(),
        [NOW_S, NOW_S, 1_795_378_129, 1_795_378_134]
    );
    assert!(stored.iter().all(|row| row.node == "enc"));
    assert_eq!(newest(&emoncms, "enc", "1"), Some((NOW_S, 100.0)));
    assert_eq!(newest(&emoncms, "enc", "3"), Some((NOW_S, 300.0)));
    assert_eq!(newest(&emoncms, "enc", "p2"), Some((NOW_S, -2.0)));
    assert_eq!(newest(&emoncms, "enc", "p1"), Some((1_795_378_134, 16.0)));
}

#[test]
fn the_body_may_be_padded_or_standard_base64() {
    let (target, hmac, body, expected) = VECTORS[0];
    let standard = body.replace('-', "+").replace('_', "/");
    for body in [format!("{body}=="), standard.clone(), format!("{standard}==")] {
        let authorization = format!("4:{hmac}");
        let answer = ask(&mut stand_in(), "POST", target, &[KIND, ("Authorization", &authorization)], &body);
        assert_eq!(answer.body, expected);
    }
}

#[test]
fn failures_are_bare_words_with_200() {
    let (target, hmac, body, _) = VECTORS[0];
    let good = format!("4:{hmac}");
    let upper = format!("4:{}", hmac.to_uppercase());
    let cases = [
        (Some("4:00"), body, "invalid data"),
        (Some(upper.as_str()), body, "invalid data"),
        (Some(good.as_str()), "AAECAwQFBgcICQoLDA0OD", "invalid data"),
        (Some("5:00"), body, "User not found"),
        (None, body, "missing authorization header"),
        (Some("00"), body, "authorization header format should be userid:hmac"),
        (Some("4:0:0"), body, "authorization header format should be userid:hmac"),
        (Some(good.as_str()), "", "no content in post body"),
    ];
    for (authorization, body, words) in cases {
        let mut headers = vec![KIND];
        headers.extend(authorization.map(|value| ("Authorization", value)));
        let mut emoncms = stand_in();
        let answer = ask(&mut emoncms, "POST", target, &headers, body);
        assert_eq!((answer.status, answer.body.as_str()), (200, words), "{authorization:?}");
        assert!(emoncms.account.stored.is_empty());
    }
}

#[test]
fn the_content_type_is_spelled_exactly_so() {
    let (target, hmac, body, _) = VECTORS[0];
    for kind in ["AES128CBC", "aes128cbc; charset=UTF-8", "aes128cbc;charset=utf-8"] {
        let authorization = format!("4:{hmac}");
        let headers = [("Content-Type", kind), ("Authorization", authorization.as_str())];
        let answer = ask(&mut stand_in(), "POST", target, &headers, body);
        assert_eq!((answer.status, answer.body.as_str()), (401, "Invalid API key"), "{kind}");
    }
}

#[test]
fn only_post_and_bulk_are_encrypted() {
    let (_, hmac, body, _) = VECTORS[0];
    let authorization = format!("4:{hmac}");
    let headers = [KIND, ("Authorization", authorization.as_str())];
    assert_eq!(ask(&mut stand_in(), "POST", "/input/get/enc", &headers, body).body, "false");
}

#[test]
fn refusals_come_as_in_the_clear() {
    let mut emoncms = stand_in();
    let answer = encrypted(&mut emoncms, "aes128cbc", b"node=n&fulljson={\"a\":");
    assert_eq!(answer.body, refusal("Input in not a valid JSON object"));
    let answer = encrypted(&mut emoncms, "aes128cbc", b"node=n&fulljson={\"a=b\":1}");
    let none = refusal("Request contains no data via csv, json or data tag");
    assert_eq!(answer.body, none, "an = inside a value loses the field");
    let answer = encrypted(&mut emoncms, "aes128cbc", b"node=n&data=%31");
    assert_eq!(answer.body, base64url_of_hash(b"node=n&data=%31"));
    assert_eq!(newest(&emoncms, "n", "1"), Some((NOW_S, 31.0)), "nothing is percent-decoded");
}

#[test]
fn a_compressed_text_is_signed_as_it_is_sent() {
    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use std::io::Write;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(b"node=z&fulljson={\"a\":5}&time=1700000000").unwrap();
    let packed = encoder.finish().unwrap();
    let mut emoncms = stand_in();
    let answer = encrypted(&mut emoncms, "aes128cbcgz", &packed);
    assert_eq!(answer.body, base64url_of_hash(&packed));
    assert_eq!(newest(&emoncms, "z", "a"), Some((1_700_000_000, 5.0)));
}

fn base64url_of_hash(text: &[u8]) -> String {
    use sha2::Digest;
    ossp::stand_in::encrypted::base64url(&sha2::Sha256::digest(text))
}

/// Sends a text as the plug would.
fn encrypted(emoncms: &mut ossp::stand_in::StandIn, kind: &str, text: &[u8]) -> Answer {
    use aes::cipher::block_padding::Pkcs7;
    use aes::cipher::{BlockModeEncrypt, KeyIvInit};
    use hmac::{Hmac, KeyInit, Mac};
    let key = ossp::stand_in::input::hex(WRITE_KEY.as_bytes()).unwrap();
    let iv = [7; 16];
    let sealer = cbc::Encryptor::<aes::Aes128>::new_from_slices(&key, &iv).unwrap();
    let mut sealed = iv.to_vec();
    sealed.extend(sealer.encrypt_padded_vec::<Pkcs7>(text));
    let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(&key).unwrap();
    mac.update(text);
    let hmac: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let authorization = format!("4:{hmac}");
    let headers = [("Content-Type", kind), ("Authorization", authorization.as_str())];
    let body = ossp::stand_in::encrypted::base64url(&sealed);
    let bytes = request("POST", "/input/post", &headers, body.as_bytes());
    Answer::of(&emoncms.handle(&bytes, NOW).unwrap())
}
