//! Any bytes at all as a package: a head that is read is written so, comes in pieces just as well, and its signatures are
//! good or not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plug::update::keys::{AcceptWhat, AcceptedKeys, UpdateSettings};
use plug::update::package::{HEAD_MOST, Header, MAGIC};

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some((header, length))) = Header::parse(bytes) else {
        // Enough bytes for any head are never too few.
        assert!(bytes.len() < HEAD_MOST || Header::parse(bytes).is_err());
        return;
    };
    assert!(length <= HEAD_MOST);
    let mut again = String::from_utf8(MAGIC.to_vec()).unwrap();
    again += &format!("{}\n", header.manifest.text());
    for signature in &header.signatures {
        again += &format!("{signature}\n");
    }
    again += "\n";
    assert_eq!(again.as_bytes(), &bytes[..length]);
    for cut in [0, 1, MAGIC.len(), length / 2, length - 1] {
        assert_eq!(Header::parse(&bytes[..cut]), Ok(None));
    }
    let settings = UpdateSettings {
        accept: AcceptWhat::Signed,
        keys: header.signatures.iter().map(|signature| signature.key).collect(),
        ..UpdateSettings::default()
    };
    if let Ok(Some(after)) = AcceptedKeys::of(None, &settings).after(&header.manifest) {
        let after = AcceptedKeys::of(None, &after);
        assert!(after.iter().next().is_some());
        assert!(header.manifest.retire.iter().all(|key| !after.has(key)));
    }
    // One is enough: it takes a while.
    if let Some(signature) = header.signatures.first() {
        let _ = header.manifest.is_signed(signature);
    }
});
