//! Anything at all as a server's answer: nothing panics, pieces of any size give the same, what is kept is bounded, only the
//! exact success is one, and what is said of a node never moves the cursor where the plug was not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plug::limits;
use plug::uplink::answer::{Answer, Said, classify, quote};
use plug::uplink::http::Reader;
use plug::uplink::resume::{Input, Node, Standing, judge, read};

/// What came of an answer: whether it is whole, and what it is.
#[derive(Debug, PartialEq)]
struct Read {
    whole: bool,
    status: u16,
    date: String,
    location: String,
    body: Vec<u8>,
    cut: bool,
    head: String,
}

fn receive(bytes: &[u8], piece: usize) -> Option<Read> {
    let mut reader = Reader::new(limits::UPLINK_ANSWER, true);
    let mut whole = false;
    for bytes in bytes.chunks(piece) {
        whole = reader.push(bytes).ok()?;
        if whole {
            break;
        }
    }
    whole = whole || reader.end();
    assert!(reader.body().len() <= limits::UPLINK_ANSWER && reader.head().len() <= limits::UPLINK_ANSWER);
    assert!(!whole || (100..1000).contains(&reader.status()));
    Some(Read {
        whole,
        status: reader.status(),
        date: reader.date().into(),
        location: reader.location().into(),
        body: reader.body().to_vec(),
        cut: reader.is_cut(),
        head: reader.head().into(),
    })
}

// The first byte says how large the pieces are.
fuzz_target!(|input: &[u8]| {
    let Some((piece, bytes)) = input.split_first() else { return };
    let at_once = receive(bytes, bytes.len().max(1));
    assert_eq!(receive(bytes, usize::from(*piece).max(1)), at_once);
    if let Some(answer) = at_once.filter(|answer| answer.whole) {
        let said = Said { status: answer.status, location: &answer.location, body: &answer.body };
        let accepted = classify(&said, b"ok") == Answer::Accepted;
        assert_eq!(accepted, answer.status == 200 && answer.body == b"ok");
        let words = quote(&said);
        assert!(words.len() <= limits::UPLINK_WORDS && !words.chars().any(char::is_control));
    }
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let Ok(node) = read(text, "power") else { return };
    for own in [None, Some(1.5)] {
        match judge(node, 1_700_000_000, 1_700_001_000, Some(1_700_000_500), own) {
            Standing::From(time) => {
                assert!((1_700_000_000..=1_700_001_000).contains(&time) && time != 1_700_000_500);
            }
            Standing::Back(time) => assert!(time < 1_700_000_000),
            Standing::Unknown => match node {
                Node::HasNot => {}
                Node::Has(Input { time, .. }) => assert_eq!(time, 1_700_000_500),
            },
            Standing::Conflict(_) => {}
        }
    }
});
